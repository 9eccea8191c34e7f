import ArgumentParser
import Console
import Foundation
import Identity
import MailClient
import MailModel

struct AttachmentsRevokeCommand: MailboxCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke", abstract: "Take files of a message back, from all or from some.",
        discussion: "What was fetched before stays where it is. Fetches under way end.")

    @OptionGroup var common: CommonOptions
    @OptionGroup var account: AccountOptions

    @Argument(help: ArgumentHelp("Number or id of the message that you sent.", valueName: "message"))
    var message: MessageArgument

    @Argument(help: ArgumentHelp("The file, or its number; all of the message if none is named.", valueName: "name"))
    var name: String?

    @Option(name: .customLong("from"), help: ArgumentHelp("Only from this reader; repeat it for several.", valueName: "address"))
    var readers: [Address] = []

    private struct Output: Encodable {
        let guid: String
        let name: String
        /// How many could read it and cannot any more.
        let count: Int
        /// Named with --from, and no readers: nothing was changed for them.
        let notReaders: [Address]
        /// It had been taken back from everybody before.
        let wasRevoked: Bool
    }

    func run(on screen: Screen) async throws {
        let reference = try NumberBook.Reference(message.text)
        try await withClient(screen) { client in
            let location = try await client.resolve(reference)
            let chosen = try AttachmentChoice.pick(name, of: try await client.ownedAttachments(of: location))
            var output: [Output] = []
            for item in chosen.map(\.listed) {
                let done = try await revoke(item, client)
                output.append(done)
                if !screen.isJSON { tell(done, screen) }
            }
            if screen.isJSON { try screen.json(output) }
            guard output.allSatisfy(\.notReaders.isEmpty) else { throw ExitCode.failure }
        }
    }

    private func revoke(_ item: AttachmentAnswer.Listed, _ client: MailClient) async throws -> Output {
        guard !item.isRevoked else { return Output(guid: item.guid, name: item.name, count: 0, notReaders: [], wasRevoked: true) }
        guard !readers.isEmpty else {
            let count = try await client.revoke(item.guid)
            return Output(guid: item.guid, name: item.name, count: count, notReaders: [], wasRevoked: false)
        }
        var count = 0
        var strangers: [Address] = []
        // One by one: the answer is a number only, and a mistyped address must not pass for a reader.
        for reader in readers {
            let taken = try await client.revoke(item.guid, from: [reader])
            count += taken
            if taken == 0 { strangers.append(reader) }
        }
        return Output(guid: item.guid, name: item.name, count: count, notReaders: strangers, wasRevoked: false)
    }

    private func tell(_ done: Output, _ screen: Screen) {
        let name = PrintableText.clean(done.name)
        if done.wasRevoked { return screen.line("\(name) was taken back from everybody before.") }
        if done.count > 0 || done.notReaders.isEmpty {
            screen.line("\(name): \(done.count == 1 ? "1 reader" : "\(done.count) readers") cannot fetch it any more.")
        }
        for stranger in done.notReaders {
            screen.failure(MailClientError(.invalidInput, "\(stranger.unicode) is no reader of \(name): nothing changed"))
        }
    }
}

