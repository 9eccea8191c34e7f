import ArgumentParser
import MailServer

/// `wsemaild file …`
struct FileCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "file", abstract: "Attachments that wait on this server for their recipients.",
        discussion: "Example: wsemaild file list", subcommands: [List.self, Check.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show what each user keeps here.", discussion: "Example: wsemaild file list")

        @OptionGroup var options: CommonOptions

        func run() async throws {
            try await AdminSession.run(options) { try await $0.show(AdminRequest(.fileList), empty: "nobody keeps a file here") }
        }
    }

    struct Check: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Read every file that a message refers to and compare it with its digest.",
            discussion: """
                Reads all octets: minutes for large stores. Exit status 1 if a file is missing or damaged.
                  wsemaild file check
                  wsemaild file check alice@example.org
                """)

        @OptionGroup var options: CommonOptions
        @Argument(help: "Only this user's files.") var address: String?

        func run() async throws {
            let arguments: [AdminArgument: String] = address.map { [.address: $0] } ?? [:]
            try await AdminSession.run(options) { session in
                let reply = await session.gateway.perform(AdminRequest(.fileCheck, arguments))
                try session.output.show(reply, empty: "")
                if let problems = reply.details["problems_count"], problems != "0" { throw ExitCode.failure }
            }
        }
    }
}
