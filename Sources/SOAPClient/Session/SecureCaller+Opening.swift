import Foundation
import Identity
import SOAP
import WSSecurity
import XMLCore

/// How a session comes into being (WS-SecureConversation 1.3 §3).
extension SecureCaller {
    func issue(at destination: HTTPDestination) async throws(SOAPClientError) -> ClientSession {
        await learnDomain(at: destination)
        var repairs = Repairs()
        while true {
            do throws(SOAPClientError) {
                return try await issueOnce(at: destination)
            } catch {
                guard let fault = error.fault, repairs.admit(fault.subcode) else { throw error }
                switch fault.subcode {
                case .staleTimestamp where adjustClock(fault): continue
                case .unknownCertificate where certificateIsKnown: certificateIsKnown = false
                // Sent again by the transport after the server had redeemed the challenge or seen the id.
                case .replay: continue
                default: throw error
                }
            }
        }
    }

    private func issueOnce(at destination: HTTPDestination) async throws(SOAPClientError) -> ClientSession {
        let credential: ClientCredential
        var challenge: [UInt8]?
        var metadata: [UInt8]?
        switch credentials {
        case .anonymous:
            throw SOAPClientError(.invalidRequest, "no credentials to open a session with")
        case .password(let address, let password):
            credential = .password(address, password)
        case .certificate(let identity, let staple):
            // Single use: every attempt takes its own.
            challenge = try await self.challenge(at: destination)
            do {
                metadata = try await staple?()
            } catch {
                throw SOAPClientError(.invalidRequest, "our own metadata cannot be had: \(error)", isTransient: true)
            }
            credential = .certificate(identity, embed: !certificateIsKnown)
        }
        let request = TokenRequest(.issue, challenge: challenge, metadata: metadata)
        let now = serverTime
        let reply = try await attempt(
            .issueToken, at: destination, credential: credential, options: CallOptions(timeout: .seconds(30)),
            payload: { try request.write(into: &$0, now: now) })
        if challenge != nil { certificateIsKnown = true }
        return try Self.session(from: reply)
    }

    /// One value of operation Challenge: it can be used once.
    func challenge(at destination: HTTPDestination) async throws(SOAPClientError) -> [UInt8] {
        let reply = try await callAnonymously(
            .challenge, at: destination, options: CallOptions(timeout: .seconds(30), maxReplyBytes: 1 << 20)
        ) { writer in
            writer.start(Self.challengeTag)
            _ = writer.end()
        }
        do {
            return try reply.payload.only(Names.wsemail("Challenge")).base64Bytes(limit: 256)
        } catch {
            throw SOAPClientError(.untrustedReply, "the challenge cannot be read: \(error.reason)")
        }
    }

    private static let challengeTag = Tags.w("Challenge")

    /// Fetches the domain's metadata if none is known, or it is stale.
    func learnDomain(at destination: HTTPDestination) async {
        if await trust.needsMetadata(of: domain, now: clock()) { await fetchMetadata(at: destination) }
    }

    /// Learns the domain's certificates and revocations before anything is said to it. The document proves itself; when it cannot
    /// be had, what is known already decides about the replies.
    private func fetchMetadata(at destination: HTTPDestination) async {
        let call = HTTPCall(
            to: destination, method: .get, path: "/.well-known/wsemail", timeout: .seconds(20),
            maxReplyBytes: DomainMetadata.maximumSize, mayCompress: false)
        guard let reply = try? await transport.send(call), reply.status == 200 else { return }
        try? await trust.learn(reply.body, of: domain, now: clock())
    }
}
