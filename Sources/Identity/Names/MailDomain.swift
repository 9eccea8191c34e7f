/// A mail domain (or host name) in its one canonical spelling: lower-case A-labels.
///
/// Accepted: two or more labels, letters, digits and hyphens (RFC 5890 LDH) or Unicode labels valid under IDNA 2008 as
/// far as ``CodePoints`` describes; each label at most 63 octets, all at most 253. Refused: a trailing dot, IP literals
/// and names whose last label is a number, underscores, full-width dots, everything IDNA disallows.
public struct MailDomain: Hashable, Sendable, Comparable, CustomStringConvertible, Codable {
    /// RFC 1035 §2.3.4 less the length octet and the root label.
    public static let maximumLength = 253

    /// The canonical form: ASCII, lower case, no trailing dot.
    public let ascii: String

    /// - Throws: ``IdentityError`` `.invalidDomain`.
    public init(_ string: String) throws(IdentityError) {
        guard !string.isEmpty else { throw IdentityError(.invalidDomain, "the domain is empty") }
        guard string.utf8.count <= Self.maximumLength * 4 else {
            throw IdentityError(.invalidDomain, "the domain is too long")
        }
        guard string.utf8.first != UInt8(ascii: "["), !string.utf8.contains(UInt8(ascii: ":")) else {
            throw IdentityError(.invalidDomain, "an IP address or port is not a mail domain")
        }
        var labels: [String] = []
        for label in Self.split(string) { labels.append(try IDNALabel.canonical(label)) }
        guard labels.count >= 2 else {
            throw IdentityError(.invalidDomain, "\"\(string.prefix(80))\" has one label; a mail domain needs two")
        }
        if let last = labels.last, last.utf8.allSatisfy({ (0x30...0x39).contains($0) }) || last.hasPrefix("0x") {
            throw IdentityError(.invalidDomain, "\"\(string.prefix(80))\" looks like an IP address")
        }
        try Self.checkDirection(labels)
        let joined = labels.joined(separator: ".")
        guard joined.utf8.count <= Self.maximumLength else {
            throw IdentityError(.invalidDomain, "the domain is longer than \(Self.maximumLength) octets")
        }
        ascii = joined
    }

    /// The form for people: U-labels, except where look-alike scripts are mixed.
    public var unicode: String {
        ascii.contains("xn--") ? Self.split(ascii).map(IDNALabel.display).joined(separator: ".") : ascii
    }

    public var description: String { ascii }

    /// Whether `self` is `other` or below it.
    public func isWithin(_ other: MailDomain) -> Bool {
        self == other || ascii.hasSuffix("." + other.ascii)
    }

    public static func < (one: MailDomain, other: MailDomain) -> Bool { one.ascii < other.ascii }

    public init(from decoder: any Decoder) throws {
        try self.init(decoder.singleValueContainer().decode(String.self))
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(ascii)
    }

    /// By scalar, not by `Character`: a combining mark after a dot must not hide the dot.
    private static func split(_ string: String) -> [String] {
        string.unicodeScalars.split(separator: ".", omittingEmptySubsequences: false).map { String($0) }
    }

    /// RFC 5893 §1.4: beside a right-to-left label, another label that begins with a digit can jump visually.
    private static func checkDirection(_ labels: [String]) throws(IdentityError) {
        guard labels.contains(where: IDNALabel.isRightToLeft) else { return }
        for label in labels where (0x30...0x39).contains(label.utf8.first ?? 0) {
            throw IdentityError(.invalidDomain, "the label \"\(label)\" begins with a digit beside right-to-left text")
        }
    }
}
