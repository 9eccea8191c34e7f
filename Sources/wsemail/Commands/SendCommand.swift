import ArgumentParser
import Identity
import MailClient
import MailModel

struct SendCommand: MailboxCommand {
    static let configuration = CommandConfiguration(
        commandName: "send", abstract: "Send a message.",
        discussion: """
            The text comes from --body, from --file, or from standard input. An empty \
            text is refused unless --body "" says so.

            The message is kept until your server's signed receipt was verified; if that \
            fails, the next command sends it again. Whoever is named twice gets one \
            copy: To goes before Cc, Cc before Bcc.

            Examples:
              wsemail send bob@scopio.test --subject "Lunch?" --body "At one, as always."
              wsemail send bob@scopio.test -s Report --file report.txt
              date | wsemail send bob@scopio.test --subject "The time"
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var account: AccountOptions

    @Argument(help: "Recipients: bob@scopio.test or \"Bob <bob@scopio.test>\".")
    var to: [MailboxArgument] = []

    @Option(name: .long, help: ArgumentHelp("Copies; repeat it or separate with commas.", valueName: "address"))
    var cc: [MailboxArgument] = []

    @Option(name: .long, help: ArgumentHelp("Copies that no other recipient sees.", valueName: "address"))
    var bcc: [MailboxArgument] = []

    @Option(name: .shortAndLong, help: "The subject.")
    var subject = ""

    @Option(name: .shortAndLong, help: ArgumentHelp("The text.", valueName: "text"))
    var body: String?

    @Option(name: .shortAndLong, help: ArgumentHelp("A file with the text, or - for standard input.", valueName: "file"))
    var file: String?

    @Option(name: .customLong("reply-to"), help: ArgumentHelp("The message that this one answers.", valueName: "number or id"))
    var replyTo: MessageArgument?

    @Flag(help: "Add your own signature with your enrolled key to that of your domain.")
    var sign = false

    func validate() throws {
        if body != nil, file != nil { throw ValidationError("Give --body or --file, not both.") }
        if to.isEmpty, cc.isEmpty, bcc.isEmpty { throw ValidationError("Name at least one recipient.") }
    }

    func run(on screen: Screen) async throws {
        let reference = try replyTo.map { try NumberBook.Reference($0.text) }
        let text = try TextInput.read(body: body, file: file, screen)
        try await withClient(screen) { client in
            var answered: MessageLocation?
            if let reference { answered = try await client.resolve(reference) }
            let draft = Draft(
                to: to.flatMap(\.mailboxes), cc: cc.flatMap(\.mailboxes),
                bcc: bcc.flatMap { $0.mailboxes.map(\.address) }, subject: subject, text: text, inReplyTo: answered?.id,
                isSigned: sign)
            let sent = try await Progress.run("sending…", screen) { try await client.send(draft) }
            if let answered { _ = try? await client.mark([answered], add: ["answered"]) }
            try SendOutput.show(sent, screen)
        }
    }
}

/// Shows that something is going on while it takes time.
enum Progress {
    static func run<T>(_ text: String, _ screen: Screen, _ body: () async throws -> T) async throws -> T {
        let line = screen.progress()
        line.update(text)
        defer { line.finish() }
        return try await body()
    }
}
