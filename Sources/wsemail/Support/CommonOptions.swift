import ArgumentParser
import Identity

/// What every command takes.
struct CommonOptions: ParsableArguments {
    @Option(
        name: .customLong("config-dir"),
        help: ArgumentHelp("Folder of accounts and keys (default: $WSEMAIL_HOME, else ~/.config/wsemail).", valueName: "folder"))
    var configFolder: String?

    @Flag(name: .customLong("json"), help: "Print JSON, for scripts.")
    var isJSON = false

    @Flag(name: .customLong("quiet"), help: "Show no progress.")
    var isQuiet = false
}

/// For commands that work with a mailbox.
struct AccountOptions: ParsableArguments {
    @Option(
        name: [.customLong("account"), .customShort("a")],
        help: ArgumentHelp("The account to use, where it is not the default one.", valueName: "address"))
    var address: Address?
}

/// Passwords never stand on a command line: other users can read those.
struct PasswordOptions: ParsableArguments {
    @Option(
        name: .customLong("password-file"),
        help: ArgumentHelp(
            "Read the password from the first line of a file, or of standard input (-), instead of asking.",
            valueName: "file"))
    var file: String?
}

extension Address: ExpressibleByArgument {
    public init?(argument: String) {
        guard let address = try? Address(argument) else { return nil }
        self = address
    }
}
