import ArgumentParser
import Console
import Foundation
import Identity
import MailClient
import MailModel

struct AttachmentsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "attachments", abstract: "Fetch files of messages, and see after those you sent.",
        discussion: """
            Files stay on their sender's server until they are fetched. What is fetched \
            counts only if its digest is the one in the signed message.

            Examples:
              wsemail attachments get 12
              wsemail attachments get 12 film.mp4 --to ~/Films
              wsemail attachments log 14
              wsemail attachments revoke 14 --from mallory@example.test
            """,
        subcommands: [
            AttachmentsListCommand.self, AttachmentsGetCommand.self, AttachmentsRevokeCommand.self, AttachmentsReplaceCommand.self,
            AttachmentsLogCommand.self, AttachmentsShareCommand.self, AttachmentsAllowCommand.self, AttachmentsDenyCommand.self,
        ])
}

/// Picking attachments by what a person typed.
enum AttachmentChoice {
    /// - Throws: `invalidInput` for what is neither a name nor a number of the message.
    static func pick(_ wanted: [String], of all: [ReceivedAttachment]) throws -> [ReceivedAttachment] {
        guard !all.isEmpty else { throw MailClientError(.invalidInput, "the message has no files") }
        guard !wanted.isEmpty else { return all }
        return try wanted.map { text in
            if let found = all.first(where: { $0.reference.name == text }) { return found }
            if let number = Int(text), let found = all.first(where: { $0.number == number }) { return found }
            throw unknown(text)
        }
    }

    /// Attachments of ours, by name or number; all where none is named.
    static func pick(_ name: String?, of all: [OwnedAttachment]) throws -> [OwnedAttachment] {
        guard !all.isEmpty else {
            throw MailClientError(
                .invalidInput, "your server keeps no files for that message", advice: "`wsemail attachments list` shows what there is.")
        }
        guard let name else { return all }
        let named = all.filter { $0.listed.name == name }
        guard named.isEmpty else { return named }
        let numbered = Int(name).map { number in all.filter { $0.numbers.contains(number) } } ?? []
        guard !numbered.isEmpty else { throw unknown(name) }
        return numbered
    }

    private static func unknown(_ text: String) -> MailClientError {
        MailClientError(
            .invalidInput, "the message has no file \(text)", advice: "`wsemail read` shows its files with their numbers.")
    }
}

