import ArgumentParser
import MailServer

/// `wsemaild token …`
struct TokenCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token", abstract: "What users of other domains may do here with a token of their own server.",
        discussion: """
            A token counts only from a domain that is trusted (`wsemaild trust list`), and only for the services of its rule.
            Without any rule, users of trusted domains may fetch the attachments that were sent to them.
            """,
        subcommands: [List.self, Allow.self, Deny.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show the rules.", discussion: "Example: wsemaild token list")

        @OptionGroup var options: CommonOptions

        func run() async throws {
            try await AdminSession.run(options) { try await $0.show(AdminRequest(.tokenList)) }
        }
    }

    struct Allow: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Say what tokens of a domain count for.",
            discussion: """
                Services: attachments (fetch what was sent to them), send (hand in mail for mailboxes here directly). The rule takes
                the place of the domain's earlier one, and of the preset: name all services that are to count.
                  wsemaild token allow example.net --service attachments --service send
                  wsemaild token allow '*' --service attachments
                """)

        @OptionGroup var options: CommonOptions
        @Option(help: ArgumentHelp("attachments or send; may be given several times.", valueName: "name")) var service: [String]
        @Flag(help: "Also tokens without a key, for programs that cannot sign: whoever gets hold of one can use it once.")
        var bearer = false
        @Argument(help: "The mail domain; '*' is every domain without a rule of its own.") var domain: String

        func validate() throws {
            guard !service.isEmpty else { throw ValidationError("Name what they count for: --service attachments, --service send.") }
        }

        func run() async throws {
            var arguments: [AdminArgument: String] = [.domain: domain, .services: service.joined(separator: ",")]
            if bearer { arguments[.bearer] = "yes" }
            try await AdminSession.run(options) { try await $0.show(AdminRequest(.tokenAllow, arguments)) }
        }
    }

    struct Deny: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Let tokens of a domain count for nothing.",
            discussion: """
                Examples:
                  wsemaild token deny example.net
                  wsemaild token deny example.net --reset
                """)

        @OptionGroup var options: CommonOptions
        @Flag(help: "Take the domain's rule away instead: the one for '*' counts again.") var reset = false
        @Argument(help: "The mail domain, or '*'.") var domain: String

        func run() async throws {
            var arguments: [AdminArgument: String] = [.domain: domain]
            if reset { arguments[.reset] = "yes" }
            try await AdminSession.run(options) { try await $0.show(AdminRequest(.tokenDeny, arguments)) }
        }
    }
}
