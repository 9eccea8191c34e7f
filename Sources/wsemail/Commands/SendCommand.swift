import ArgumentParser
import Console
import Foundation
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

            Files (--attach) stay on your server; recipients fetch them when they want, and \
            you may say how long and how often, and whether they may be passed on. Large \
            ones are uploaded first: after an interruption the same command goes on \
            where it was.

            Examples:
              wsemail send bob@scopio.test --subject "Lunch?" --body "At one, as always."
              wsemail send bob@scopio.test -s Report --file report.txt
              wsemail send bob@scopio.test -s Film --body "" --attach a.mp4 --expires 7d
              wsemail send bob@scopio.test -s Now --body "By hand." --direct
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

    @Flag(help: "Hand it in at the recipients' server instead of yours, with a token; for people of one other domain.")
    var direct = false

    @Option(name: .long, help: ArgumentHelp("A file to go with it; repeat it for several.", valueName: "file"))
    var attach: [String] = []

    @OptionGroup(title: "Files") var terms: TermsOptions

    func validate() throws {
        if attach.isEmpty, !terms.isEmpty { throw ValidationError("--expires, --max-fetches and --on-forward are about files: --attach.") }
        if direct, !attach.isEmpty || !bcc.isEmpty {
            throw ValidationError("Files and blind copies go through your own server: leave --direct out.")
        }
        if attach.contains(where: { $0.isEmpty || $0 == "-" }) {
            throw ValidationError("--attach takes the path of a file: standard input has no name.")
        }
        if body != nil, file != nil { throw ValidationError("Give --body or --file, not both.") }
        if to.isEmpty, cc.isEmpty, bcc.isEmpty { throw ValidationError("Name at least one recipient.") }
    }

    func run(on screen: Screen) async throws {
        let reference = try replyTo.map { try NumberBook.Reference($0.text) }
        let text = try TextInput.read(body: body, file: file, screen)
        try await withClient(screen, isUpload: !attach.isEmpty) { client in
            var answered: MessageLocation?
            if let reference { answered = try await client.resolve(reference) }
            var draft = Draft(
                to: to.flatMap(\.mailboxes), cc: cc.flatMap(\.mailboxes),
                bcc: bcc.flatMap { $0.mailboxes.map(\.address) }, subject: subject, text: text, inReplyTo: answered?.id,
                isSigned: sign)
            draft.files = attach.map { DraftFile($0) }
            draft.terms = terms.terms(now: Date())
            let sent: SentMessage
            if direct {
                sent = try await Progress.run("sending…", screen) { [draft] in try await client.sendDirectly(draft) }
            } else {
                sent = try await Sending.run(draft, client, screen)
            }
            if let answered, sent.keptIn == nil { _ = try? await client.mark([answered], add: ["answered"]) }
            let kept = direct ? nil : await SentFiles.of(sent, client)
            try SendOutput.show(sent, screen, isDirect: direct, kept: kept)
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

/// Sends a draft, with its files, so that the person sees what will be and what is going on.
enum Sending {
    static func run(_ draft: Draft, _ client: MailClient, _ screen: Screen) async throws -> SentMessage {
        guard !draft.files.isEmpty else {
            return try await Progress.run("sending…", screen) { try await client.send(draft) }
        }
        try show(draft, screen)
        let view = TransferView(screen)
        defer { view.finish() }
        return try await Interruptible.run(
            screen,
            "What was uploaded is kept: the same command, or `wsemail outbox retry`, goes on where it was; `wsemail outbox drop` gives it up."
        ) {
            try await client.send(draft, progress: view.progress)
        }
    }

    /// The files and their terms, before anything is sent.
    private static func show(_ draft: Draft, _ screen: Screen) throws {
        guard !screen.isJSON else { return }
        var table = TextTable([.init("File", canShrink: true), .init("Type", canShrink: true), .init("Size", .right)])
        for file in draft.files {
            let facts = try file.facts()
            table.append([facts.name, facts.mediaType, AttachmentText.size(facts.size)])
        }
        screen.table(table)
        screen.line("Can be fetched \(AttachmentText.terms(draft.terms)).")
    }
}
