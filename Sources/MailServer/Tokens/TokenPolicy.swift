import Foundation
import Identity
import MailStore

/// What a token opens on this server for its holder (the "prior arrangement" of the paper's §2).
enum FederatedService: String, Sendable, Hashable, CaseIterable, Codable {
    /// Fetching attachments that wait here for the holder, and other extensions that are open to holders of tokens.
    case attachments
    /// Handing mail in for mailboxes here, without the holder's own server.
    case send
}

/// Whose tokens count here, and for what. One rule per domain, and one for those that have none.
struct TokenPolicy: Sendable, Hashable, Codable {
    var services: Set<FederatedService>
    /// Whether tokens without a key count, both ways: those of the domain here, and those that this domain issues for it.
    /// Whoever gets hold of such a token can use it (once).
    var allowsBearer: Bool

    /// For domains without a rule: whom this server trusts may let its users fetch what was sent to them.
    static let preset = TokenPolicy(services: [.attachments], allowsBearer: false)
}

/// The stored rules. Read anew for each token: a rule that is taken back counts from the next call on.
struct TokenPolicies: Sendable {
    let store: any DomainStateStore

    private static let namespace = "token-policy"
    /// Key of the rule for domains that have none of their own; no mail domain can have this name.
    static let everyone = "*"

    func policy(for domain: MailDomain) async throws(StoreError) -> TokenPolicy {
        if let own = try await rule(domain.ascii) { return own }
        return try await rule(TokenPolicies.everyone) ?? .preset
    }

    /// All rules by domain, the preset included.
    func all() async throws(StoreError) -> [(domain: String, policy: TokenPolicy)] {
        let stored = try await store.settings(in: TokenPolicies.namespace)
        var rules = try stored.map { (key, value) throws(StoreError) in (domain: key, policy: try TokenPolicies.decoded(value, key)) }
        if stored[TokenPolicies.everyone] == nil { rules.append((TokenPolicies.everyone, .preset)) }
        return rules.sorted { $0.domain < $1.domain }
    }

    /// - Parameter policy: nil takes the rule away.
    func set(_ policy: TokenPolicy?, for domain: String) async throws(StoreError) {
        var octets: [UInt8]?
        if let policy {
            do { octets = Array(try JSONEncoder().encode(policy)) } catch { throw StoreError(.internal, "a rule cannot be written") }
        }
        try await store.setSetting(domain, in: TokenPolicies.namespace, to: octets)
    }

    private func rule(_ domain: String) async throws(StoreError) -> TokenPolicy? {
        guard let octets = try await store.setting(domain, in: TokenPolicies.namespace) else { return nil }
        return try TokenPolicies.decoded(octets, domain)
    }

    /// A rule that cannot be read must not count as none: the one for everybody may allow more.
    private static func decoded(_ octets: [UInt8], _ domain: String) throws(StoreError) -> TokenPolicy {
        do { return try JSONDecoder().decode(TokenPolicy.self, from: Data(octets)) } catch {
            throw StoreError(.internal, "the stored rule for tokens of \(domain) is damaged: set it anew")
        }
    }
}
