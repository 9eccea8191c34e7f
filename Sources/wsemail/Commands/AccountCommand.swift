import ArgumentParser

/// `wsemail account …`
struct AccountCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "account", abstract: "Add, list and remove accounts, and choose the default one.",
        discussion: """
            The account that is used where none is named is the default one: the first \
            that you added, until you choose another. Any other is named with --account.

            Examples:
              wsemail account add alice@capicom.test
              wsemail account list
              wsemail account default alice@capicom.test
              wsemail list --account alice@home.test
            """,
        subcommands: [
            AccountAddCommand.self, AccountListCommand.self, AccountRemoveCommand.self, AccountDefaultCommand.self,
        ])
}
