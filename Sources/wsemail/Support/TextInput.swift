import Console
import MailClient

/// The text of a message: from --body, from a file, or from standard input.
enum TextInput {
    /// Larger than any server takes.
    static let limit = 32 << 20

    static func read(body: String?, file: String?, _ screen: Screen) throws -> String {
        if let body { return body }
        if let file, file != "-" { return try text(InputFile.read(file, limit: limit), name: file) }
        if Terminal.input.isTTY {
            screen.note("Write the message; end it with Control-D on an empty line, or give it up with Control-C.")
        }
        return try text(InputFile.read("-", limit: limit), name: "standard input")
    }

    /// An empty text is hardly ever meant: who means it says so with --body.
    static func text(_ bytes: [UInt8], name: String) throws -> String {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw MailClientError(
                .invalidInput, "\(name) is not UTF-8 text", advice: "Convert it first, for instance with iconv -t UTF-8.")
        }
        guard text.unicodeScalars.allSatisfy({ $0.value >= 0x20 || $0 == "\n" || $0 == "\r" || $0 == "\t" }) else {
            throw MailClientError(.invalidInput, "\(name) holds control characters: it is no text")
        }
        guard text.contains(where: { !$0.isWhitespace }) else {
            throw MailClientError(
                .invalidInput, "\(name) is empty: nothing was sent",
                advice: "Give the text with --body TEXT or --file FILE, or on standard input; --body \"\" sends none.")
        }
        return text
    }
}
