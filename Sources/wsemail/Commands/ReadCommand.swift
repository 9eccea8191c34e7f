import ArgumentParser
import Console
import MailClient

struct ReadCommand: MailboxCommand {
    static let configuration = CommandConfiguration(
        commandName: "read", abstract: "Show a message, who signed it, and whether to believe it.",
        discussion: """
            Ends with status 2 where a signature does not verify, also of a message inside.

            A message that somebody's server passed on is shown as its author wrote it, \
            with the signature of the author's own domain, and at Via who passed it on. If \
            that signature does not verify, it is quoted below what was sent to you. Files that a plug-in of a server took out are named.

            Examples:
              wsemail read 12
              wsemail read 12 --raw > message.xml
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var account: AccountOptions

    @Argument(help: ArgumentHelp("Number or id of the message.", valueName: "message"))
    var message: MessageArgument

    @Flag(help: "Do not mark it as seen.")
    var peek = false

    @Flag(help: "Print the message's octets, as signed.")
    var raw = false

    func run(on screen: Screen) async throws {
        let reference = try NumberBook.Reference(message.text)
        try await withClient(screen) { client in
            let location = try await client.resolve(reference)
            let letter = try await Progress.run("fetching the message…", screen) {
                try await client.retrieve(location, withReceipt: true)
            }
            if raw {
                printRaw(letter, screen)
            } else if screen.isJSON {
                try screen.json(LetterJSON(letter))
            } else {
                var view = LetterView(letter: letter, style: screen.style)
                view.number = try client.number(of: location.id)
                view.replaced = try letter.original.message.message.replaces.flatMap { try client.number(of: $0) }
                await look(after: letter, client, &view)
                screen.write(view.text)
            }
            if !peek, letter.folder != "Sent", !letter.flags.contains("seen") {
                do {
                    _ = try await client.mark(
                        [MessageLocation(location.id, in: letter.folder, uid: location.uid)], add: ["seen"])
                } catch {
                    screen.warning("it could not be marked as seen: \(MailClientError(error).reason)")
                }
            }
            guard letter.isBelieved else {
                if raw { screen.warning(letter.layers.compactMap(\.doubt).first ?? "NOT VERIFIED") }
                throw CommandFailure.notVerified
            }
        }
    }

    /// What our own server knows of the files. Others' servers are not asked: reading tells nobody that it was read
    /// (`attachments list` asks them).
    private func look(after letter: ReceivedMessage, _ client: MailClient, _ view: inout LetterView) async {
        for attachment in letter.attachments where attachment.guid != nil && attachment.from.domain == client.account.address.domain {
            guard let known = try? await client.describe(attachment) else { continue }
            view.expiries[attachment.number] = known.facts.expires
            guard let newer = known.replacements.last else { continue }
            let number = try? client.number(of: newer.messageID)
            view.newer.append((attachment.reference.name, number.map { "message \($0)" } ?? newer.messageID.description))
        }
    }

    /// The very octets to a file or pipe; to a terminal without what would steer it.
    private func printRaw(_ letter: ReceivedMessage, _ screen: Screen) {
        guard !Terminal.output.isTTY else {
            let text = String(decoding: letter.message.octets, as: UTF8.self)
            return screen.line(PrintableText.clean(text, keepsLines: true))
        }
        screen.write(letter.message.octets)
    }
}
