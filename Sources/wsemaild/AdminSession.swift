import ArgumentParser
import Console
import Foundation
import Logging
import MailServer

/// One command's conversation with the server or its store.
struct AdminSession {
    let gateway: AdminGateway
    let output: Output

    /// Runs `body` with a way to the server, and lets go of it afterwards.
    static func run(_ options: CommonOptions, _ body: (AdminSession) async throws -> Void) async throws {
        let configuration = try options.load()
        let gateway = AdminGateway(configuration: configuration, logger: ToolLog.logger(), clock: { Date() })
        let result: Result<Void, any Error>
        do {
            result = .success(try await body(AdminSession(gateway: gateway, output: options.output)))
        } catch { result = .failure(error) }
        await gateway.close()
        try result.get()
    }

    /// Performs one act and prints its reply.
    func show(_ request: AdminRequest, empty: String = "none", showsDetails: Bool = false) async throws {
        try output.show(await gateway.perform(request), empty: empty, showsDetails: showsDetails)
    }

    /// Performs a list command page by page and prints all rows.
    func list(_ command: AdminCommand, _ arguments: [AdminArgument: String] = [:], empty: String) async throws {
        try output.show(await all(command, arguments), empty: empty)
    }

    /// All pages of a list as one reply.
    func all(_ command: AdminCommand, _ arguments: [AdminArgument: String] = [:]) async -> AdminReply {
        var arguments = arguments
        var whole = await gateway.perform(AdminRequest(command, arguments))
        while whole.error == nil, let next = whole.details["next"], !next.isEmpty {
            arguments[.after] = next
            let page = await gateway.perform(AdminRequest(command, arguments))
            if page.error != nil { return page }
            whole.rows += page.rows
            whole.details = page.details
        }
        return whole
    }
}

/// Where a tool's log goes: acts to the system's log, problems to the terminal too.
enum ToolLog {
    static func logger() -> Logger {
        Logger(label: "wsemaild") { label in
            var terminal = StreamLogHandler.standardError(label: label)
            terminal.logLevel = .error
            return MultiplexLogHandler([terminal, SystemLogHandler()])
        }
    }
}
