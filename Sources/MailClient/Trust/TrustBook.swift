import Foundation
import Identity
import MailModel
import SOAP
import Synchronization
import XMLSecurity

/// Which certificates may sign for which domain, as this client judges it.
///
/// For the home domain only the pinned root counts. For any other domain the home server says which anchors its
/// administrator set and hands over that domain's signed metadata; the signatures are then verified here, by us.
final class TrustBook: DomainKeyResolver, Sendable {
    let home: MailDomain
    private let root: MailCertificate
    private let server: any HomeServer
    private let cache: DomainCache
    private let clock: @Sendable () -> Date
    private let known = Mutex<[MailDomain: DomainKnowledge]>([:])

    init(
        home: MailDomain, root: MailCertificate, server: any HomeServer, cache: DomainCache,
        clock: @escaping @Sendable () -> Date
    ) {
        self.home = home
        self.root = root
        self.server = server
        self.cache = cache
        self.clock = clock
    }

    func key(_ hint: KeyHint, of domain: MailDomain, at date: Date) async throws -> VerificationKey {
        guard case .thumbprintSHA256(let thumbprint) = hint else {
            throw IdentityError(.untrusted, "a domain's document names its certificate by SHA-256 thumbprint")
        }
        var knowledge = try await knowledge(of: domain)
        if !knowledge.lists(thumbprint) || date > knowledge.metadata.metadata.nextUpdate {
            // Newer than what we keep: the domain has changed its keys, or its metadata is due.
            knowledge = try await fetch(domain)
        }
        return try await knowledge.server(thumbprint, at: date).certificate.publicKey
    }

    /// What is known of `domain`: from memory, from the disk while it is fresh, or from the home server.
    func knowledge(of domain: MailDomain) async throws -> DomainKnowledge {
        let now = clock()
        if let known = known.withLock({ $0[domain] }), !known.metadata.isStale(at: now) { return known }
        if let entry = try cache.entry(domain), entry.isFresh(at: now),
            let kept = try? await judge(domain, Array(entry.metadata), entry.anchors.map { Array($0) }, at: now)
        {
            known.withLock { $0[domain] = kept }
            return kept
        }
        return try await fetch(domain)
    }

    /// What the home domain said that it takes, as far as that is kept here; however old, as the server decides anyway.
    func homeLimits() async -> SubmissionLimits? {
        let knowledge = try? await earlier(home, at: clock())
        return knowledge.map { SubmissionLimits($0.metadata.metadata.limits) }
    }

    /// Asks the home server.
    private func fetch(_ domain: MailDomain) async throws -> DomainKnowledge {
        let now = clock()
        let earlier = try await earlier(domain, at: now)
        let reply = try await ask(domain)
        let knowledge = try await judge(domain, reply.metadata, reply.anchors, at: now, known: earlier?.metadata)
        try cache.store(
            DomainCache.Entry(fetched: now, metadata: Data(reply.metadata), anchors: reply.anchors.map { Data($0) }),
            for: domain)
        known.withLock { $0[domain] = knowledge }
        return knowledge
    }

    private func ask(_ domain: MailDomain) async throws -> MetadataOperation.Response {
        do {
            return try await server.call(
                .metadata, MetadataOperation.Request(domain: domain), reply: MetadataOperation.Response.self)
        } catch  where error.code == .noSuchMessage {
            throw IdentityError(.untrusted, Self.unknown(domain))
        } catch {
            throw MailClientError(
                error.code, "\(domain) cannot be checked now: \(error.reason)", advice: error.advice, fault: error.fault,
                isTransient: error.isTransient)
        }
    }

    /// Said of a domain that the home server does not know.
    static func unknown(_ domain: MailDomain) -> String { "your server knows nothing of \(domain)" }

    /// The last document we believed, however old, so that nobody takes us back behind it.
    private func earlier(_ domain: MailDomain, at now: Date) async throws -> DomainKnowledge? {
        if let known = known.withLock({ $0[domain] }) { return known }
        guard let entry = try cache.entry(domain) else { return nil }
        return try? await judge(
            domain, Array(entry.metadata), entry.anchors.map { Array($0) }, at: now, allowStale: true)
    }

    private func judge(
        _ domain: MailDomain, _ octets: [UInt8], _ anchors: [[UInt8]], at now: Date, known: VerifiedMetadata? = nil,
        allowStale: Bool = false
    ) async throws -> DomainKnowledge {
        var usable: [TrustAnchor] = []
        if domain == home {
            // Whatever the server says: for its own domain only the pinned root counts.
            usable = [try TrustAnchor(root, scope: .domain(home))]
        } else {
            for der in anchors { usable.append(try DomainKnowledge.anchor(MailCertificate(der: der))) }
        }
        // Another domain's metadata may be past its time at our server until that domain is in touch again. What it
        // signed before is not less true; a revocation since then is unknown to the server too.
        return try await DomainKnowledge(
            domain: domain, anchors: usable, octets: octets, at: now, known: known,
            allowStale: allowStale || domain != home)
    }
}
