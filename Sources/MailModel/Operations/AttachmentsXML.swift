import Foundation
import Identity
import SOAP
import XMLCore

/// What requests to, and answers of, the attachment plug-in have in common (docs/protocol.md, "Attachments").
public enum AttachmentsXML {
    /// The extension's identifier, and the namespace of all its elements.
    public static let namespace = "urn:wsemail:2:attachments"
    /// Octets of a file that an answer may hold itself: in base64, and with all else, an answer has at most 16 MiB.
    public static let maxInline = 10 << 20
    /// Addresses in one request.
    public static let maxReaders = 200
    /// Attachments in one page of a list.
    public static let maxPage = 200
    /// Events of one log, and versions of one attachment, that an answer tells.
    public static let maxEvents = 2_000
    /// Unicode scalars of a file's name or media type.
    public static let maxText = 1_024

    /// The one reason for "no such GUID", "not for you" and "revoked": whoever asks learns no more than that.
    public static let refusal = "there is no such attachment, or it is not for you"
    public static let expired = "the attachment has expired"
    public static let exhausted = "the attachment has been fetched as often as its sender allows"
    public static let notPassedOn = "the sender does not allow it to be passed on"

    static func name(_ localName: String) -> XMLName { XMLName(namespace, localName) }
    static func tag(_ localName: String) -> XMLTag { XMLTag("", namespace, localName) }

    /// Whether a text can name an attachment: 32 lower-case hexadecimal digits.
    public static func isGUID(_ text: String) -> Bool {
        text.utf8.count == 32 && text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
    }

    /// A ticket as HTTP headers and answers carry it: base64url without padding (RFC 4648 §5).
    public static func ticketText(_ octets: [UInt8]) -> String {
        String(
            decoding: Base64.encode(octets).compactMap { byte -> UInt8? in
                switch byte {
                case UInt8(ascii: "+"): UInt8(ascii: "-")
                case UInt8(ascii: "/"): UInt8(ascii: "_")
                case UInt8(ascii: "="): nil
                default: byte
                }
            }, as: UTF8.self)
    }

    /// The octets of a ticket, at most 64; nil for what is none.
    public static func ticket(_ text: String) -> [UInt8]? {
        guard (1...86).contains(text.utf8.count), !text.utf8.contains(where: { "+/=".utf8.contains($0) }) else { return nil }
        var base64 = text.utf8.map { byte -> UInt8 in
            byte == UInt8(ascii: "-") ? UInt8(ascii: "+") : byte == UInt8(ascii: "_") ? UInt8(ascii: "/") : byte
        }
        while base64.count % 4 != 0 { base64.append(UInt8(ascii: "=")) }
        // Back again: of several spellings of the same octets only one is taken.
        guard let octets = Base64.decode(base64), ticketText(octets) == text else { return nil }
        return octets
    }
}

/// A request or answer: one element of the namespace `urn:wsemail:2:attachments`.
public protocol AttachmentElement: Sendable, Hashable {
    static var localName: String { get }
    /// Reads the element, whose name was checked. Strict: unknown attributes, children and text throw `malformed`.
    init(parsing element: XMLElement) throws(MailModelError)
    /// Writes attributes, then children.
    func writeContent(into writer: inout XMLWriter)
}

extension AttachmentElement {
    /// The element in exclusive canonical form.
    public func octets() -> [UInt8] {
        var writer = XMLWriter()
        write(into: &writer)
        return writer.bytes
    }

    func write(into writer: inout XMLWriter) {
        writer.start(AttachmentsXML.tag(Self.localName))
        writeContent(into: &writer)
        writer.end()
    }

    /// - Throws: `malformed`, `invalidValue`, `limitExceeded`.
    public init(octets: [UInt8]) throws(MailModelError) {
        let root = try mailModel { () throws(XMLError) in try XMLDocument.parse(octets).root }
        guard root.isNamed(AttachmentsXML.name(Self.localName)) else {
            throw MailModelError(.malformed, "expected \(Self.localName), found \(root.localName)")
        }
        try self.init(parsing: root)
    }
}

// MARK: - Reading

extension XMLElement {
    /// Refuses every other attribute, child and text.
    func attachmentShape(_ attributes: Set<String>, children names: Set<String> = []) throws(MailModelError) {
        try allowOnlyElements(attributes: attributes)
        for child in children where child.namespace != AttachmentsXML.namespace || !names.contains(child.localName) {
            throw MailModelError(.malformed, "\(localName) may not contain {\(child.namespace)}\(child.localName)")
        }
    }

    func attachmentGUID(_ name: String = "guid") throws(MailModelError) -> String {
        let text = try requiredAttribute(name)
        guard AttachmentsXML.isGUID(text) else { throw MailModelError(.invalidValue, "\(name) has 32 lower-case hexadecimal digits") }
        return text
    }

