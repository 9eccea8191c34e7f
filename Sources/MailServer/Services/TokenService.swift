import Foundation
import Identity
import MailModel
import MailStore
import SOAP
import WSSecurity
import XMLCore

/// Challenge, RequestSecurityToken (WS-SecureConversation), Enroll and ChangePassword.
final class TokenService: Sendable {
    private let core: ServerCore
    private let sessions: SessionDirectory
    private let passwords: PasswordGate
    private let publisher: MetadataPublisher
    private let replay: ReplayKeeper
    private let challenges: ChallengeDesk

    init(
        core: ServerCore, sessions: SessionDirectory, passwords: PasswordGate, publisher: MetadataPublisher,
        replay: ReplayKeeper, challenges: ChallengeDesk
    ) {
        self.core = core
        self.sessions = sessions
        self.passwords = passwords
        self.publisher = publisher
        self.replay = replay
        self.challenges = challenges
    }

    func challenge() -> ChallengeOperation.Response {
        let now = core.now()
        let (challenge, expires) = challenges.issue(now: now)
        return ChallengeOperation.Response(challenge: challenge, expires: expires)
    }

    /// Opens, renews or cancels a session.
    /// - Parameter generation: the credential generation that the call proved.
    func token(_ request: AuthenticatedRequest, generation: Int64) async throws -> TokenResponse {
        let now = core.now()
        let token = try TokenRequest.parse(request, now: now)
        switch token.kind {
        case .issue: return try await issue(token, request, generation: generation, now: now)
        case .renew:
            let old = try ownSession(token, request)
            // A peer proves again that its key is published and not revoked: it opens a new session.
            guard case .user = old.principal else {
                throw SOAPFault(.forbidden, "a server opens a new session instead of renewing one")
            }
            let record = try await sessions.renew(old, now: now)
            replay.forget(session: old.id)
            replay.begin(session: record.id)
            return .issued(record, context: token.context, metadata: nil)
        case .cancel:
            let old = try ownSession(token, request)
            try await sessions.end(old.id)
            replay.forget(session: old.id)
            return .cancelled(context: token.context)
        }
    }

    private func issue(
        _ token: TokenRequest, _ request: AuthenticatedRequest, generation: Int64, now: Date
    ) async throws -> TokenResponse {
        guard request.session == nil else {
            throw SOAPFault(.forbidden, "a session opens no other session: renew it, or log in")
        }
        if request.method == .x509 {
            // The signature covers the challenge, so a recorded request opens nothing twice.
            guard let challenge = token.challenge, challenges.redeem(challenge, now: now) else {
                throw SOAPFault(.failedAuthentication, "the challenge is missing, used or too old: ask for a new one")
            }
        }
        let record = try await sessions.open(
            for: request.principal, method: request.method, generation: generation, now: now)
        replay.begin(session: record.id)
        core.metrics.increment(.sessionsOpened)
        return .issued(record, context: token.context, metadata: try await publisher.octets())
    }

    private func ownSession(_ token: TokenRequest, _ request: AuthenticatedRequest) throws -> SecuritySession {
        guard let session = request.session, token.target == nil || token.target == session.id else {
            throw SOAPFault(.forbidden, "a session is renewed or cancelled under its own signature")
        }
        return session
    }

    /// Certifies a user's key.
    func enroll(_ request: EnrollOperation.Request, of user: Address) async throws -> EnrollOperation.Response {
        let now = core.now()
        let csr = try parseRequest(request.request)
        let certificate = try core.keys.authority.issueUserCertificate(request: csr, address: user, now: now)
        guard let serial = Hex.decode(certificate.serial.utf8) else {
            throw IdentityError(.malformedCertificate, "the serial number of a new certificate is not hexadecimal")
        }
        try await core.store.addCertificate(
            IssuedCertificate(
                thumbprint: certificate.thumbprintSHA256, owner: user, der: certificate.der,
                serial: serial, notAfter: certificate.notAfter, added: now))
        core.logger.notice("key enrolled", metadata: ["user": "\(user)", "serial": "\(certificate.serial)"])
        return EnrollOperation.Response(certificates: [certificate.der, core.keys.authority.certificate.der])
    }

    private func parseRequest(_ der: [UInt8]) throws -> CertificateRequest {
        do { return try CertificateRequest(der: der) } catch {
            // What the certificate library says of it names its own source files.
            core.logger.info("certificate request refused", metadata: ["reason": "\(error)"])
            throw SOAPFault(.invalidMessage, "the certificate request is malformed or of a key that is not accepted")
        }
    }

    func changePassword(
        _ request: ChangePasswordOperation.Request, of user: Address, from peerAddress: String
    ) async throws -> ChangePasswordOperation.Response {
        let now = core.now()
        guard try await passwords.check(user, password: request.old, from: peerAddress, now: now) != nil else {
            throw SOAPFault(.failedAuthentication, "the old password is wrong")
        }
        let hash: String
        do { hash = try await passwords.hash(request.new) } catch let error as IdentityError {
            throw SOAPFault(.invalidMessage, error.reason)
        }
        let ended = try await core.store.setPasswordHash(hash, of: user, now: now)
        sessions.forget(ended)
        for id in ended { replay.forget(session: id) }
        core.logger.notice("password changed", metadata: ["user": "\(user)", "sessionsEnded": "\(ended.count)"])
        return ChangePasswordOperation.Response()
    }
}
