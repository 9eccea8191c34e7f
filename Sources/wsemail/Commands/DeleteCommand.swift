import ArgumentParser
import Identity
import MailClient

struct DeleteCommand: MailboxCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete", abstract: "Remove messages from the mailbox for good.",
        discussion: """
            Example:
              wsemail delete 12 13
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var account: AccountOptions

    @Argument(help: ArgumentHelp("Numbers or ids of messages.", valueName: "message"))
    var messages: [MessageArgument]

    private struct Output: Encodable { let deleted: Int }

    func run(on screen: Screen) async throws {
        let references = try messages.map { try NumberBook.Reference($0.text) }
        try await withClient(screen) { client in
            let ids = try await client.resolve(references)
            let count = try await client.delete(ids)
            if screen.isJSON { return try screen.json(Output(deleted: count)) }
            screen.line(count == 1 ? "Deleted 1 message." : "Deleted \(count) messages.")
            if count < ids.count { screen.note("The others were not there (any more).") }
        }
    }
}

extension MailClient {
    /// Several references; each id once.
    func resolve(_ references: [NumberBook.Reference]) async throws -> [MessageID] {
        var ids: [MessageID] = []
        for reference in references {
            let id = try await resolve(reference)
            if !ids.contains(id) { ids.append(id) }
        }
        return ids
    }
}
