import ArgumentParser
import Identity
import MailModel

/// `bob@scopio.test`, `Bob <bob@scopio.test>`, or several of them separated by commas.
struct MailboxArgument: ExpressibleByArgument {
    let mailboxes: [Mailbox]

    init?(argument: String) {
        var result: [Mailbox] = []
        for part in argument.split(separator: ",") {
            guard let mailbox = Self.mailbox(part) else { return nil }
            result.append(mailbox)
        }
        guard !result.isEmpty else { return nil }
        mailboxes = result
    }

    private static func mailbox(_ text: Substring) -> Mailbox? {
        let trimmed = trim(text)
        guard trimmed.hasSuffix(">"), let open = trimmed.lastIndex(of: "<") else {
            return (try? Address(String(trimmed))).map { Mailbox($0) }
        }
        let inner = trimmed[trimmed.index(after: open)...].dropLast()
        var name = trim(trimmed[..<open])
        if name.count >= 2, name.hasPrefix("\""), name.hasSuffix("\"") { name = name.dropFirst().dropLast() }
        guard let address = try? Address(String(trim(inner))), name.count <= 256 else { return nil }
        return Mailbox(address, name: name.isEmpty ? nil : String(name))
    }

    private static func trim(_ text: Substring) -> Substring {
        var text = text.drop(while: \.isWhitespace)
        while text.last?.isWhitespace == true { text.removeLast() }
        return text
    }
}

/// A number of the list, or a message id.
struct MessageArgument: ExpressibleByArgument {
    let text: String
    init?(argument: String) { text = argument }
}
