/// A mail address in its one canonical spelling: `Bob@Example.ORG` is `bob@example.org`.
///
/// The local part is a dot-atom (RFC 5321 §4.1.2) whose atoms may also hold letters, marks and digits of any script
/// (RFC 6531), in NFC and lower case; quoted strings and comments are refused, because two spellings of one mailbox
/// would be two people. Limits: local part 64 octets, the whole 254 (RFC 5321 §4.5.3.1, errata 1690).
public struct Address: Hashable, Sendable, Comparable, CustomStringConvertible, Codable {
    /// Octets of the local part.
    public static let maximumLocalLength = 64
    /// Octets of the whole address with the domain as A-labels.
    public static let maximumLength = 254

    /// The canonical local part.
    public let local: String
    /// The canonical domain.
    public let domain: MailDomain

    /// - Throws: ``IdentityError`` `.invalidAddress` or `.invalidDomain`, with a reason a user can act on.
    public init(_ string: String) throws(IdentityError) {
        guard string.utf8.count <= (Self.maximumLength + 1) * 4 else {
            throw IdentityError(.invalidAddress, "the address is too long")
        }
        guard string.utf8.first != UInt8(ascii: "\"") else {
            throw IdentityError(.invalidAddress, "quoted local parts are not supported")
        }
        let parts = string.unicodeScalars.split(separator: "@", omittingEmptySubsequences: false)
        guard parts.count == 2 else {
            throw IdentityError(.invalidAddress, "an address needs exactly one @: \"\(string.prefix(80))\"")
        }
        try self.init(local: String(parts[0]), domain: MailDomain(String(parts[1])))
    }

    /// - Throws: ``IdentityError`` `.invalidAddress`.
    public init(local: String, domain: MailDomain) throws(IdentityError) {
        let local = try Self.canonicalLocal(local)
        guard local.utf8.count + 1 + domain.ascii.utf8.count <= Self.maximumLength else {
            throw IdentityError(.invalidAddress, "the address is longer than \(Self.maximumLength) octets")
        }
        self.local = local
        self.domain = domain
    }

    /// `local@domain`, as on the wire and in certificates.
    public var description: String { local + "@" + domain.ascii }

    /// `local@domain` for people, with the domain's U-labels.
    public var unicode: String { local + "@" + domain.unicode }

    /// Whether an X.509 rfc822Name (ASCII only) can hold it; else RFC 8398 SmtpUTF8Mailbox is used.
    public var isASCII: Bool { local.utf8.allSatisfy { $0 < 0x80 } }

    /// Ordered by domain, then local part.
    public static func < (one: Address, other: Address) -> Bool {
        (one.domain.ascii, one.local) < (other.domain.ascii, other.local)
    }

    public init(from decoder: any Decoder) throws {
        try self.init(decoder.singleValueContainer().decode(String.self))
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }

    private static func canonicalLocal(_ string: String) throws(IdentityError) -> String {
        guard !string.isEmpty else { throw IdentityError(.invalidAddress, "the part before the @ is empty") }
        guard string.utf8.count <= maximumLocalLength * 4 else {
            throw IdentityError(.invalidAddress, "the part before the @ is too long")
        }
        let local = Normalization.nfcLowercased(string)
        guard local.utf8.count <= maximumLocalLength else {
            throw IdentityError(.invalidAddress, "the part before the @ is longer than \(maximumLocalLength) octets")
        }
        var previousWasDot = true
        for scalar in local.unicodeScalars {
            guard scalar != "." else {
                guard !previousWasDot else { throw IdentityError(.invalidAddress, "a misplaced dot before the @") }
                previousWasDot = true
                continue
            }
            guard isAtomText(scalar) else {
                throw IdentityError(.invalidAddress, "\(CodePoints.name(scalar)) is not allowed before the @")
            }
            guard !(previousWasDot && CodePoints.isMark(scalar)) else {
                throw IdentityError(.invalidAddress, "an atom before the @ begins with a combining mark")
            }
            previousWasDot = false
        }
        guard !previousWasDot else { throw IdentityError(.invalidAddress, "a misplaced dot before the @") }
        return local
    }

    /// RFC 5322 §3.2.3 `atext`, in lower case, and IDNA's letters, marks and digits.
    private static func isAtomText(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "a"..."z", "0"..."9": true
        case "!", "#", "$", "%", "&", "'", "*", "+", "-", "/", "=", "?", "^", "_", "`", "{", "|", "}", "~": true
        default: !scalar.isASCII && CodePoints.isValid(scalar)
        }
    }
}
