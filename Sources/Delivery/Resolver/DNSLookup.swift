/// The record types that we ask for.
public enum DNSRecordType: Int32, Sendable, Hashable {
    case a = 1
    case aaaa = 28
    case srv = 33
}

/// Raw DNS questions. The seam below which only libunbound (or a test's table) lives.
public protocol DNSLookup: Sendable {
    /// Asks for the records of `name`. "No such name" and "no such record" are answers, not errors.
    /// - Throws: `dnsFailure` (no answer, or a failure code), `bogus` (DNSSEC), `closed`.
    func lookup(_ name: String, _ type: DNSRecordType) async throws(DeliveryError) -> DNSAnswer
}

/// What DNS says about one name and type.
public struct DNSAnswer: Sendable, Hashable {
    /// Raw record data, one entry per record; empty when the name or the type does not exist.
    public var records: [[UInt8]]
    /// Seconds that the answer, also a negative one, may be kept (RFC 2308 for the negative).
    public var ttl: Int
    /// The name itself does not exist.
    public var isNameError: Bool
    /// Validated by DNSSEC; for an empty answer: its absence is proved.
    public var isSecure: Bool
    /// The name was an alias.
    public var isAlias: Bool

    public init(
        records: [[UInt8]], ttl: Int = 300, isNameError: Bool = false, isSecure: Bool = false, isAlias: Bool = false
    ) {
        self.records = records
        self.ttl = ttl
        self.isNameError = isNameError
        self.isSecure = isSecure
        self.isAlias = isAlias
    }
}
