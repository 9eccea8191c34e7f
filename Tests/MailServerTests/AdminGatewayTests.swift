import Foundation
import Identity
import Logging
import NIOPosix
import Testing

@testable import MailServer

@Suite("The way of a tool to the server", .serialized)
struct AdminGatewayTests {
    private func gateway(_ configuration: ServerConfiguration) -> AdminGateway {
        AdminGateway(
            configuration: configuration, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, clock: { AdminBench.now })
    }

    @Test func withoutAServerTheStoreIsOpened() async throws {
        let bench = try AdminBench()
        await bench.store.close()
        let gateway = gateway(bench.configuration)
        let added = await gateway.perform(AdminRequest(.userAdd, [.address: "alice"], secret: "correct horse"))
        #expect(added.ok)
        #expect(await gateway.perform(AdminRequest(.userList)).rows.count == 1)
        #expect(await !gateway.reachesServer)
        await gateway.close()
        // The store is free again.
        let next = self.gateway(bench.configuration)
        #expect(await next.perform(AdminRequest(.userList)).rows.count == 1)
        await next.close()
    }

    @Test func aStoreInUseWithoutASocketIsSaidSo() async throws {
        let bench = try AdminBench()
        let reply = await gateway(bench.configuration).perform(AdminRequest(.userList))
        #expect(reply.error?.code == .notRunning)
        await bench.store.close()
    }

    @Test func nothingIsMadeWhereThereIsNoDatabase() async throws {
        let folder = try AdminFolder()
        var configuration = ServerConfiguration(domain: try MailDomain("capicom.test"), hostName: "mail.capicom.test")
        configuration.dataDirectory = folder.path
        let reply = await gateway(configuration).perform(AdminRequest(.userList))
        #expect(reply.error?.code == .file && reply.error?.hint.contains("init") == true)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
    }

    @Test func aRunningServerIsAskedThroughItsSocket() async throws {
        let bench = try AdminBench()
        let service = bench.service
        let socket = AdminSocket(
            path: bench.configuration.adminSocketPath, group: MultiThreadedEventLoopGroup.singleton,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        ) { await service.perform($0, by: $1) }
        try await withThrowingTaskGroup { tasks in
            tasks.addTask { try await socket.run() }
            try await waitForSocket(bench.configuration.adminSocketPath)
            let gateway = gateway(bench.configuration)
            let added = await gateway.perform(AdminRequest(.userAdd, [.address: "alice"], secret: "correct horse"))
            #expect(added.ok)
            #expect(await gateway.reachesServer)
            #expect(bench.log.all.contains { $0.contains("via=socket") })
            tasks.cancelAll()
            do { while try await tasks.next() != nil {} } catch is CancellationError {}
        }
        #expect(try await bench.store.account(try Address("alice@capicom.test")) != nil)
        await bench.store.close()
    }
}
