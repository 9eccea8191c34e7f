import FoundationEssentials

/// Serial numbers that a domain has revoked, each with the time from which it no longer counts.
public struct RevokedSerials: Sendable, Hashable {
    public static let none = RevokedSerials()

    private var times: [String: Date]

    public init() { times = [:] }

    /// - Parameter times: lower-case hexadecimal serial number (``MailCertificate/serial``) to time.
    public init(_ times: [String: Date]) {
        self.times = [:]
        for (serial, time) in times { insert(serial, at: time) }
    }

    /// Revokes `serial` from `time` on; an earlier time wins.
    public mutating func insert(_ serial: String, at time: Date) {
        let serial = Self.canonical(serial)
        times[serial] = times[serial].map { min($0, time) } ?? time
    }

    /// From when `serial` is revoked, if it is.
    public func time(of serial: String) -> Date? { times[Self.canonical(serial)] }

    /// Whether `serial` was revoked at `date`: what was signed before stays good.
    public func contains(_ serial: String, at date: Date) -> Bool { time(of: serial).map { $0 <= date } ?? false }

    public var count: Int { times.count }
    public var isEmpty: Bool { times.isEmpty }

    /// By serial number.
    public var sorted: [(serial: String, time: Date)] {
        times.sorted { $0.key < $1.key }.map { (serial: $0.key, time: $0.value) }
    }

    private static func canonical(_ serial: String) -> String {
        let digits = serial.lowercased().drop { $0 == "0" }
        if digits.isEmpty { return "00" }
        return digits.count.isMultiple(of: 2) ? String(digits) : "0" + digits
    }
}
