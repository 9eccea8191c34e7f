import ArgumentParser
import Console
import Identity
import MailClient

struct AccountRemoveCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "Forget an account on this machine: its key, session and outbox.",
        discussion: """
            Mail stays at the server. Texts that exist on this machine only - messages \
            not sent yet, or refused and set aside - are deleted: without a terminal \
            that takes --discard-texts besides --yes.

            Example:
              wsemail account remove alice@capicom.test
            """)

    @OptionGroup var common: CommonOptions

    @Argument(help: "The account's address.")
    var address: Address

    @Flag(name: .shortAndLong, help: "Do not ask.")
    var yes = false

    @Flag(help: "Delete messages too that were never sent.")
    var discardTexts = false

    private struct Output: Encodable {
        let removed: Address
        let discardedTexts: Int
    }

    func run(on screen: Screen) async throws {
        try await withRuntime { runtime in
            let (waiting, aside) = try runtime.folder.unsentMessages(address)
            try confirm(waiting: waiting, aside: aside, screen)
            try runtime.folder.remove(address)
            if screen.isJSON { return try screen.json(Output(removed: address, discardedTexts: waiting + aside)) }
            screen.line("Removed \(address).")
            if waiting + aside > 0 { screen.line("Deleted with it: \(Self.words(waiting: waiting, aside: aside)).") }
        }
    }

    private func confirm(waiting: Int, aside: Int, _ screen: Screen) throws {
        let nothing = "nothing was removed"
        guard waiting + aside > 0 else {
            guard yes || Prompt.confirm("Remove \(address) and its key from this machine?", preset: false) else {
                throw MailClientError(.invalidInput, nothing, advice: "Without a terminal, add --yes.")
            }
            return
        }
        let texts = Self.words(waiting: waiting, aside: aside)
        if yes {
            guard discardTexts else {
                throw MailClientError(
                    .invalidInput, "\(texts) would be deleted; \(nothing)", advice: "If that is meant, add --discard-texts.")
            }
            return
        }
        guard Prompt.confirm("Remove \(address), its key, and \(texts) for good?", preset: false) else {
            throw MailClientError(
                .invalidInput, "\(texts) would be deleted; \(nothing)",
                advice: "Without a terminal, add --yes and --discard-texts.")
        }
    }

    /// "1 message not sent yet and 2 texts set aside"
    static func words(waiting: Int, aside: Int) -> String {
        var parts: [String] = []
        if waiting > 0 { parts.append("\(waiting) message\(waiting == 1 ? "" : "s") not sent yet") }
        if aside > 0 { parts.append("\(aside) text\(aside == 1 ? "" : "s") set aside") }
        return parts.joined(separator: " and ")
    }
}
