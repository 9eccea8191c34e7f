import ArgumentParser
import Console
import Foundation
import MailClient
import Synchronization

/// What a command says: text for people, or JSON for scripts. Text of others never reaches a terminal unclean.
struct Screen: Sendable {
    let isJSON: Bool
    let style: TerminalStyle
    private let errorStyle: TerminalStyle
    private let output = OutputState()
    private let isQuiet: Bool

    init(isJSON: Bool, isQuiet: Bool = false) {
        self.isJSON = isJSON
        self.isQuiet = isQuiet
        style = TerminalStyle(isEnabled: !isJSON && TerminalStyle(for: .output).isEnabled)
        errorStyle = TerminalStyle(for: .error)
    }

    /// A line on the output; the caller has cleaned what is not its own.
    func line(_ text: String = "") { write(text + "\n") }

    func write(_ text: String) { write(Array(text.utf8)) }

    /// Octets as they are. After the first failure nothing more is tried; ``outputFailure()`` tells.
    func write(_ bytes: [UInt8]) { output.write(bytes) }

    /// How to end where the output could not be written; nil where it was.
    /// A reader that went away needs no words: the status is that of a process which SIGPIPE ended.
    func outputFailure() -> ExitCode? {
        guard let failure = output.failure else { return nil }
        guard !failure.isBrokenPipe else { return ExitCode(128 + 13) }
        Terminal.error.line(errorStyle("wsemail: ", .red, .bold) + "cannot write the output: \(failure.reason)")
        return .failure
    }

    func table(_ table: TextTable) {
        write(table.rendered(style: style, width: Terminal.output.width))
    }

    /// A remark beside the result, on the error stream.
    func note(_ text: String) { Terminal.error.line(errorStyle(PrintableText.clean(text), .dim)) }

    func warning(_ text: String) {
        Terminal.error.line(errorStyle("warning: ", .yellow, .bold) + PrintableText.clean(text))
    }

    /// The result as one JSON value.
    func json(_ value: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        encoder.dateEncodingStrategy = .iso8601
        line(JSONText.escapingControls(String(decoding: try encoder.encode(value), as: UTF8.self)))
    }

    /// Why it failed, and what to do.
    func failure(_ error: MailClientError) {
        if isJSON {
            try? json(FailureJSON(error: .init(error)))
            return
        }
        Terminal.error.line(errorStyle("wsemail: ", .red, .bold) + PrintableText.clean(error.reason))
        if let advice = error.advice { Terminal.error.line(PrintableText.clean(advice, keepsLines: true)) }
    }

    /// Progress on the error stream; silent without a terminal, with --json and with --quiet.
    func progress() -> ProgressLine { ProgressLine(isEnabled: !isJSON && !isQuiet) }
}

/// The first failure of the output.
private final class OutputState: Sendable {
    private let state = Mutex<WriteFailure?>(nil)

    var failure: WriteFailure? { state.withLock { $0 } }

    func write(_ bytes: [UInt8]) {
        state.withLock { failure in
            if failure == nil { failure = Terminal.output.put(bytes) }
        }
    }
}

private struct FailureJSON: Encodable {
    struct Content: Encodable {
        let code: String
        let reason: String
        let advice: String?
        let fault: String?
        let isTransient: Bool

        init(_ error: MailClientError) {
            code = error.code.rawValue
            reason = error.reason
            advice = error.advice
            fault = error.fault
            isTransient = error.isTransient
        }
    }

    let error: Content
}

/// JSON that is also fit for a terminal: what steers one is written as `\uXXXX`, which means the same to a parser.
enum JSONText {
    static func escapingControls(_ json: String) -> String {
        var result = String.UnicodeScalarView()
        for scalar in json.unicodeScalars {
            // The encoder escapes C0 itself; line feeds are its own layout.
            guard scalar.value >= 0x7F, PrintableText.clean(String(scalar)) != String(scalar) || scalar.value == 0x7F else {
                result.append(scalar)
                continue
            }
            for unit in String(scalar).utf16 {
                let digits = String(unit, radix: 16)
                result.append(contentsOf: ("\\u" + String(repeating: "0", count: 4 - digits.count) + digits).unicodeScalars)
            }
        }
        return String(result)
    }
}
