import ArgumentParser
import Identity
import MailServer

/// `wsemaild key …`
struct KeyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "key", abstract: "Certificates that this domain issued to its users.",
        discussion: "Example: wsemaild key list alice@example.org", subcommands: [List.self, Revoke.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List certificates, of all users or one.", discussion: "Example: wsemaild key list alice@example.org")

        @OptionGroup var options: CommonOptions
        @Argument(help: "The address, or the part before the @.") var address: String?

        func run() async throws {
            try await AdminSession.run(options) { session in
                try await session.list(.keyList, address.map { [.address: $0] } ?? [:], empty: "no certificates")
            }
        }
    }

    struct Revoke: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Revoke certificates: for a lost or stolen key. The user enrols a new one with the password.",
            discussion: """
                Examples:
                  wsemaild key revoke SHA256:AB:CD:…
                  wsemaild key revoke alice        (all of alice's)
                """)

        @OptionGroup var options: CommonOptions
        @Argument(
            help: ArgumentHelp(
                "A certificate's fingerprint; or an address, or the part before the @, for all its certificates.", valueName: "which"))
        var target: String

        func run() async throws {
            let isFingerprint = target.contains(":") || (try? Fingerprint(target)) != nil
            let argument: AdminArgument = isFingerprint ? .fingerprint : .address
            try await AdminSession.run(options) { try await $0.show(AdminRequest(.keyRevoke, [argument: target])) }
        }
    }
}
