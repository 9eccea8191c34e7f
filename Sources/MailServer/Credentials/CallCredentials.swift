import Foundation
import Identity
import MailModel
import MailStore
import SOAP
import Synchronization
import WSSecurity
import XMLSecurity

/// Answers the verifier's questions about one call's credentials, and notes which credential generation was checked:
/// a session opened by the call is bound to it.
final class CallCredentials: CredentialResolver, Sendable {
    fileprivate let core: ServerCore
    private let sessions: SessionDirectory
    private let passwords: PasswordGate
    private let peerAddress: String
    private let checked = Mutex<Int64>(0)

    init(core: ServerCore, sessions: SessionDirectory, passwords: PasswordGate, peerAddress: String) {
        self.core = core
        self.sessions = sessions
        self.passwords = passwords
        self.peerAddress = peerAddress
    }

    /// The credential generation of the account that this call proved; 0 for a peer.
    var generation: Int64 { checked.withLock { $0 } }

    func session(id: String) async throws(SOAPFault) -> SecuritySession? {
        try await sessions.session(id, now: core.now())
    }

    func authenticate(_ address: Address, password: String) async throws(SOAPFault) -> Bool {
        guard address.domain == core.domain else { return false }
        let generation = try await passwords.check(address, password: password, from: peerAddress, now: core.now())
        guard let generation else {
            core.metrics.increment(.loginFailures)
            return false
        }
        checked.withLock { $0 = generation }
        return true
    }

    func certificate(matching hint: KeyHint) async throws(SOAPFault) -> MailCertificate? {
        guard case .thumbprintSHA256(let thumbprint) = hint else { return nil }
        do {
            return try await core.store.certificate(thumbprint: thumbprint).map { try MailCertificate(der: $0.der) }
        } catch { throw SOAPFault.from(error) }
    }

    func principal(
        of certificate: MailCertificate, stapled: [UInt8]?, at now: Date
    ) async throws(SOAPFault) -> Principal {
        do {
            switch certificate.role {
            case .user: return .user(try await user(certificate, at: now))
            case .server: return .peer(try await peer(certificate, stapled: stapled, at: now))
            default:
                throw SOAPFault(.untrustedCertificate, "a \(certificate.role.rawValue) certificate signs no calls")
            }
        } catch let error as IdentityError {
            core.logger.notice("certificate refused", metadata: ["reason": "\(error.reason)"])
            throw SOAPFault(
                error.isTransient ? .staleMetadata : .untrustedCertificate, "the certificate is not trusted: \(error.reason)")
        } catch {
            throw SOAPFault.from(error)
        }
    }

    /// The user whom our own authority certified; the certificate must be in the register and not revoked.
    private func user(_ certificate: MailCertificate, at now: Date) async throws -> Address {
        guard let address = certificate.addresses.first, address.domain == core.domain else {
            throw SOAPFault(.untrustedCertificate, "the certificate is not of a user of \(core.domain)")
        }
        // Both asked outside the guard: the optimiser of Swift 6.3 crashes on `try await` inside its conditions.
        let credential = try await core.store.credential(of: address)
        let issued = try await core.store.certificate(thumbprint: certificate.thumbprintSHA256)
        guard let credential, !credential.isDisabled, let issued, issued.owner == address, issued.revoked == nil else {
            throw SOAPFault(.untrustedCertificate, "the certificate is not valid (any more)")
        }
        _ = try await core.trust.trust.validateUser([certificate], address: address, at: now)
        checked.withLock { $0 = credential.generation }
        return address
    }

    /// The domain whose own metadata publishes the certificate.
    private func peer(_ certificate: MailCertificate, stapled: [UInt8]?, at now: Date) async throws -> MailDomain {
        guard let stapled else {
            throw SOAPFault(.staleMetadata, "a server staples its domain metadata when it opens a session")
        }
        let metadata = try await core.trust.learn(stapled, of: nil).metadata
        guard metadata.server(thumbprintSHA256: certificate.thumbprintSHA256) != nil else {
            throw SOAPFault(.untrustedCertificate, "\(metadata.domain) does not publish the certificate of this call")
        }
        _ = try await core.trust.trust.validateServer(
            metadata.chain(of: certificate), speaksFor: metadata.domain, at: now, revoked: metadata.revoked)
        return metadata.domain
    }
}

// MARK: - Federated identity tokens

extension CallCredentials {
    /// Whether a token counts here: its issuer is a domain with which tokens are arranged, its signature one of that very
    /// domain's servers' (not just of some trusted domain), its audience this domain, its time now.
    func federated(_ assertion: UnverifiedAssertion, stapled: [UInt8]?, at now: Date) async throws(SOAPFault) -> VerifiedAssertion {
        let issuer = assertion.issuer
        do {
            let policy = try await TokenPolicies(store: core.store).policy(for: issuer)
            guard !policy.services.isEmpty else {
                throw SOAPFault(.untrustedIssuer, "tokens of \(issuer) do not count here")
            }
            guard policy.allowsBearer || !assertion.isBearer else {
                throw SOAPFault(.invalidToken, "tokens of \(issuer) count here with a key only")
            }
            if issuer != core.domain { try await learn(stapled, of: issuer, signer: assertion.signerThumbprint) }
            let certificate = try await core.trust.serverCertificate(assertion.signerThumbprint, of: issuer, at: now)
            let verified = try assertion.verified(audience: core.domain, at: now, with: certificate.publicKey)
            // Only now: to a forged token the server says nothing about who has an account.
            if issuer == core.domain { try await requireActive(verified.subject) }
            return verified
        } catch let error as IdentityError {
            core.logger.notice("token refused", metadata: ["issuer": "\(issuer)", "reason": "\(error.reason)"])
            throw error.code == .staleMetadata
                ? SOAPFault(.staleMetadata, "the metadata of \(issuer) is stale here: send it along")
                : SOAPFault(error.code == .untrusted ? .untrustedIssuer : .invalidToken, "the token does not count here")
        } catch {
            throw SOAPFault.from(error)
        }
    }

    /// Of our own users we know more than the token says.
    private func requireActive(_ user: Address) async throws {
        let credential = try await core.store.credential(of: user)
        guard let credential, !credential.isDisabled else { throw SOAPFault(.invalidToken, "the token does not count here") }
    }

    /// Takes what the caller sends of the issuer's metadata only where it is needed, and only as worth as its signature.
    private func learn(_ stapled: [UInt8]?, of issuer: MailDomain, signer: [UInt8]) async throws {
        guard let stapled else { return }
        if let known = try await core.trust.metadata(of: issuer) {
            // A key that is not known may be a new one.
            guard known.isStale(at: core.now()) || known.metadata.server(thumbprintSHA256: signer) == nil else { return }
        }
        do {
            _ = try await core.trust.learn(stapled, of: issuer)
        } catch let error as IdentityError {
            // A bad staple is no reason to refuse a token whose signer is known otherwise.
            core.logger.notice("stapled metadata refused", metadata: ["issuer": "\(issuer)", "reason": "\(error.reason)"])
        }
    }
}