    func attachmentGUIDIfAny(_ name: String) throws(MailModelError) -> String? {
        attribute(name) == nil ? nil : try attachmentGUID(name)
    }

    /// A decimal number without sign; in one spelling only.
    func attachmentNumber(_ name: String) throws(MailModelError) -> UInt64 {
        let text = try requiredAttribute(name)
        guard let number = UInt64(text), String(number) == text else { throw MailModelError(.invalidValue, "\(name) is no number") }
        return number
    }

    func attachmentNumberIfAny(_ name: String) throws(MailModelError) -> UInt64? {
        attribute(name) == nil ? nil : try attachmentNumber(name)
    }

    func attachmentCount(_ name: String, upTo limit: Int = Int(Int32.max)) throws(MailModelError) -> Int {
        let number = try attachmentNumber(name)
        guard number <= UInt64(limit) else { throw MailModelError(.limitExceeded, "\(name) is at most \(limit)") }
        return Int(number)
    }

    func attachmentDate(_ name: String) throws(MailModelError) -> Date {
        guard let date = DateTime.parse(try requiredAttribute(name)) else {
            throw MailModelError(.invalidValue, "\(name) is no dateTime with a zone")
        }
        return date
    }

    func attachmentDateIfAny(_ name: String) throws(MailModelError) -> Date? { attribute(name) == nil ? nil : try attachmentDate(name) }

    func attachmentDigest(_ name: String = "sha256") throws(MailModelError) -> [UInt8] {
        guard let digest = Base64.decode(try requiredAttribute(name)), digest.count == 32 else {
            throw MailModelError(.invalidValue, "\(name) is no SHA-256 digest")
        }
        return digest
    }

    func attachmentText(_ name: String) throws(MailModelError) -> String {
        let text = try requiredAttribute(name)
        guard text.unicodeScalars.count <= AttachmentsXML.maxText else {
            throw MailModelError(.limitExceeded, "\(name) has at most \(AttachmentsXML.maxText) characters")
        }
        return text
    }

    func attachmentFlag(_ name: String) throws(MailModelError) -> Bool {
        switch attribute(name) {
        case nil, "false": false
        case "true": true
        default: throw MailModelError(.invalidValue, "\(name) is true or false")
        }
    }

    func attachmentWord<Word: RawRepresentable<String>>(_ name: String) throws(MailModelError) -> Word {
        guard let word = Word(rawValue: try requiredAttribute(name)) else {
            throw MailModelError(.invalidValue, "\(name) has a value that is not known")
        }
        return word
    }

    func attachmentTicket() throws(MailModelError) -> [UInt8] {
        guard let ticket = AttachmentsXML.ticket(try requiredAttribute("ticket")) else {
            throw MailModelError(.invalidValue, "ticket is not base64url")
        }
        return ticket
    }

    /// The children `Reader`: each an address, none twice.
    func attachmentReaders() throws(MailModelError) -> [Address] {
        var readers: [Address] = []
        var seen: Set<Address> = []
        for child in all(AttachmentsXML.name("Reader")) {
            try child.allowOnly(attributes: [])
            let reader = try parseAddress(mailModel { () throws(XMLError) in try child.simpleText() })
            guard seen.insert(reader).inserted else { throw MailModelError(.invalidValue, "\(reader) is named twice") }
            readers.append(reader)
            guard readers.count <= AttachmentsXML.maxReaders else {
                throw MailModelError(.limitExceeded, "more than \(AttachmentsXML.maxReaders) readers")
            }
        }
        return readers
    }

    /// Children of one kind, at most `limit`.
    func attachmentParts<Part: AttachmentElement>(
        _ type: Part.Type, limit: Int
    ) throws(MailModelError) -> [Part] {
        var parts: [Part] = []
        for child in all(AttachmentsXML.name(Part.localName)) {
            guard parts.count < limit else { throw MailModelError(.limitExceeded, "more than \(limit) \(Part.localName)") }
            parts.append(try Part(parsing: child))
        }
        return parts
    }
}

// MARK: - Writing

extension XMLWriter {
    mutating func attachment(_ name: String, _ value: String?) {
        if let value { attribute(name, value) }
    }

    mutating func attachment(_ name: String, _ value: UInt64?) { attachment(name, value.map(String.init)) }

    mutating func attachment(_ name: String, date: Date?) { attachment(name, date.map { DateTime.format($0) }) }

    mutating func attachment(digest: [UInt8]) { attribute("sha256", Base64.encodeToString(digest)) }

    mutating func attachment(readers: [Address]) {
        for reader in readers { element(AttachmentsXML.tag("Reader"), reader.description) }
    }
}
