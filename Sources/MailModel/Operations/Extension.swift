import SOAP
import XMLCore

/// Extension: any XML for the plug-in of the server that answers for an identifier (docs/protocol.md §3.6).
public enum ExtensionOperation: OperationCodec {
    public static let operation = MailOperation.extension

    /// Bytes of an identifier.
    public static let maxIdentifier = 200
    /// Octets of a challenge.
    public static let maxChallenge = 256

    /// Whether `text` can name an extension: an absolute URI without fragment (RFC 3986 §4.3), compared byte by byte.
    public static func isIdentifier(_ text: String) -> Bool {
        guard text.utf8.count <= maxIdentifier, let colon = text.utf8.firstIndex(of: UInt8(ascii: ":")) else { return false }
        let scheme = text.utf8[..<colon]
        let rest = text.utf8[text.utf8.index(after: colon)...]
        guard let first = scheme.first, isLetter(first), !rest.isEmpty else { return false }
        return scheme.allSatisfy { isLetter($0) || isDigit($0) || "+-.".utf8.contains($0) }
            && rest.allSatisfy { isLetter($0) || isDigit($0) || "-._~:/?[]@!$&'()*+,;=%".utf8.contains($0) }
    }

    private static func isLetter(_ byte: UInt8) -> Bool { (0x61...0x7A).contains(byte | 0x20) }
    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }

    /// What goes into a call or reply: exactly one element, in exclusive canonical form.
    /// - Parameter xml: a document as its author wrote it.
    /// - Throws: `malformed` for what is no XML of our profile (UTF-8, no DTD, no processing instructions).
    public static func canonical(_ xml: [UInt8], limits: XMLLimits = .standard) throws(MailModelError) -> [UInt8] {
        try mailModel { () throws(XMLError) in try XMLDocument.parse(xml, limits: limits).root.canonicalBytes() }
    }

    static func content(of element: XMLElement) throws(MailModelError) -> [UInt8] {
        let children = Array(element.children.prefix(2))
        guard children.count == 1 else {
            throw MailModelError(.malformed, "\(element.localName) holds exactly one element")
        }
        return children[0].canonicalBytes()
    }

    public struct Request: Payload {
        public static let localName = "Extension"
        /// An absolute URI; see ``ExtensionOperation/isIdentifier(_:)``.
        public var identifier: String
        /// Exclusive canonical form of the one element inside.
        public var content: [UInt8]
        /// A value that the same server gave out by ``ChallengeOperation``, which this call uses up: 1 to 256 octets. Calls by
        /// token need one, so that nobody can repeat them.
        public var challenge: [UInt8]?

        /// - Throws: `invalidValue` for what cannot name an extension, and for a challenge of no or too many octets.
        public init(identifier: String, content: [UInt8], challenge: [UInt8]? = nil) throws(MailModelError) {
            guard ExtensionOperation.isIdentifier(identifier) else {
                throw MailModelError(
                    .invalidValue, "an extension's identifier is an absolute URI of at most \(maxIdentifier) characters")
            }
            guard challenge.map({ (1...ExtensionOperation.maxChallenge).contains($0.count) }) ?? true else {
                throw MailModelError(.invalidValue, "a challenge has 1 to \(maxChallenge) octets")
            }
            self.identifier = identifier
            self.content = content
            self.challenge = challenge
        }

        public init(parsing element: XMLElement) throws(MailModelError) {
            try element.allowOnlyElements(attributes: ["identifier", "challenge"])
            let challenge = try element.attribute("challenge").map { (text) throws(MailModelError) in
                guard text.utf8.count <= 2 * ExtensionOperation.maxChallenge, let octets = Base64.decode(text) else {
                    throw MailModelError(.invalidValue, "the challenge is not base64, or too long")
                }
                return octets
            }
            try self.init(
                identifier: element.requiredAttribute("identifier"), content: ExtensionOperation.content(of: element),
                challenge: challenge)
        }

        public func writeContent(into writer: inout XMLWriter) throws {
            if let challenge { writer.attribute("challenge", Base64.encodeToString(challenge)) }
            writer.attribute("identifier", identifier)
            try writer.embed(canonical: content)
        }
    }

    public struct Response: Payload {
        public static let localName = "ExtensionResponse"
        /// Exclusive canonical form of the one element inside.
        public var content: [UInt8]

        public init(content: [UInt8]) { self.content = content }

        public init(parsing element: XMLElement) throws(MailModelError) {
            try element.allowOnlyElements()
            content = try ExtensionOperation.content(of: element)
        }

        public func writeContent(into writer: inout XMLWriter) throws {
            try writer.embed(canonical: content)
        }
    }
}
