import FoundationEssentials

/// How long issued certificates are valid, in seconds.
public struct CertificateLifetimes: Sendable, Hashable {
    /// 20 years.
    public var root: TimeInterval = 20 * 365.25 * 86_400
    /// 2 years, for mail signing and TLS.
    public var server: TimeInterval = 2 * 365 * 86_400
    /// 1 year.
    public var user: TimeInterval = 365 * 86_400
    /// How far before `now` validity begins, for peers whose clock is behind.
    public var backdate: TimeInterval = 300

    public static let standard = CertificateLifetimes()

    public init() {}
}