struct AttachmentsReplaceCommand: MailboxCommand {
    static let configuration = CommandConfiguration(
        commandName: "replace", abstract: "Send a new version of a file to the recipients of a message.",
        discussion: """
            A new message goes to the same recipients and says that it takes the place of the \
            other. The old version stays: `wsemail attachments revoke` takes it back.
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var account: AccountOptions

    @Argument(help: ArgumentHelp("Number or id of the message that you sent.", valueName: "message"))
    var message: MessageArgument

    @Argument(help: ArgumentHelp("The file in that message, or its number.", valueName: "name"))
    var name: String

    @Argument(help: ArgumentHelp("The new version.", valueName: "file"))
    var file: String

    @OptionGroup(title: "Files") var terms: TermsOptions

    func run(on screen: Screen) async throws {
        let reference = try NumberBook.Reference(message.text)
        try await withClient(screen, isUpload: true) { client in
            let location = try await client.resolve(reference)
            let copy = try await client.retrieve(location, withReceipt: true)
            let draft = try client.replacement(for: copy, name: name, by: file, terms: terms.terms(now: Date()))
            let sent = try await Sending.run(draft, client, screen)
            try SendOutput.show(sent, screen, kept: await SentFiles.of(sent, client))
        }
    }
}

struct AttachmentsLogCommand: MailboxCommand {
    static let configuration = CommandConfiguration(
        commandName: "log", abstract: "Show who fetched files of a message that you sent, and what else happened to them.")

    @OptionGroup var common: CommonOptions
    @OptionGroup var account: AccountOptions

    @Argument(help: ArgumentHelp("Number or id of the message that you sent.", valueName: "message"))
    var message: MessageArgument

    @Argument(help: ArgumentHelp("The file, or its number; all of the message if none is named.", valueName: "name"))
    var name: String?

    private struct Output: Encodable {
        struct Event: Encodable {
            let time: Date
            let kind: String
            let who: Address?
            let by: Address?
        }

        let guid: String
        let name: String
        let events: [Event]
    }

    func run(on screen: Screen) async throws {
        let reference = try NumberBook.Reference(message.text)
        try await withClient(screen) { client in
            let location = try await client.resolve(reference)
            let chosen = try AttachmentChoice.pick(name, of: try await client.ownedAttachments(of: location))
            var output: [Output] = []
            for item in chosen.map(\.listed) {
                let events = try await client.log(of: item.guid)
                output.append(
                    Output(
                        guid: item.guid, name: item.name,
                        events: events.map { .init(time: $0.time, kind: $0.kind.rawValue, who: $0.who, by: $0.by) }))
                guard !screen.isJSON else { continue }
                screen.line(screen.style(PrintableText.clean(item.name), .bold) + "  \(AttachmentText.state(item, now: Date()))")
                for event in events { screen.line("  \(MailText.date(event.time))  \(AttachmentText.event(event))") }
                if events.isEmpty { screen.line("  nothing yet") }
            }
            if screen.isJSON { try screen.json(output) }
        }
    }
}

struct AttachmentsShareCommand: MailboxCommand {
    static let configuration = CommandConfiguration(
        commandName: "share", abstract: "Ask that others may fetch a file that you received, or let them fetch one that you sent.",
        discussion: "The sender has said whether that is allowed, forbidden, or theirs to decide each time.")

    @OptionGroup var common: CommonOptions
    @OptionGroup var account: AccountOptions

    @Argument(help: ArgumentHelp("Number or id of the message.", valueName: "message"))
    var message: MessageArgument

    @Argument(help: ArgumentHelp("The file, or its number in the message.", valueName: "name"))
    var name: String

    @Argument(help: ArgumentHelp("Who shall be able to fetch it.", valueName: "address"))
    var readers: [Address]

    func run(on screen: Screen) async throws {
        let reference = try NumberBook.Reference(message.text)
        try await withClient(screen) { client in
            let location = try await client.resolve(reference)
            let letter = try await client.retrieve(location)
            let all = try await client.attachments(of: letter)
            guard let attachment = try AttachmentChoice.pick([name], of: all).first else { return }
            try Sharing.check(readers, attachment, client.account.address)
            let outcome = await Sharing.share(attachment, with: readers, client)
            if let error = outcome.error { throw error.about(attachment.reference.name) }
            if screen.isJSON { try screen.json(outcome) } else { screen.line(outcome.words) }
            if outcome.isForbidden { throw ExitCode.failure }
        }
    }
}

/// What became of a wish to share.
struct Sharing: Encodable {
    let name: String
    /// Nil: it could not be asked.
    let state: String?
    let request: String?
    let problem: String?
    let words: String
    let error: MailClientError?

    private enum CodingKeys: CodingKey { case name, state, request, problem }

    var isForbidden: Bool { state == AttachmentAnswer.Share.State.forbidden.rawValue }
    /// The readers can fetch it, or its sender will decide.
    var isUnderWay: Bool { error == nil && !isForbidden }

    init(_ attachment: ReceivedAttachment, with readers: [Address], _ result: Result<AttachmentAnswer.Share, MailClientError>) {
        let them = readers.count <= 3 ? readers.map(\.unicode).joined(separator: ", ") : "these \(readers.count) people"
        let shown = PrintableText.clean(attachment.reference.name)
        let owner = attachment.from.unicode
        name = attachment.reference.name
        switch result {
        case .success(let answer):
            (state, request, error) = (answer.state.rawValue, answer.request, nil)
            switch answer.state {
            case .granted: words = "\(shown) can be fetched by \(them) now."
            case .asked: words = "\(owner) was asked; until they agree nobody else can fetch \(shown)."
            case .forbidden: words = "\(owner) does not allow \(shown) to be passed on."
            }
            problem = answer.state == .forbidden ? words : nil
        case .failure(let failure):
            (state, request, error) = (nil, nil, failure)
            problem = failure.reason
            words = "\(shown) cannot be fetched by \(them): \(PrintableText.clean(failure.reason))."
        }
    }

    /// - Throws: `invalidInput` where somebody is named for whom nothing would change.
    static func check(_ readers: [Address], _ attachment: ReceivedAttachment, _ reader: Address) throws(MailClientError) {
        guard let idle = readers.first(where: { $0 == reader || $0 == attachment.from }) else { return }
        throw MailClientError(
            .invalidInput, "\(idle == reader ? "you" : idle.unicode) can fetch \(attachment.reference.name) already: name others")
    }

    static func share(_ attachment: ReceivedAttachment, with readers: [Address], _ client: MailClient) async -> Sharing {
        do throws(MailClientError) {
            let answer = try await client.share(attachment, with: readers)
            return Sharing(attachment, with: readers, .success(answer))
        } catch {
            return Sharing(attachment, with: readers, .failure(error))
        }
    }
}

struct AttachmentsAllowCommand: MailboxCommand {
    static let configuration = CommandConfiguration(
        commandName: "allow", abstract: "Allow that a file of yours is passed on, where somebody asked.",
        discussion: "The message that asked you names both.")

    @OptionGroup var common: CommonOptions
    @OptionGroup var account: AccountOptions

    @Argument(help: ArgumentHelp("The attachment.", valueName: "guid")) var guid: String
    @Argument(help: ArgumentHelp("What was asked.", valueName: "request")) var request: String

    func run(on screen: Screen) async throws {
        try await Answering.run(self, guid, request, grant: true, screen)
    }
}

struct AttachmentsDenyCommand: MailboxCommand {
    static let configuration = CommandConfiguration(
        commandName: "deny", abstract: "Say no to a wish to pass a file of yours on.",
        discussion: "The message that asked you names both.")

    @OptionGroup var common: CommonOptions
    @OptionGroup var account: AccountOptions

    @Argument(help: ArgumentHelp("The attachment.", valueName: "guid")) var guid: String
    @Argument(help: ArgumentHelp("What was asked.", valueName: "request")) var request: String

    func run(on screen: Screen) async throws {
        try await Answering.run(self, guid, request, grant: false, screen)
    }
}

enum Answering {
    private struct Output: Encodable {
        let guid: String
        let request: String
        let granted: Bool
    }

    static func run(
        _ command: some MailboxCommand, _ guid: String, _ request: String, grant: Bool, _ screen: Screen
    ) async throws {
        try await command.withClient(screen) { client in
            try await client.answer(guid, request: request, grant: grant)
            if screen.isJSON { return try screen.json(Output(guid: guid, request: request, granted: grant)) }
            screen.line(grant ? "Allowed." : "Denied.")
        }
    }
}
