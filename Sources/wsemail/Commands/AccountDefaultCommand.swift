import ArgumentParser
import Identity
import MailClient

struct AccountDefaultCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "default", abstract: "Choose the account that is used where none is named.",
        discussion: """
            Example:
              wsemail account default alice@capicom.test
            """)

    @OptionGroup var common: CommonOptions

    @Argument(help: "The account's address.")
    var address: Address

    private struct Output: Encodable { let defaultAccount: Address }

    func run(on screen: Screen) async throws {
        try await withRuntime { runtime in
            _ = try runtime.folder.account(address)
            try runtime.folder.setDefault(address)
            if screen.isJSON { return try screen.json(Output(defaultAccount: address)) }
            screen.line("The default account is \(address).")
        }
    }
}
