import ArgumentParser
import MailServer

/// `wsemaild metadata …`
struct MetadataCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "metadata", abstract: "The signed document that tells peers of this domain's certificates.",
        discussion: "Example: wsemaild metadata refresh", subcommands: [Refresh.self])

    struct Refresh: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Issue it anew now. The server does so by itself daily and after each revocation.",
            discussion: "Example: wsemaild metadata refresh")

        @OptionGroup var options: CommonOptions

        func run() async throws {
            try await AdminSession.run(options) { try await $0.show(AdminRequest(.metadataRefresh)) }
        }
    }
}
