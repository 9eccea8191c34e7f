import ArgumentParser
import Identity
import MailClient

struct MarkCommand: MailboxCommand {
    static let configuration = CommandConfiguration(
        commandName: "mark", abstract: "Mark messages as seen, answered or flagged, or take the mark away.",
        discussion: """
            Example:
              wsemail mark 12 13 --seen --flag
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var account: AccountOptions

    @Argument(help: ArgumentHelp("Numbers or ids of messages.", valueName: "message"))
    var messages: [MessageArgument]

    @Flag(help: "Mark as seen.") var seen = false
    @Flag(help: "Mark as not seen.") var unseen = false
    @Flag(help: "Flag.") var flag = false
    @Flag(help: "Take the flag away.") var unflag = false
    @Flag(help: "Mark as answered.") var answered = false
    @Flag(help: "Mark as not answered.") var unanswered = false

    private var add: Set<String> { names([("seen", seen), ("flagged", flag), ("answered", answered)]) }
    private var remove: Set<String> { names([("seen", unseen), ("flagged", unflag), ("answered", unanswered)]) }

    private func names(_ choices: [(String, Bool)]) -> Set<String> {
        Set(choices.filter(\.1).map(\.0))
    }

    func validate() throws {
        guard !add.isEmpty || !remove.isEmpty else { throw ValidationError("Say which mark: --seen, --flag, …") }
        guard add.isDisjoint(with: remove) else { throw ValidationError("A mark cannot be set and taken away at once.") }
    }

    private struct Output: Encodable { let marked: Int }

    func run(on screen: Screen) async throws {
        let references = try messages.map { try NumberBook.Reference($0.text) }
        try await withClient(screen) { client in
            let locations = try await client.resolve(references)
            let count = try await client.mark(locations, add: add, remove: remove)
            if screen.isJSON { return try screen.json(Output(marked: count)) }
            screen.line(count == 1 ? "Marked 1 message." : "Marked \(count) messages.")
            if count < locations.count { screen.note("The others were not there (any more).") }
        }
    }
}
