import ArgumentParser
import Identity
import MailClient

struct DeleteCommand: MailboxCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete", abstract: "Remove messages from the mailbox for good.",
        discussion: """
            A number means the very message that the list showed, an id all copies: a \
            message to yourself is in Inbox and in Sent.

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
            let locations = try await client.resolve(references)
            let count = try await client.delete(locations)
            if screen.isJSON { return try screen.json(Output(deleted: count)) }
            screen.line(count == 1 ? "Deleted 1 message." : "Deleted \(count) messages.")
            if count < locations.count { screen.note("The others were not there (any more).") }
        }
    }
}

extension MailClient {
    /// Several references; each message once.
    func resolve(_ references: [NumberBook.Reference]) async throws -> [MessageLocation] {
        var locations: [MessageLocation] = []
        for reference in references {
            let location = try await resolve(reference)
            if !locations.contains(location) { locations.append(location) }
        }
        return locations
    }
}
