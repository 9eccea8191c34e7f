import Crypto
import FoundationEssentials
import Identity

/// Remembers the MessageIDs of calls for as long as their Timestamp could still be fresh. Pure: the clock is passed in,
/// memory is bounded, and a full guard refuses rather than forgets.
public struct ReplayGuard: Sendable {
    public struct Limits: Sendable, Hashable {
        /// Seconds an id is kept: twice the accepted clock difference.
        public var retention: TimeInterval
        public var maxEntries: Int
        /// So that one caller cannot fill it for all. Callers with assertions count together by domain: a domain
        /// makes up as many users as it likes.
        public var maxPerPrincipal: Int

        public init(retention: TimeInterval = 600, maxEntries: Int = 200_000, maxPerPrincipal: Int = 20_000) {
            self.retention = retention
            self.maxEntries = maxEntries
            self.maxPerPrincipal = maxPerPrincipal
        }

        public static let standard = Limits()
    }

    public enum Verdict: Sendable, Equatable {
        case accepted, replayed, full
    }

    /// 128 bits of SHA-256 over principal and id: entries have one size, however long the id.
    private struct Key: Hashable, Sendable {
        let high: UInt64
        let low: UInt64
    }

    /// Whose limit an entry counts against.
    private enum Account: Hashable, Sendable {
        case principal(Principal)
        case issuer(MailDomain)

        init(_ principal: Principal) {
            if case .federated(let address) = principal {
                self = .issuer(address.domain)
            } else {
                self = .principal(principal)
            }
        }
    }

    private struct Entry: Sendable {
        let key: Key
        let account: Account
        let expires: Date
    }

    private let limits: Limits
    private var known: Set<Key> = []
    private var used: [Account: Int] = [:]
    private var queue: [Entry] = []
    private var head = 0

    public init(limits: Limits = .standard) {
        self.limits = limits
    }

    public var count: Int { known.count }

    /// - Parameter until: how long the id must be kept at least; ``Limits/retention`` if that is longer.
    public mutating func admit(
        _ messageID: String, principal: Principal, now: Date, until: Date? = nil
    ) -> Verdict {
        purge(now)
        let key = Self.key(messageID, principal)
        guard !known.contains(key) else { return .replayed }
        let account = Account(principal)
        let count = used[account, default: 0]
        guard known.count < limits.maxEntries, count < limits.maxPerPrincipal else { return .full }
        known.insert(key)
        used[account] = count + 1
        // The queue goes by arrival: one that is kept longer holds up the next ones, which does no harm.
        let expires = now.addingTimeInterval(limits.retention)
        queue.append(Entry(key: key, account: account, expires: until.map { max($0, expires) } ?? expires))
        return .accepted
    }

    private mutating func purge(_ now: Date) {
        while head < queue.count, queue[head].expires <= now {
            let entry = queue[head]
            known.remove(entry.key)
            if let count = used[entry.account] { used[entry.account] = count > 1 ? count - 1 : nil }
            head += 1
        }
        if head > 1024 && head * 2 > queue.count {
            queue.removeFirst(head)
            head = 0
        }
    }

    private static func key(_ messageID: String, _ principal: Principal) -> Key {
        var hash = SHA256()
        hash.update(data: Array(principal.description.utf8))
        hash.update(data: [0])
        hash.update(data: Array(messageID.utf8))
        return hash.finalize().withUnsafeBytes { bytes in
            Key(high: bytes.loadUnaligned(as: UInt64.self), low: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
        }
    }
}
