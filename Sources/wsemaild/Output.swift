import ArgumentParser
import Console
import Foundation
import MailServer

/// Prints what came out: for people, or as one JSON object.
struct Output: Sendable {
    let json: Bool
    let style = TerminalStyle(for: .output)

    /// Prints an error and gives the exit status to throw.
    func failure(_ error: AdminError) -> ExitCode {
        if json {
            print(AdminReply(error: error))
        } else {
            let style = TerminalStyle(for: .error)
            Terminal.error.line("\(style("error:", .bold, .red)) \(PrintableText.clean(error.reason))")
            if !error.hint.isEmpty { Terminal.error.line("  \(style("→", .cyan)) \(PrintableText.clean(error.hint))") }
        }
        switch error.code {
        case .notRunning, .needsServer: return .notReached
        default: return .failed
        }
    }

    /// Prints a successful reply: message, table, details; or throws the exit status of its error.
    /// - Parameter showsDetails: also for people; scripts get them always.
    func show(_ reply: AdminReply, empty: String = "none", showsDetails: Bool = false) throws {
        if let error = reply.error { throw failure(error) }
        if json { return print(reply) }
        if !reply.message.isEmpty { Terminal.output.line("\(style("✓", .green)) \(PrintableText.clean(reply.message))") }
        if showsDetails { details(reply.details) }
        if !reply.rows.isEmpty {
            if showsDetails { Terminal.output.line() }
            Terminal.output.write(ReplyTable(reply, now: Date()).rendered(style: style, width: Terminal.output.width))
        } else if !reply.columns.isEmpty, reply.message.isEmpty, !showsDetails {
            Terminal.output.line(style(empty, .dim))
        }
        warning(reply.details["warning"])
    }

    func warning(_ text: String?) {
        guard let text, !text.isEmpty else { return }
        let style = TerminalStyle(for: .error)
        Terminal.error.line("\(style("warning:", .bold, .yellow)) \(PrintableText.clean(text))")
    }

    /// Names and values, aligned.
    func details(_ details: [String: String]) {
        let shown = details.filter { $0.key != "warning" && $0.key != "next" && !$0.value.isEmpty }
        let rows = shown.map { (ColumnKind.title($0.key), ColumnKind(name: $0.key).text($0.value)) }
        let width = rows.map { PrintableText.width($0.0) }.max() ?? 0
        for (name, value) in rows.sorted(by: { $0.0 < $1.0 }) {
            let padding = String(repeating: " ", count: width - PrintableText.width(name))
            Terminal.output.line("\(style(name, .dim))\(padding)  \(PrintableText.clean(value))")
        }
    }

    /// Any value as JSON.
    func print(_ value: some Encodable) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(value) else { return }
        Terminal.output.line(String(decoding: data, as: UTF8.self))
    }

    private func print(_ reply: AdminReply) {
        print(ReplyJSON(reply))
    }
}

/// A reply with named and typed values, as scripts like it.
private struct ReplyJSON: Encodable {
    let ok: Bool
    let message: String
    let rows: [[String: JSONValue]]
    let details: [String: JSONValue]
    let error: AdminError?

    init(_ reply: AdminReply) {
        ok = reply.ok
        message = reply.message
        error = reply.error
        details = Dictionary(
            uniqueKeysWithValues: reply.details.filter { $0.key != "next" }.map { name, value in
                (name, JSONValue(value, ColumnKind(name: name)))
            })
        rows = reply.rows.map { row in
            Dictionary(zip(reply.columns, row).map { ($0, JSONValue($1, ColumnKind(name: $0))) }, uniquingKeysWith: { $1 })
        }
    }
}

private enum JSONValue: Encodable {
    case text(String)
    case number(Int64)
    case null

    init(_ value: String, _ kind: ColumnKind) {
        switch kind {
        case .text: self = .text(value)
        case .time: self = value.isEmpty ? .null : .text(value)
        case .bytes, .number: self = Int64(value).map { .number($0) } ?? .null
        }
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .text(let text): try container.encode(text)
        case .number(let number): try container.encode(number)
        case .null: try container.encodeNil()
        }
    }
}
