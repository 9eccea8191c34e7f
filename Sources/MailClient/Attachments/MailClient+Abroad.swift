import Identity
import MailModel
import SOAP
import SOAPClient
import WSSecurity
import XMLSecurity

/// Calls of other domains' servers: by an assertion of the home server about us, and a proof of the key it names.
extension MailClient {
    /// Another domain's server, and what proves to it who we are.
    struct Visit {
        let caller: FederatedCaller
        let credential: FederatedCaller.Credential
        let destination: HTTPDestination
    }

    func visit(_ domain: MailDomain) async throws(MailClientError) -> Visit {
        let network = try requireNetwork()
        let known: DomainKnowledge
        do { known = try await trust.knowledge(of: domain) } catch { throw MailClientError(error) }
        let destination = try await network.service(of: domain, anchors: known.anchors)
        let key = SigningKey.generateP256()
        let token = try await assertion(for: domain, key)
        let book = MemoryMetadataBook()
        await book.keep(known.metadata)
        let caller = FederatedCaller(
            domain: domain, transport: network.calls, trust: AnchoredReplyTrust(known.trust, book: book), clock: clock)
        return Visit(
            caller: caller,
            credential: .init(assertion: token.assertion.octets, key: key, metadata: token.metadata), destination: destination)
    }

    /// One call about one attachment, signed with a key made for it alone.
    /// - Throws: `refused` with what that server says; `untrustedServer` where its answer is not signed by it.
    func callAbroad(_ domain: MailDomain, _ call: AttachmentCall, about guid: String) async throws(MailClientError) -> [UInt8] {
        let visit = try await visit(domain)
        do {
            let challenge = try await visit.caller.challenge(at: visit.destination)
            // The key signs To (the server), and the Body with the server's challenge and the GUID: nobody who gets hold of the
            // assertion, or of this call, can ask for anything with it.
            let request = try ExtensionOperation.Request(
                identifier: AttachmentsXML.namespace, content: call.octets(), challenge: challenge)  // model: pop
            let reply = try await visit.caller.call(.extension, as: visit.credential, at: visit.destination) {
                try request.write(into: &$0)
            }
            return try ExtensionOperation.Response.parse(reply.payload).content
        } catch {
            throw Self.failure(error, of: domain)
        }
    }

    /// A word of the home server, for that domain only, about who we are and the key.
    private func assertion(for domain: MailDomain, _ key: SigningKey) async throws(MailClientError) -> AssertionResponse {
        let confirmation: ConfirmationKey
        do { confirmation = try ConfirmationKey(key.publicKey) } catch { throw MailClientError(error) }
        let token = try await server.assertion(AssertionRequest(audience: domain, confirmation: .holderOfKey(confirmation)))
        guard token.assertion.subject == account.address else {
            throw MailClientError(.untrustedServer, "your server vouches for another address than yours")
        }
        return token
    }

    /// What another domain's server says is told as its word.
    static func failure(_ error: any Error, of domain: MailDomain) -> MailClientError {
        if let fault = (error as? SOAPClientError)?.fault ?? error as? SOAPFault {
            let subcode = fault.subcode.rawValue
            switch fault.subcode {
            case .extensionFailed:
                return MailClientError(.refused, fault.reason, fault: subcode)
            case .untrustedIssuer, .invalidToken, .failedAuthentication, .untrustedCertificate, .unknownCertificate, .forbidden:
                return MailClientError(
                    .refused, "the server of \(domain) does not accept your domain's word about you: \(fault.reason)",
                    advice: "Your domain's administrator can settle that with the one of \(domain).", fault: subcode)
            case .unknownExtension:
                return MailClientError(.refused, "the server of \(domain) has no plug-in for attachments", fault: subcode)
            default:
                return MailClientError(
                    .refused, "the server of \(domain) says: \(fault.reason)", fault: subcode, isTransient: fault.isTransient)
            }
        }
        let failure = MailClientError(error)
        return MailClientError(
            failure.code, "\(domain): \(failure.reason)", advice: failure.code == .unreachable ? failure.advice : nil,
            isTransient: failure.isTransient)
    }
}
