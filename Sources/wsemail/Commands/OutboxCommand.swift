import ArgumentParser
import Console
import Foundation
import Identity
import MailClient

struct OutboxCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "outbox", abstract: "Messages that your server has not acknowledged.",
        discussion: """
            Messages without large files are sent again by every wsemail command. Those \
            whose files have still to be uploaded wait for `wsemail outbox retry`, or for \
            the same `wsemail send` again. `wsemail outbox drop` gives a message up.
            """,
        subcommands: [OutboxListCommand.self, OutboxRetryCommand.self, OutboxDropCommand.self], defaultSubcommand: OutboxListCommand.self)
}

struct OutboxListCommand: MailboxCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "Show what waits. Sends nothing.")

    @OptionGroup var common: CommonOptions
    @OptionGroup var account: AccountOptions

    private struct Output: Encodable {
        /// For `outbox drop`.
        let number: Int
        let id: MessageID
        let subject: String
        let created: Date
        let recipients: [Address]
        let files: [String]
    }

    func run(on screen: Screen) async throws {
        try await withRuntime { runtime in
            let client = try runtime.client(Accounts.choose(runtime.folder, account.address))
            let waiting = try client.waiting()
            if screen.isJSON {
                return try screen.json(
                    waiting.enumerated().map { index, entry in
                        Output(
                            number: index + 1, id: entry.id, subject: entry.message.message.subject, created: entry.created,
                            recipients: entry.recipients, files: entry.files.map(\.path))
                    })
            }
            guard !waiting.isEmpty else { return screen.line("The outbox is empty.") }
            var table = TextTable([
                .init("No", .right), .init("Since"), .init("To", canShrink: true), .init("Subject", canShrink: true), .init("Files"),
            ])
            for (index, entry) in waiting.enumerated() {
                let size = entry.files.reduce(0) { $0 + $1.size }
                let files = entry.files.isEmpty ? "" : "\(entry.files.count), \(AttachmentText.size(size))"
                table.append([
                    String(index + 1), MailText.date(entry.created), entry.recipients.map(\.unicode).joined(separator: ", "),
                    entry.message.message.subject, files,
                ])
            }
            screen.table(table)
        }
    }
}

struct OutboxRetryCommand: MailboxCommand {
    static let configuration = CommandConfiguration(
        commandName: "retry", abstract: "Send what waits; uploads go on where they were.")

    @OptionGroup var common: CommonOptions
    @OptionGroup var account: AccountOptions

    private struct Output: Encodable {
        let sent: [SendOutput]
        let waiting: [MessageID]
        let refused: [MessageID]
        let reason: String?
    }

    func run(on screen: Screen) async throws {
        try await withRuntime { runtime in
            let client = try runtime.client(Accounts.choose(runtime.folder, account.address))
            let view = TransferView(screen)
            defer { view.finish() }
            let (report, isInterrupted) = try await Interruptible.run(screen, "The same command goes on where it was.") {
                let report = try await client.retryOutbox(withUploads: true, progress: view.progress)
                return (report, Task.isCancelled)
            }
            view.finish()
            if screen.isJSON {
                try screen.json(
                    Output(
                        sent: report.sent.map(SendOutput.init), waiting: report.waiting.map(\.id),
                        refused: report.refused.map(\.entry.id), reason: report.error?.reason))
            } else {
                for sent in report.sent { try SendOutput.show(sent, screen) }
                var rest = report
                rest.sent = []
                OutboxRetry.show(rest, screen)
                if report.isEmpty {
                    let isEmpty = try client.waiting().isEmpty
                    screen.line(isEmpty ? "The outbox is empty." : "Another command is sending what waits.")
                }
            }
            if isInterrupted, report.error != nil { throw CommandFailure.interrupted }
            if let error = report.error { throw CommandFailure.exitCode(error) }
            if !report.refused.isEmpty { throw ExitCode.failure }
        }
    }
}

struct OutboxDropCommand: MailboxCommand {
    static let configuration = CommandConfiguration(
        commandName: "drop", abstract: "Give a waiting message up: it is not sent.",
        discussion: """
            A message without large files may have reached your server already, though it \
            was not acknowledged: `wsemail list --folder Sent` shows that.
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var account: AccountOptions

    @Argument(help: ArgumentHelp("Its number in `wsemail outbox list`, or its id.", valueName: "message"))
    var message: MessageArgument

    private struct Output: Encodable {
        let id: MessageID
        let subject: String
    }

    func run(on screen: Screen) async throws {
        let reference = try NumberBook.Reference(message.text)
        try await withRuntime { runtime in
            let client = try runtime.client(Accounts.choose(runtime.folder, account.address))
            let entry = try Self.pick(reference, of: try client.waiting())
            try client.drop(entry)
            let subject = entry.message.message.subject
            if screen.isJSON { return try screen.json(Output(id: entry.id, subject: subject)) }
            screen.line("Given up: \"\(PrintableText.clean(subject))\" to \(entry.recipients.map(\.unicode).joined(separator: ", ")).")
        }
    }

    static func pick(_ reference: NumberBook.Reference, of waiting: [OutboxEntry]) throws -> OutboxEntry {
        let found: OutboxEntry?
        switch reference {
        case .number(let number): found = waiting.indices.contains(Int(clamping: number) - 1) ? waiting[Int(number) - 1] : nil
        case .id(let id): found = waiting.first { $0.id == id }
        }
        guard let found else {
            throw MailClientError(
                .noSuchMessage, "there is no message \(reference) in the outbox", advice: "`wsemail outbox list` shows what there is.")
        }
        return found
    }
}
