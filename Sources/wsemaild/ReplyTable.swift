import Console
import Foundation
import MailServer

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// What the values of a column are, as its name's ending says (`AdminReply.columns`).
enum ColumnKind: Sendable, Equatable {
    case text
    case time
    case bytes
    case number

    init(name: String) {
        if name.hasSuffix("_at") {
            self = .time
        } else if name.hasSuffix("_bytes") {
            self = .bytes
        } else if name.hasSuffix("_count") || name == "id" || name == "metadata_version" {
            self = .number
        } else {
            self = .text
        }
    }

    /// The name as people read it.
    static func title(_ name: String) -> String {
        var name = name
        for ending in ["_at", "_bytes", "_count"] where name.hasSuffix(ending) { name.removeLast(ending.count) }
        return name.replacing("_", with: " ")
    }

    /// The value as people read it.
    func text(_ value: String) -> String {
        switch self {
        case .text, .number: return value
        case .bytes: return Int64(value).map { HumanText.bytes($0) } ?? value
        case .time:
            guard let time = try? Date(value, strategy: .iso8601) else { return value }
            return ColumnKind.dateTime(time)
        }
    }
}

extension ColumnKind {
    /// Seconds and the zone as well: "2026-03-01 14:05:09 CET".
    private static func dateTime(_ time: Date) -> String {
        var seconds = time_t(time.timeIntervalSince1970)
        var parts = tm()
        var buffer = [CChar](repeating: 0, count: 64)
        guard localtime_r(&seconds, &parts) != nil, strftime(&buffer, buffer.count, "%Y-%m-%d %H:%M:%S %Z", &parts) > 0 else {
            return "?"
        }
        return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// "3 min ago", "in 2 h": where many times stand side by side.
    static func relative(_ value: String, now: Date) -> String {
        guard let time = try? Date(value, strategy: .iso8601) else { return value }
        return HumanText.relative(time.timeIntervalSince1970, now: now.timeIntervalSince1970)
    }
}

/// The rows of a reply as a table for people. Fingerprints come last and are never cut: they are there to be copied.
struct ReplyTable {
    private static let hidden: Set<String> = ["certificate"]
    private static let shrinkable: Set<String> = ["reason", "label", "added_by", "problem"]

    private let reply: AdminReply
    private let now: Date

    init(_ reply: AdminReply, now: Date) {
        self.reply = reply
        self.now = now
    }

    func rendered(style: TerminalStyle, width: Int?) -> String {
        let shown = reply.columns.filter { !ReplyTable.hidden.contains($0) && $0 != "fingerprint" }
        let names = shown + (reply.columns.contains("fingerprint") ? ["fingerprint"] : [])
        var table = TextTable(
            names.map { name in
                let kind = ColumnKind(name: name)
                return TextTable.Column(
                    ColumnKind.title(name).uppercased(), kind == .bytes || kind == .number ? .right : .left,
                    canShrink: ReplyTable.shrinkable.contains(name))
            })
        for row in reply.rows {
            table.append(names.map { name in cell(name, reply.value(name, in: row) ?? "") })
        }
        return table.rendered(style: style, width: width)
    }

    private func cell(_ name: String, _ value: String) -> TextTable.Cell {
        let isNear = reply.columns.contains("next_at") && ColumnKind(name: name) == .time
        let text = isNear ? ColumnKind.relative(value, now: now) : ColumnKind(name: name).text(value)
        switch (name, value) {
        case ("quota_bytes", ""): return TextTable.Cell("none", .dim)
        case (_, ""): return TextTable.Cell("–", .dim)
        case ("state", "active"), ("state", "valid"): return TextTable.Cell(text, .green)
        case ("state", "disabled"), ("state", "revoked"), ("state", "expired"): return TextTable.Cell(text, .yellow)
        case ("fingerprint", _), ("serial", _): return TextTable.Cell(text, .dim)
        default: return TextTable.Cell(text)
        }
    }
}
