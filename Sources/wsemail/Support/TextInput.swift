import Console
import Foundation
import MailClient

/// The text of a message: from --body, from a file, or from standard input.
enum TextInput {
    /// Larger than any server takes.
    static let limit = 32 << 20

    static func read(body: String?, file: String?, _ screen: Screen) throws -> String {
        if let body { return body }
        if let file, file != "-" {
            guard let handle = FileHandle(forReadingAtPath: file) else {
                throw MailClientError(.invalidInput, "cannot read \(file)")
            }
            return try text(of: handle, name: file)
        }
        if Terminal.input.isTTY {
            screen.note("Write the message; end it with Control-D on an empty line, or give it up with Control-C.")
        }
        return try text(of: .standardInput, name: "standard input")
    }

    private static func text(of handle: FileHandle, name: String) throws -> String {
        var bytes: [UInt8] = []
        while let chunk = try handle.read(upToCount: 1 << 16), !chunk.isEmpty {
            bytes += chunk
            guard bytes.count <= limit else { throw MailClientError(.invalidInput, "\(name) is too long for a message") }
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw MailClientError(
                .invalidInput, "\(name) is not UTF-8 text", advice: "Convert it first, for instance with iconv -t UTF-8.")
        }
        guard text.unicodeScalars.allSatisfy({ $0.value >= 0x20 || $0 == "\n" || $0 == "\r" || $0 == "\t" }) else {
            throw MailClientError(.invalidInput, "\(name) holds control characters: it is no text")
        }
        return text
    }
}
