import ArgumentParser
import MailServer

/// `wsemaild status`
struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "How the server does: running, accounts, queue, and the domain's fingerprint.",
        discussion: "Example: wsemaild status --json\nExit status 3: no server runs (the store's figures are shown all the same).")

    @OptionGroup var options: CommonOptions

    func run() async throws {
        try await AdminSession.run(options) { session in
            try await session.show(AdminRequest(.status), showsDetails: true)
            guard await session.gateway.reachesServer else { throw ExitCode.notReached }
        }
    }
}
