import Foundation
import Identity
import MailStore

/// Data that tests are made of: alice and bob are local, dave and erin elsewhere.
public enum Sample {
    public static let alice = address("alice@capicom.test")
    public static let bob = address("bob@capicom.test")
    public static let carol = address("carol@capicom.test")
    public static let dave = address("dave@scopio.test")
    public static let erin = address("erin@scopio.test")
    public static let frank = address("frank@third.test")
    public static let now = Date(timeIntervalSince1970: 1_800_000_000)
    public static let receipt: [UInt8] = Array("<Receipt/>".utf8)
    public static let postmark: [UInt8] = Array("<Postmark/>".utf8)

    public static func address(_ string: String) -> Address {
        guard let address = try? Address(string) else { preconditionFailure("a sample address is bad") }
        return address
    }

    public static func domain(_ string: String) -> MailDomain {
        guard let domain = try? MailDomain(string) else { preconditionFailure("a sample domain is bad") }
        return domain
    }

    public static func id(_ number: Int) -> String {
        let digits = String(number, radix: 16)
        return "urn:uuid:00000000-0000-4000-8000-" + String(repeating: "0", count: 12 - digits.count) + digits
    }

    /// 32 bytes that differ where the input differs; tests need no more of a digest.
    public static func digest(_ octets: [UInt8]) -> [UInt8] {
        var lanes: [UInt64] = [0xcbf2_9ce4_8422_2325, 1, 2, 3]
        for (index, octet) in octets.enumerated() {
            lanes[index % 4] = (lanes[index % 4] ^ UInt64(octet)) &* 0x100_0000_01b3 &+ UInt64(index)
        }
        return lanes.flatMap { lane in (0..<8).map { UInt8(truncatingIfNeeded: lane >> ($0 * 8)) } }
    }

    public static func message(_ number: Int, body: String = "hello", size: Int = 0, traits: MessageTraits = []) -> MessageRecord {
        let text = "<Message Id=\"\(number)\">\(body)</Message>"
        let octets = Array(text.utf8) + [UInt8](repeating: 0x20, count: max(0, size - text.utf8.count))
        return MessageRecord(
            id: id(number), digest: digest(octets), octets: octets,
            summary: MessageSummary(
                from: alice.description, to: [bob.description, dave.description], cc: [erin.description],
                subject: "Subject \(number)", date: now, inReplyTo: number > 1 ? id(number - 1) : nil, traits: traits))
    }

    /// Alice's message to local and remote recipients.
    public static func submission(
        _ number: Int, body: String = "hello", size: Int = 0, local: [Address] = [], remote: [Address] = [],
        sentCopy: Bool = false, receipt: [UInt8] = receipt
    ) -> Acceptance {
        Acceptance(
            origin: .submission(by: alice), message: message(number, body: body, size: size),
            local: local.isEmpty ? [] : [LocalDelivery(recipients: local, postmark: postmark)],
            remote: Dictionary(grouping: remote, by: \.domain).sorted { $0.key.description < $1.key.description }.map {
                RemoteDelivery(destination: $0.key, recipients: $0.value, postmark: postmark, expires: now + 86_400)
            },
            sentCopy: sentCopy, receipt: receipt)
    }

    /// A message that another domain delivers.
    public static func delivery(_ number: Int, to recipients: [Address], body: String = "hello") -> Acceptance {
        Acceptance(
            origin: .peer(dave.domain), message: message(number, body: body),
            local: [LocalDelivery(recipients: recipients, postmark: postmark)], receipt: receipt)
    }

    public static func bounce(_ number: Int, to author: Address) -> Acceptance {
        Acceptance(
            origin: .server, message: message(number, body: "bounce", traits: .bounce),
            local: [LocalDelivery(recipients: [author], postmark: postmark)], receipt: [])
    }

    /// Mail of another domain that waits for its final delivery here.
    public static func waiting(
        _ number: Int, for recipients: [Address], body: String = "hello", expires: Date = now + 86_400
    ) -> Acceptance {
        Acceptance(
            origin: .peer(dave.domain), message: message(number, body: body),
            remote: [RemoteDelivery(destination: bob.domain, recipients: recipients, postmark: postmark, expires: expires)],
            receipt: receipt)
    }