struct AttachmentsListCommand: MailboxCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Show the files of a message, or all that you sent.",
        discussion: """
            For a message that you received this asks the sender's server what it knows of \
            each file: until when, how often, and whether there is a newer version.
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var account: AccountOptions

    @Argument(help: ArgumentHelp("Number or id of the message.", valueName: "message"))
    var message: MessageArgument?

    func run(on screen: Screen) async throws {
        let reference = try message.map { try NumberBook.Reference($0.text) }
        try await withClient(screen) { client in
            guard let reference else {
                let kept = try await client.sentAttachments()
                let numbers = try? await client.numbers(of: Set(kept.map(\.messageID)))
                return try show(kept.map { OwnedAttachment(listed: $0, numbers: []) }, numbers ?? [:], screen)
            }
            let location = try await client.resolve(reference)
            let letter = try await Progress.run("asking…", screen) { try await client.retrieve(location) }
            let isOwn = letter.message.message.from.address == client.account.address && letter.folder == "Sent"
            // A message that we only passed on has no files of ours.
            if isOwn, !letter.message.message.attachments.isEmpty || letter.attachments.isEmpty {
                let owned = try await client.ownedAttachments(of: location)
                return try show(owned, try client.number(of: location.id).map { [location.id: $0] } ?? [:], screen)
            }
            try await show(letter, client, screen)
            guard letter.original.isBelieved else { throw CommandFailure.notVerified }
        }
    }

    // MARK: Sent

    private struct Sent: Encodable {
        let guid: String
        let messageID: MessageID
        /// The message's in the list, where it is known.
        let message: UInt64?
        /// The file's in its message, where that was asked for.
        let number: Int?
        let name: String
        let mediaType: String
        let size: UInt64
        let sha256: String
        let created: Date
        let expires: Date?
        let fetches: UInt64
        let maxFetches: UInt64?
        let onForward: String
        let isRevoked: Bool
    }

    private func show(_ list: [OwnedAttachment], _ numbers: [MessageID: UInt64], _ screen: Screen) throws {
        if screen.isJSON {
            return try screen.json(
                list.map { owned in
                    let item = owned.listed
                    return Sent(
                        guid: item.guid, messageID: item.messageID, message: numbers[item.messageID], number: owned.numbers.first,
                        name: item.name, mediaType: item.mediaType, size: item.size, sha256: MailText.hex(item.digest),
                        created: item.created, expires: item.expires, fetches: item.fetches, maxFetches: item.maxFetches,
                        onForward: item.onForward.rawValue, isRevoked: item.isRevoked)
                })
        }
        guard !list.isEmpty else { return screen.line("Your server keeps no files of yours\(message == nil ? "" : " for that message").") }
        let isNumbered = list.contains { !$0.numbers.isEmpty }
        var table = TextTable(
            (isNumbered ? [.init("No", .right)] : []) + [
                .init("File", canShrink: true), .init("Size", .right), .init("Sent"), .init("State"), .init("Fetched", .right),
                .init("Message", canShrink: true),
            ])
        for owned in list {
            let item = owned.listed
            table.append(
                (isNumbered ? [owned.numbers.map(String.init).joined(separator: ",")] : []) + [
                    item.name, AttachmentText.size(item.size), MailText.date(item.created), AttachmentText.state(item, now: Date()),
                    AttachmentText.fetches(item), numbers[item.messageID].map(String.init) ?? item.messageID.description,
                ])
        }
        screen.table(table)
    }

    // MARK: Received

    private struct Received: Encodable {
        let attachment: AttachmentJSON
        let expires: Date?
        let remaining: UInt64?
        let onForward: String?
        let newerVersions: [MessageID]
        /// Why nothing more is known.
        let problem: String?
    }

    private func show(_ letter: ReceivedMessage, _ client: MailClient, _ screen: Screen) async throws {
        var lines: [(ReceivedAttachment, AttachmentAnswer.Describe?, String?)] = []
        var unreached: MailClientError?
        for attachment in letter.attachments {
            do throws(MailClientError) {
                lines.append((attachment, try await client.describe(attachment), nil))
            } catch {
                lines.append((attachment, nil, error.reason))
                if error.code == .unreachable { unreached = error }
            }
        }
        try show(lines, client, screen)
        if let unreached { throw CommandFailure.exitCode(unreached) }
    }

    private func show(
        _ lines: [(ReceivedAttachment, AttachmentAnswer.Describe?, String?)], _ client: MailClient, _ screen: Screen
    ) throws {
        if screen.isJSON {
            return try screen.json(
                lines.map { attachment, known, problem in
                    Received(
                        attachment: AttachmentJSON(attachment), expires: known?.facts.expires, remaining: known?.facts.remaining,
                        onForward: known?.onForward.rawValue, newerVersions: known?.replacements.map(\.messageID) ?? [],
                        problem: problem)
                })
        }
        guard !lines.isEmpty else { return screen.line("The message has no files.") }
        var table = TextTable([
            .init("No", .right), .init("File", canShrink: true), .init("Type", canShrink: true), .init("Size", .right),
            .init("State", canShrink: true),
        ])
        // One reason for several files is told once, below them.
        let common = Set(lines.map(\.2)).count == 1 && lines.count > 1 ? lines[0].2 : nil
        for (attachment, known, problem) in lines {
            table.append([
                String(attachment.number), attachment.reference.name, attachment.reference.mediaType,
                AttachmentText.size(attachment.reference.size),
                known.map { AttachmentText.state($0) } ?? (common == nil ? problem ?? "" : "not known"),
            ])
        }
        screen.table(table)
        if let common { screen.line(PrintableText.clean(common)) }
        for (attachment, known, _) in lines {
            guard let newer = known?.replacements.last else { continue }
            let number = try client.number(of: newer.messageID).map { "message \($0)" } ?? newer.messageID.description
            screen.line("A newer version of \(PrintableText.clean(attachment.reference.name)) is in \(number).")
        }
    }
}

struct AttachmentsGetCommand: MailboxCommand {
    static let configuration = CommandConfiguration(
        commandName: "get", abstract: "Fetch files of a message.",
        discussion: """
            Without names all files of the message are fetched. A file under way is NAME.part; \
            after an interruption the same command goes on where it was, and leaves alone what \
            has arrived. A file that cannot be had keeps no other from coming: status 1 at the \
            end. What does not have the digest that the message names is deleted: status 2.

            Examples:
              wsemail attachments get 12
              wsemail attachments get 12 2 --to ~/Downloads
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var account: AccountOptions

    @Argument(help: ArgumentHelp("Number or id of the message.", valueName: "message"))
    var message: MessageArgument

    @Argument(help: ArgumentHelp("Names of files, or their numbers in the message.", valueName: "file"))
    var files: [String] = []

    @Option(name: .customLong("to"), help: ArgumentHelp("Where to put them.", valueName: "folder"))
    var folder = "."

    @Flag(help: "Overwrite files of the same names.")
    var force = false

    private struct Output: Encodable {
        let attachment: AttachmentJSON
        let path: String?
        /// Why it could not be had.
        let problem: String?

        init(_ outcome: FetchOutcome) {
            attachment = AttachmentJSON(outcome.attachment)
            switch outcome.result {
            case .success(let file): (path, problem) = (file.path, nil)
            case .failure(let error): (path, problem) = (nil, error.reason)
            }
        }
    }

    func run(on screen: Screen) async throws {
        let reference = try NumberBook.Reference(message.text)
        let (files, folder, force) = (files, folder, force)
        try await withClient(screen) { client in
            let location = try await client.resolve(reference)
            let letter = try await Progress.run("fetching the message…", screen) { try await client.retrieve(location) }
            let all = try await client.attachments(of: letter)
            let chosen = try AttachmentChoice.pick(files, of: all)
            let view = TransferView(screen)
            defer { view.finish() }
            let outcomes = try await Interruptible.run(screen, "What has arrived is kept: the same command goes on where it was.") {
                try await client.fetch(chosen, of: all, into: folder, force: force, progress: view.progress) { outcome in
                    view.finish()
                    Self.tell(outcome, screen)
                }
            }
            if screen.isJSON { try screen.json(outcomes.map(Output.init)) }
            if let code = CommandFailure.exitCode(outcomes.compactMap(\.error)) { throw code }
        }
    }

    private static func tell(_ outcome: FetchOutcome, _ screen: Screen) {
        guard !screen.isJSON else { return }
        let reference = outcome.attachment.reference
        switch outcome.result {
        case .success(let file):
            let word = file.wasThere ? "Here already." : "Fetched."
            screen.line(
                screen.style(word, .green, .bold) + " \(PrintableText.clean(file.path)) (\(AttachmentText.size(reference.size))) "
                    + "is what the message names.")
        case .failure(let error): screen.failure(error.about(reference.name))
        }
    }
}
