import Foundation
import Identity
import WSSecurity

/// Decides whose signature under a reply counts.
public protocol ReplyTrust: Sendable {
    /// The signer's certificate if it speaks for `domain` now; nil if it does not or is not known.
    /// - Parameter stapled: DomainMetadata octets that came inside this very reply, not verified by anyone yet.
    func certificate(
        of signer: ReplySigner, for domain: MailDomain, stapled: [UInt8]?, now: Date
    ) async throws -> MailCertificate?

    /// True when the domain's metadata should be fetched before a session is opened: none is known, or it is stale.
    func needsMetadata(of domain: MailDomain, now: Date) async -> Bool

    /// Verifies and keeps metadata of `domain`, wherever its octets came from.
    func learn(_ octets: [UInt8], of domain: MailDomain, now: Date) async throws
}

/// Where verified metadata of domains is kept: the peers' table of a server, a file of a client, a dictionary of a test.
public protocol MetadataBook: Sendable {
    func metadata(of domain: MailDomain) async throws -> VerifiedMetadata?
    func keep(_ metadata: VerifiedMetadata) async throws
}

/// A book in memory.
public actor MemoryMetadataBook: MetadataBook {
    private var entries: [MailDomain: VerifiedMetadata] = [:]
    private let capacity: Int

    public init(capacity: Int = 10_000) {
        self.capacity = max(1, capacity)
    }

    public func metadata(of domain: MailDomain) -> VerifiedMetadata? { entries[domain] }

    public func keep(_ metadata: VerifiedMetadata) {
        // Only domains under our anchors come this far; above the capacity any of them may be asked again.
        if entries.count >= capacity, entries[metadata.metadata.domain] == nil, let any = entries.keys.first {
            entries[any] = nil
        }
        entries[metadata.metadata.domain] = metadata
    }
}

/// The usual decision: a server certificate that chains to an anchor allowed for the domain and that the domain's metadata has not
/// revoked.
public struct AnchoredReplyTrust: ReplyTrust {
    private let trust: TrustStore
    private let book: any MetadataBook

    public init(_ trust: TrustStore, book: any MetadataBook = MemoryMetadataBook()) {
        self.trust = trust
        self.book = book
    }

    public func certificate(
        of signer: ReplySigner, for domain: MailDomain, stapled: [UInt8]?, now: Date
    ) async throws -> MailCertificate? {
        if let stapled {
            // A bad staple is no reason to refuse a signer whom we know otherwise.
            try? await learn(stapled, of: domain, now: now)
        }
        let known = try await book.metadata(of: domain)?.metadata
        let certificate: MailCertificate
        switch signer {
        case .certificate(let shown): certificate = shown
        case .hint(.thumbprintSHA256(let thumbprint)):
            guard let found = known?.server(thumbprintSHA256: thumbprint) else { return nil }
            certificate = found
        case .hint: return nil
        }
        let chain = [certificate] + (known.map { Array($0.chain(of: certificate).dropFirst()) } ?? [])
        do {
            let validated = try await trust.validateServer(
                chain, speaksFor: domain, at: now, revoked: known?.revoked ?? .none)
            return validated.certificate
        } catch {
            return nil
        }
    }

    public func needsMetadata(of domain: MailDomain, now: Date) async -> Bool {
        guard let known = try? await book.metadata(of: domain) else { return true }
        return known.isStale(at: now)
    }

    public func learn(_ octets: [UInt8], of domain: MailDomain, now: Date) async throws {
        let known = try await book.metadata(of: domain)
        guard known?.octets != octets else { return }
        let verified = try await VerifiedMetadata.verify(octets, of: domain, trust: trust, at: now, known: known)
        try await book.keep(verified)
    }
}
