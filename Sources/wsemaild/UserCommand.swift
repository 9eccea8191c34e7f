import ArgumentParser
import Console
import MailServer

/// `wsemaild user …`
struct UserCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "user", abstract: "Accounts of this domain.",
        discussion: "Example: wsemaild user add alice@example.org --quota-mb 2048",
        subcommands: [Add.self, Passwd.self, List.self, Quota.self, Disable.self, Enable.self, Remove.self])

    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Add an account.",
            discussion: """
                Asks for the password at the terminal, or takes it from a file or pipe:
                  wsemaild user add alice@example.org
                  pwgen 20 1 | wsemaild user add alice@example.org --password-file -
                """)

        @OptionGroup var options: CommonOptions
        @OptionGroup var password: PasswordOptions
        @Option(name: .customLong("quota-mb"), help: "Largest size of the mailbox; 0 is without limit.")
        var quota: Int?
        @Argument(help: "The address, or the part before the @.") var address: String

        func run() async throws {
            let secret = try password.read(for: address, output: options.output)
            try await AdminSession.run(options) { session in
                var arguments: [AdminArgument: String] = [.address: address]
                if let quota { arguments[.quota] = String(quota) }
                try await session.show(AdminRequest(.userAdd, arguments, secret: secret))
            }
        }
    }

    struct Passwd: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Set a new password; open sessions of the account end.",
            discussion: "Example: wsemaild user passwd alice@example.org")

        @OptionGroup var options: CommonOptions
        @OptionGroup var password: PasswordOptions
        @Argument(help: "The address, or the part before the @.") var address: String

        func run() async throws {
            let secret = try password.read(for: address, output: options.output)
            try await AdminSession.run(options) {
                try await $0.show(AdminRequest(.userPassword, [.address: address], secret: secret))
            }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the accounts.", discussion: "Example: wsemaild user list --json")

        @OptionGroup var options: CommonOptions

        func run() async throws {
            try await AdminSession.run(options) { try await $0.list(.userList, empty: "no accounts") }
        }
    }

    struct Quota: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Set the largest size of a mailbox.", discussion: "Example: wsemaild user quota alice@example.org 4096")

        @OptionGroup var options: CommonOptions
        @Argument(help: "The address, or the part before the @.") var address: String
        @Argument(help: "Megabytes; 0 is without limit.") var megabytes: Int

        func run() async throws {
            try await AdminSession.run(options) {
                try await $0.show(AdminRequest(.userQuota, [.address: address, .quota: String(megabytes)]))
            }
        }
    }

    struct Disable: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Close an account: no mail, no login; it keeps what it has.",
            discussion: "Example: wsemaild user disable alice@example.org")

        @OptionGroup var options: CommonOptions
        @Argument(help: "The address, or the part before the @.") var address: String

        func run() async throws {
            try await AdminSession.run(options) { try await $0.show(AdminRequest(.userDisable, [.address: address])) }
        }
    }

    struct Enable: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Open a closed account again.", discussion: "Example: wsemaild user enable alice@example.org")

        @OptionGroup var options: CommonOptions
        @Argument(help: "The address, or the part before the @.") var address: String

        func run() async throws {
            try await AdminSession.run(options) { try await $0.show(AdminRequest(.userEnable, [.address: address])) }
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Remove an account with all its mail, and revoke its certificates.",
            discussion: "Asks first, unless --yes is given: wsemaild user remove alice@example.org --yes")

        @OptionGroup var options: CommonOptions
        @Flag(help: "Do not ask.") var yes = false
        @Argument(help: "The address, or the part before the @.") var address: String

        func run() async throws {
            guard yes || Prompt.confirm("Remove \(PrintableText.clean(address)) with all its mail?") else {
                throw options.output.failure(
                    AdminError(.invalidArgument, "nothing was removed", hint: "confirm at the terminal, or add --yes"))
            }
            try await AdminSession.run(options) { try await $0.show(AdminRequest(.userRemove, [.address: address])) }
        }
    }
}
