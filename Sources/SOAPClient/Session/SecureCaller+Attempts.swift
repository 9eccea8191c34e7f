import Foundation
import SOAP
import WSSecurity
import XMLCore

/// Each kind of repair once per call: a server that asks for the same again is not going to be content.
struct Repairs {
    private var done: Set<FaultSubcode> = []

    mutating func admit(_ subcode: FaultSubcode) -> Bool { done.insert(subcode).inserted }
}

/// One request, one reply.
extension SecureCaller {
    /// Protects, sends and verifies once.
    func attempt(
        _ operation: MailOperation, at destination: HTTPDestination, credential: ClientCredential, options: CallOptions,
        payload: @Sendable (inout XMLWriter) throws -> Void
    ) async throws(SOAPClientError) -> VerifiedReply {
        let request: ProtectedRequest
        do {
            request = try protector.protect(
                operation, to: ServiceName.domain(domain), credential: credential, now: serverTime, payload: payload)
        } catch {
            throw SOAPClientError(.invalidRequest, "\(error)")
        }
        let reply = try await transport.send(
            HTTPCall(
                to: destination, path: path, headers: [HTTPField("Content-Type", MediaType.soap(action: request.action))],
                body: request.bytes, timeout: options.timeout, maxReplyBytes: options.maxReplyBytes,
                mayCompress: !Self.carriesSecret(operation, credential)))
        return try await verify(reply, for: request, operation, options)
    }

    /// Compressed length tells about content: never beside a secret (RFC 7457 §2.6).
    private static func carriesSecret(_ operation: MailOperation, _ credential: ClientCredential) -> Bool {
        switch credential {
        // A bearer assertion is as good as a password, once.
        case .password, .assertion(_, nil, _): return true
        default: break
        }
        switch operation {
        case .changePassword, .issueToken, .renewToken, .issueAssertion: return true
        default: return false
        }
    }

    private func verify(
        _ reply: HTTPReply, for request: ProtectedRequest, _ operation: MailOperation, _ options: CallOptions
    ) async throws(SOAPClientError) -> VerifiedReply {
        // SOAP 1.2 Part 2 §7.5: answers come as 200, faults as 4xx or 5xx; what is no SOAP was not said by the service.
        guard reply.header("Content-Type").flatMap(MediaType.init(parsing:))?.isSOAP12 == true else {
            throw reply.status == 200
                ? SOAPClientError(.malformedReply, "the reply is not SOAP")
                : SOAPClientError(.httpStatus, "HTTP status \(reply.status)")
        }
        let stapled = operation == .issueToken ? Self.stapledMetadata(reply.body) : nil
        // Freshness by the server's clock, trust by ours: a server must not date its own expired certificate back.
        let (now, today) = (serverTime, clock())
        do {
            return try await verifier.verify(reply.body, for: request.expectation, now: now) { [trust, domain] signer in
                try await trust.certificate(of: signer, for: domain, stapled: stapled, now: today)
            }
        } catch let fault as SOAPFault {
            throw Self.judge(fault, wasResent: reply.wasResent, options)
        } catch {
            throw SOAPClientError(.untrustedReply, Self.describe(error))
        }
    }

    /// The transport had to send the same bytes twice: then "seen already" means that the first did arrive.
    private static func judge(_ fault: SOAPFault, wasResent: Bool, _ options: CallOptions) -> SOAPClientError {
        let seenBefore = fault.subcode == .replay || fault.subcode == .staleSequence
        guard wasResent, seenBefore, !options.isRepeatable else { return SOAPClientError(verified: fault) }
        return SOAPClientError(.outcomeUnknown, "the connection broke, and the peer had seen the request")
    }

    private static func describe(_ error: any Error) -> String {
        guard let error = error as? WSSecurityError else { return "\(error)" }
        guard let claimed = error.untrusted else { return "\(error)" }
        return "\(error); it claims \(claimed.subcode.rawValue): \(claimed.reason)"
    }

    /// The metadata inside a token response that nobody has verified: it carries the proof of its own.
    private static func stapledMetadata(_ bytes: [UInt8]) -> [UInt8]? {
        guard let payload = try? IncomingEnvelope(parsing: bytes).payload else { return nil }
        return try? TokenResponse.parse(payload).metadata
    }

    /// Takes over the server's time from a `StaleTimestamp` fault.
    func adjustClock(_ fault: SOAPFault) -> Bool {
        guard let time = fault.detail.serverTime else { return false }
        clockOffset = time.timeIntervalSince(clock())
        return true
    }
}
