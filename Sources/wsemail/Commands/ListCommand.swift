import ArgumentParser
import Console
import Foundation
import Identity
import MailClient
import MailModel

struct ListCommand: MailboxCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List messages, the newest first.",
        discussion: """
            The first column is the number to use with read, reply, delete and mark. The \
            second: N new, ! flagged, r answered, B bounce, F form, @ attachments.

            Examples:
              wsemail list
              wsemail list --folder Sent --limit 50
              wsemail list --wait 120          wait up to two minutes for new mail
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var account: AccountOptions

    @Option(help: "Inbox, Sent, or one that a filter made.")
    var folder = "Inbox"

    @Option(name: .shortAndLong, help: "How many at most (1 to 500).")
    var limit = 20

    @Option(help: ArgumentHelp("Only messages before this number.", valueName: "number"))
    var before: UInt64?

    @Option(help: ArgumentHelp("Only messages after this number, the oldest first.", valueName: "number"))
    var after: UInt64?

    @Flag(help: "All messages of the folder.")
    var all = false

    @Option(help: ArgumentHelp("Wait so long for messages that are not there yet (--after, or now).", valueName: "seconds"))
    var wait: Int?

    func validate() throws {
        guard (1...500).contains(limit) else { throw ValidationError("--limit is 1 to 500.") }
        guard before == nil || after == nil else { throw ValidationError("Give --before or --after, not both.") }
        guard wait == nil || (before == nil && !all) else { throw ValidationError("--wait goes with --after only.") }
        guard (wait ?? 1) > 0 else { throw ValidationError("--wait takes seconds, 1 or more.") }
    }

    func run(on screen: Screen) async throws {
        try await withClient(screen) { client in
            let headers: [MessageHeader]
            var hasMore = false
            if let wait {
                headers = try await news(client, seconds: wait, screen)
            } else if all {
                headers = try await everything(client, screen)
            } else {
                let page = try await Progress.run("reading the list…", screen) {
                    try await client.list(folder: folder, after: after, before: before, limit: limit)
                }
                headers = page.headers
                hasMore = page.hasMore
            }
            try show(headers, hasMore: hasMore, screen)
        }
    }

    private func everything(_ client: MailClient, _ screen: Screen) async throws -> [MessageHeader] {
        let progress = screen.progress()
        defer { progress.finish() }
        var headers: [MessageHeader] = []
        var last = before
        var next = after
        while true {
            let page = try await client.list(folder: folder, after: next, before: last, limit: 500)
            headers += page.headers
            progress.update("read \(headers.count) of the list…")
            guard page.hasMore, let end = page.headers.last?.uid else { return headers }
            if next != nil { next = end } else { last = end }
        }
    }

    /// Waits at the server: it answers when something arrives.
    private func news(_ client: MailClient, seconds: Int, _ screen: Screen) async throws -> [MessageHeader] {
        let deadline = Date().addingTimeInterval(TimeInterval(seconds))
        var cursor: UInt64
        if let after { cursor = after } else { cursor = try await client.list(folder: folder, limit: 1).cursor }
        let progress = screen.progress()
        defer { progress.finish() }
        while true {
            let left = deadline.timeIntervalSinceNow
            progress.update("waiting for new mail…")
            let page = try await client.list(
                folder: folder, after: cursor, limit: limit, wait: max(0, min(50, Int(left.rounded(.up)))))
            if !page.headers.isEmpty || left <= 0 { return page.headers }
            cursor = max(cursor, page.cursor)
        }
    }

    private struct Row: Encodable {
        let number: UInt64
        let id: MessageID
        let from: Address
        let name: String?
        let to: [Address]
        let subject: String
        let date: Date
        let size: Int
        let flags: [String]

        init(_ header: MessageHeader) {
            number = header.uid
            id = header.id
            from = header.from
            name = header.name
            to = header.to
            subject = header.subject
            date = header.date
            size = header.size
            flags = header.flags.sorted()
        }
    }

    private func show(_ headers: [MessageHeader], hasMore: Bool, _ screen: Screen) throws {
        if screen.isJSON { return try screen.json(headers.map(Row.init)) }
        guard !headers.isEmpty else { return screen.note(wait == nil ? "No messages." : "Nothing new.") }
        let isSent = folder.lowercased() == "sent"
        var table = TextTable([
            .init("#", .right), .init(""), .init("Date"), .init(isSent ? "To" : "From", canShrink: true),
            .init("Subject", canShrink: true),
        ])
        for header in headers {
            let people = isSent ? header.to.map(\.unicode).joined(separator: ", ") : header.from.unicode
            let isNew = !isSent && !header.flags.contains("seen")
            let cells = [
                String(header.uid), MailText.flags(isSent ? header.flags.union(["seen"]) : header.flags),
                MailText.date(header.date), people, header.subject,
            ]
            table.append(cells.map { isNew ? TextTable.Cell($0, .bold) : TextTable.Cell($0) })
        }
        screen.table(table)
        if hasMore, let last = headers.last?.uid {
            screen.note("There are more: wsemail list --\(after == nil ? "before" : "after") \(last), or --all")
        }
    }
}
