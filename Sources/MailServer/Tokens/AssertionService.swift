import Foundation
import Identity
import MailStore
import SOAP
import WSSecurity
import XMLSecurity

/// The security token service (WS-Trust 1.3 §4): tells another domain, for minutes, that a user of this one is who they are.
struct AssertionService: Sendable {
    let core: ServerCore
    let publisher: MetadataPublisher

    /// Policy lets users only come this far: a token buys no other token.
    func issue(_ request: AuthenticatedRequest) async throws -> AssertionResponse {
        guard case .user(let user) = request.principal else {
            throw SOAPFault(.forbidden, "tokens are issued to users of this domain")
        }
        let now = core.now()
        let wanted = try AssertionRequest.parse(request, now: now)
        let isBearer = wanted.confirmation == .bearer
        if isBearer {
            let policy = try await TokenPolicies(store: core.store).policy(for: wanted.audience)
            guard policy.allowsBearer else {
                throw SOAPFault(
                    .forbidden,
                    "no tokens without a key are issued for \(wanted.audience): name a key (KeyType PublicKey, UseKey), or ask the administrator"
                )
            }
        }
        let longest = Double(core.configuration.tokenMinutes) * 60
        let isKey = (request.session?.method ?? request.method) == .x509
        let assertion = try Assertion(
            subject: user, audience: wanted.audience, confirmation: wanted.confirmation, method: isKey ? .x509 : .password,
            authnInstant: request.session?.created ?? now, now: now, lifetime: min(longest, max(60, wanted.lifetime ?? longest)))
        let octets = try assertion.signed(by: core.keys.signing.key, certificate: core.keys.server)
        core.metrics.increment(.tokensIssued)
        core.logger.info("token issued", metadata: ["user": "\(user)", "audience": "\(wanted.audience)", "bearer": "\(isBearer)"])
        return try AssertionResponse(issued: octets, for: wanted, metadata: try await publisher.octets())
    }
}
