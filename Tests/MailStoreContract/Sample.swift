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

    /// Leases all that is due.
    public func leaseAll(now: Date = Sample.now) async throws -> [LeasedJob] {
        try await leaseDue(now: now, limit: 1000, leaseFor: 60, excluding: [], maxPerDestination: 1000)
    }
}

public struct UnexpectedOutcome: Error {
    public let outcome: AcceptOutcome
}
