import ArgumentParser
import Console
import Identity
import MailClient

struct AccountRemoveCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "Forget an account on this machine: its key, session and outbox. Mail stays at the server.",
        discussion: """
            Example:
              wsemail account remove alice@capicom.test
            """)

    @OptionGroup var common: CommonOptions

    @Argument(help: "The account's address.")
    var address: Address

    @Flag(name: .shortAndLong, help: "Do not ask.")
    var yes = false

    private struct Output: Encodable { let removed: Address }

    func run(on screen: Screen) async throws {
        try await withRuntime { runtime in
            if runtime.folder.hasAccount(address) {
                let waiting = try runtime.folder.waitingMessages(address)
                if waiting > 0 { screen.warning("\(waiting) message(s) in its outbox were not acknowledged and would be lost.") }
            }
            guard yes || Prompt.confirm("Remove \(address) and its key from this machine?", preset: false) else {
                throw MailClientError(.invalidInput, "nothing was removed", advice: "Without a terminal, add --yes.")
            }
            try runtime.folder.remove(address)
            if screen.isJSON { return try screen.json(Output(removed: address)) }
            screen.line("Removed \(address).")
        }
    }
}
