import Foundation
import Glibc
import Logging
import NIOPosix
import Testing

@testable import MailServer

@Suite("The admin socket", .serialized)
struct AdminSocketTests {
    /// Runs `body` beside a socket that answers with the command's name and the arguments.
    private func withSocket(
        _ limits: AdminSocket.Limits = .init(), _ body: @Sendable (AdminFolder, String) async throws -> Void
    ) async throws {
        let folder = try AdminFolder()
        let path = folder.path + "/admin.sock"
        let socket = Self.socket(path, limits)
        try await withThrowingTaskGroup { tasks in
            tasks.addTask { try await socket.run() }
            try await waitForSocket(path)
            try await body(folder, path)
            tasks.cancelAll()
            do { while try await tasks.next() != nil {} } catch is CancellationError {}
        }
        #expect(!folder.exists("admin.sock"))
    }

    private static func socket(_ path: String, _ limits: AdminSocket.Limits = .init()) -> AdminSocket {
        AdminSocket(
            path: path, group: MultiThreadedEventLoopGroup.singleton, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            limits: limits
        ) { request, caller in
            AdminReply(request.command.rawValue, details: request.arguments.merging(["uid": "\(caller.user)"]) { $1 })
        }
    }

    /// Sends octets on a connection of its own and returns all that comes until the other end closes.
    private func talk(_ path: String, _ bytes: [UInt8], halfClose: Bool = false) async throws -> String {
        try await blocking {
            let descriptor = try Self.connected(path)
            defer { close(descriptor) }
            var offset = 0
            while offset < bytes.count {
                let sent = bytes.withUnsafeBytes {
                    send(descriptor, $0.baseAddress! + offset, bytes.count - offset, Int32(MSG_NOSIGNAL))
                }
                if sent <= 0 { break }
                offset += sent
            }
            if halfClose { shutdown(descriptor, Int32(SHUT_WR)) }
            return Self.rest(descriptor)
        }
    }

    private static func connected(_ path: String) throws -> Int32 {
        let descriptor = try SocketFile.open()
        var limit = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        #expect(try SocketFile.call(path) { connect(descriptor, $0, $1) } == 0)
        return descriptor
    }

    /// A connection that has been answered. Refused ones try again: an earlier connection may still be counted.
    private static func admitted(_ path: String, _ ping: [UInt8]) throws -> Int32 {
        while true {
            let descriptor = try connected(path)
            var reply = [UInt8](repeating: 0, count: 4_096)
            _ = send(descriptor, ping, ping.count, 0)
            let count = recv(descriptor, &reply, reply.count, 0)
            if String(decoding: reply.prefix(max(0, count)), as: UTF8.self).contains("\"ok\":true") { return descriptor }
            close(descriptor)
        }
    }

    private static func rest(_ descriptor: Int32) -> String {
        var all: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = recv(descriptor, &chunk, chunk.count, 0)
            guard count > 0 else { return String(decoding: all, as: UTF8.self) }
            all += chunk[..<count]
        }
    }

    @Test func aRequestIsAnsweredToItsOwnUser() async throws {
        try await withSocket { folder, path in
            #expect(folder.mode("admin.sock") == 0o600)
            let reply = try await blocking {
                try AdminClient(path: path, timeout: 20).perform(AdminRequest(.queueShow, [.job: "7"]))
            }
            #expect(reply.message == "queue show")
            #expect(reply.details == ["job": "7", "uid": "\(geteuid())"])
        }
    }

    @Test(arguments: ["garbage", "", "{}", "[1]", "{\"command\":\"rm -rf\",\"arguments\":{}}", "\u{FF}\0\u{1}"])
    func garbageIsAnsweredAndDoesNoHarm(_ text: String) async throws {
        try await withSocket { _, path in
            let answer = try await talk(path, Array("\(text)\n{\"command\":\"ping\",\"arguments\":{}}\n".utf8), halfClose: true)
            let lines = answer.split(separator: "\n")
            #expect(lines.count == 2)
            #expect(lines.first?.contains("badRequest") == true)
            #expect(lines.last?.contains("\"message\":\"ping\"") == true)
        }
    }

    @Test func aLineMayBeJustSoLong() async throws {
        var limits = AdminSocket.Limits()
        limits.requestBytes = 200
        try await withSocket(limits) { _, path in
            let start = "{\"command\":\"ping\",\"arguments\":{}", end = "}"
            let padding = String(repeating: " ", count: 200 - start.count - end.count)
            let longest = try await talk(path, Array("\(start)\(padding)\(end)\n".utf8), halfClose: true)
            #expect(longest.contains("\"message\":\"ping\""))
            for excess in ["\(start) \(padding)\(end)\n", String(repeating: "x", count: 100_000)] {
                let answer = try await talk(path, Array(excess.utf8))
                #expect(answer.contains("at most 200 bytes"))
            }
        }
    }

    @Test func aSlowRequestIsCutOff() async throws {
        var limits = AdminSocket.Limits()
        limits.timeout = .milliseconds(200)
        try await withSocket(limits) { _, path in
            let begun = ContinuousClock.now
            let answer = try await talk(path, Array("{\"command\"".utf8))
            #expect(answer.isEmpty)
            #expect(ContinuousClock.now - begun < .seconds(10))
        }
    }

    @Test func onlySoManyConnectAtATime() async throws {
        var limits = AdminSocket.Limits()
        limits.connections = 2
        try await withSocket(limits) { _, path in
            let ping = Array("{\"command\":\"ping\",\"arguments\":{}}\n".utf8)
            let held = try await blocking { try (0..<2).map { _ in try Self.admitted(path, ping) } }
            #expect(try await talk(path, ping).contains("too many"))
            for descriptor in held { close(descriptor) }
            var answer = ""
            for _ in 0..<200 {
                if answer.contains("ping") { break }
                try await Task.sleep(for: .milliseconds(10))
                answer = try await talk(path, ping, halfClose: true)
            }
            #expect(answer.contains("ping"))
        }
    }

    @Test func aStaleSocketIsReplaced() async throws {
        let folder = try AdminFolder()
        let path = folder.path + "/admin.sock"
        let left = try SocketFile.open()
        #expect(try SocketFile.call(path) { bind(left, $0, $1) } == 0)
        close(left)
        #expect(try SocketFile.state(of: path) == .stale)
        try SocketFile.prepare(path)
        #expect(try SocketFile.state(of: path) == .nothing)
    }

    @Test func anotherServersSocketAndForeignFilesStay() async throws {
        try await withSocket { folder, path in
            await #expect(throws: AdminError.self) { try await Self.socket(path).run() }
            #expect(try SocketFile.state(of: path) == .answering)
            let file = folder.path + "/file"
            try Data("keep".utf8).write(to: URL(fileURLWithPath: file))
            #expect(throws: AdminError.self) { try SocketFile.prepare(file) }
            #expect(FileManager.default.contents(atPath: file) == Data("keep".utf8))
        }
    }

    @Test func aPathTooLongForASocketIsSaidSo() throws {
        let path = "/tmp/" + String(repeating: "x", count: 110)
        #expect(throws: AdminError.self) { try SocketFile.call(path) { _, _ in 0 } }
    }

    @Test func withoutAServerTheClientSaysSo() async throws {
        let folder = try AdminFolder()
        let error = #expect(throws: AdminError.self) {
            try AdminClient(path: folder.path + "/admin.sock", timeout: 1).perform(AdminRequest(.ping))
        }
        #expect(error?.code == .notRunning)
    }
}