    /// A message that a plug-in sends to local mailboxes and elsewhere.
    public static func notice(_ number: Int, to local: [Address], remote: [Address] = []) -> Acceptance {
        var notice = submission(number, body: "notice", local: local, remote: remote, receipt: [])
        notice.origin = .server
        return notice
    }

    /// A plug-in's name.
    public static let plugin = "org.example.vacation/vacation"

    public static func write(_ key: String, _ value: String?, of plugin: String = plugin) -> PluginValueWrite {
        PluginValueWrite(plugin: plugin, key: Array(key.utf8), value: value.map { Array($0.utf8) })
    }

    public static func check(_ key: String, _ version: Int64?, of plugin: String = plugin) -> PluginValueCheck {
        PluginValueCheck(plugin: plugin, key: Array(key.utf8), version: version)
    }

    /// The request that belongs to an acceptance.
    public static func request(_ acceptance: Acceptance) -> IntentRequest {
        IntentRequest(
            origin: acceptance.origin, messageID: acceptance.message.id, digest: acceptance.message.digest,
            size: acceptance.message.octets.count + postmark.count, local: acceptance.local.flatMap(\.recipients),
            remote: acceptance.remote.flatMap(\.recipients), wantsSentCopy: acceptance.sentCopy)
    }
}

extension MailStore {
    /// Creates accounts without a password.
    public func createAccounts(_ addresses: Address..., quota: Int64? = nil) async throws {
        for address in addresses {
            try await createAccount(address, passwordHash: nil, quotaBytes: quota, now: Sample.now)
        }
    }

    /// Accepts and expects that it was new.
    @discardableResult
    public func mustAccept(_ acceptance: Acceptance, now: Date = Sample.now) async throws -> [CreatedEntry] {
        let outcome = try await accept(acceptance, now: now)
        guard case .accepted(let entries) = outcome else { throw UnexpectedOutcome(outcome: outcome) }
        return entries
    }

    /// The ids of messages in a folder, newest first.
    public func ids(_ account: Address, _ folder: FolderName = .inbox) async throws -> [String] {
        try await list(account, folder: folder, from: .newest, limit: 1000).entries.map(\.messageID)
    }

    /// A plug-in's value as text, with its version.
    public func text(_ key: String, of plugin: String = Sample.plugin) async throws -> (text: String, version: Int64)? {
        try await pluginValue(Array(key.utf8), of: plugin).map { (String(decoding: $0.value, as: UTF8.self), $0.version) }
    }

    /// Writes one value of a plug-in.
    public func put(_ key: String, _ value: String?, of plugin: String = Sample.plugin) async throws {
        let effects = PluginEffects(writes: [Sample.write(key, value, of: plugin)])
        guard try await commit(effects, now: Sample.now) else { throw StoreError(.internal, "a write without checks was stale") }
    }

    /// Settles and expects that nothing had changed.
    @discardableResult
    public func mustSettle(_ job: LeasedJob, _ settlement: LocalSettlement, now: Date = Sample.now) async throws -> [CreatedEntry] {
        guard case .settled(let entries) = try await settleLocal(job.lease, settlement, now: now) else {
            throw StoreError(.internal, "a settlement was stale")
        }
        return entries
    }

    /// Leases the jobs that wait for their final delivery here.
    public func leaseOwn(now: Date = Sample.now) async throws -> [LeasedJob] {
        try await leaseDue(of: Sample.bob.domain, now: now, limit: 1000, leaseFor: 60)
    }

    /// Leases all that is due.
    public func leaseAll(now: Date = Sample.now) async throws -> [LeasedJob] {
        try await leaseDue(now: now, limit: 1000, leaseFor: 60, excluding: [], maxPerDestination: 1000)
    }
}

public struct UnexpectedOutcome: Error {
    public let outcome: AcceptOutcome
}
