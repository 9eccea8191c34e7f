import ArgumentParser
import Identity
import MailClient
import MailModel

struct ReplyCommand: MailboxCommand {
    static let configuration = CommandConfiguration(
        commandName: "reply", abstract: "Answer a message.",
        discussion: """
            Goes to its author, or with --all to everybody named in it. The text comes \
            from --body, from --file, or from standard input.

            A message that was passed on is answered to its original author, not to the \
            address that passed it on; but only where the author's signature verifies.

            Example:
              wsemail reply 12 --body "Thank you."
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var account: AccountOptions

    @Argument(help: ArgumentHelp("Number or id of the message.", valueName: "message"))
    var message: MessageArgument

    @Flag(help: "Answer everybody who is named in the message.")
    var all = false

    @Option(name: .shortAndLong, help: ArgumentHelp("The text.", valueName: "text"))
    var body: String?

    @Option(name: .shortAndLong, help: ArgumentHelp("A file with the text, or - for standard input.", valueName: "file"))
    var file: String?

    @Flag(help: "Add your own signature with your enrolled key to that of your domain.")
    var sign = false

    func validate() throws {
        if body != nil, file != nil { throw ValidationError("Give --body or --file, not both.") }
    }

    func run(on screen: Screen) async throws {
        let reference = try NumberBook.Reference(message.text)
        let text = try TextInput.read(body: body, file: file, screen)
        try await withClient(screen) { client in
            let location = try await client.resolve(reference)
            let answered = try await client.retrieve(location)
            let original = answered.original
            if let doubt = original.doubt {
                screen.warning("the message that you answer is \(doubt)")
            } else if let doubt = answered.doubtfulEnclosures.compactMap(\.doubt).first {
                screen.warning(
                    "the message inside is \(doubt). You answer \(original.message.message.from.address.unicode), who passed it on")
            }
            var draft = Draft.reply(to: answered, by: client.account.address, text: text, toAll: all)
            draft.isSigned = sign
            let sent = try await Progress.run("sending…", screen) { try await client.send(draft) }
            _ = try? await client.mark([location], add: ["answered"])
            try SendOutput.show(sent, screen)
        }
    }
}
