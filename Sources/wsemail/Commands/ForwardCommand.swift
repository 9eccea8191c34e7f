import ArgumentParser
import Console
import Foundation
import Identity
import MailClient
import MailModel

struct ForwardCommand: MailboxCommand {
    static let configuration = CommandConfiguration(
        commandName: "forward", abstract: "Pass a message on, with the proof of who wrote it.",
        discussion: """
            The original goes along whole, with the signature of its domain, so that your \
            recipients can check it themselves. Its files stay where they are: --share asks \
            that your recipients may fetch them too. The message goes whatever the answer is: \
            the exit status is that of the message, and what became of each file is told.

            Examples:
              wsemail forward 12 --to carol@scopio.test
              wsemail forward 12 --to carol@scopio.test --body "For you." --share
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var account: AccountOptions

    @Argument(help: ArgumentHelp("Number or id of the message.", valueName: "message"))
    var message: MessageArgument

    @Option(name: .long, help: ArgumentHelp("Recipients; repeat it or separate with commas.", valueName: "address"))
    var to: [MailboxArgument]

    @Option(name: .shortAndLong, help: ArgumentHelp("A text of your own above it.", valueName: "text"))
    var body = ""

    @Flag(help: "Ask that the recipients may fetch the files.")
    var share = false

    @Flag(help: "Add your own signature with your enrolled key to that of your domain.")
    var sign = false

    func run(on screen: Screen) async throws {
        let reference = try NumberBook.Reference(message.text)
        try await withClient(screen) { client in
            let location = try await client.resolve(reference)
            let letter = try await client.retrieve(location)
            var draft = try client.forwarding(letter, to: to.flatMap(\.mailboxes), text: body)
            draft.isSigned = sign
            let sent = try await Progress.run("sending…", screen) { try await client.send(draft) }
            let files = letter.attachments.filter { $0.guid != nil }
            guard share else {
                try SendOutput.show(sent, screen)
                if let words = Self.hint(files, location, draft.to.map(\.address)) { screen.note(words) }
                return
            }
            var shares: [Sharing] = []
            for attachment in files {
                let outcome = await Sharing.share(attachment, with: draft.to.map(\.address), client)
                shares.append(outcome)
            }
            try SendOutput.show(sent, screen, shares: shares)
            guard !screen.isJSON else { return }
            for share in shares {
                if share.isUnderWay { screen.line(share.words) } else { screen.warning("the message went, but \(share.words)") }
            }
        }
    }

    /// What is to be done that the files can be fetched, too.
    static func hint(_ files: [ReceivedAttachment], _ location: MessageLocation, _ readers: [Address]) -> String? {
        guard let first = files.first else { return nil }
        let message = location.uid.map(String.init) ?? location.id.description
        let file = files.count == 1 ? String(first.number) : "FILE"
        let owners = Set(files.map(\.from.unicode)).sorted().joined(separator: " and ")
        return "\(files.count == 1 ? "Its file stays" : "Its \(files.count) files stay") with \(owners). That your recipients may fetch "
            + "\(files.count == 1 ? "it" : "them"), ask by: wsemail attachments share \(message) \(file) "
            + readers.map(\.description).joined(separator: " ")
    }
}
