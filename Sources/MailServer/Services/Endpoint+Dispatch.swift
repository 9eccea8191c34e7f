import Identity
import MailModel
import PluginAPI
import SOAP
import WSSecurity
import XMLCore

extension Endpoint {
    typealias PayloadWriter = (inout XMLWriter) throws -> Void

    /// Calls the service behind an operation. Who may call it at all was decided by the security policy's table.
    func dispatch(
        _ request: AuthenticatedRequest, _ credentials: CallCredentials, _ facts: CallFacts
    ) async throws -> PayloadWriter {
        let element = request.payload.element
        switch request.operation {
        case .challenge: return writer(services.tokens.challenge())
        case .issueToken, .renewToken, .cancelToken:
            let response = try await services.tokens.token(request, generation: credentials.generation)
            return { try response.write(into: &$0) }
        case .deliver:
            let response = try await services.deliver.deliver(.parse(element), from: Endpoint.peer(request))
            core.metrics.increment(.messagesReceived, by: UInt64(response.accepted))
            return writer(response)
        case .peerStatus:
            return writer(try await services.deliver.status(.parse(element), from: Endpoint.peer(request)))
        case .extension: return writer(try await callExtension(request))
        case .metadata: return writer(try await services.directory.metadata(.parse(element)))
        case .issueAssertion:
            let response = try await services.assertions.issue(request)
            return { try response.write(into: &$0) }
        case .send:
            if case .federated(let author) = request.principal { return try await sendDirectly(request, author) }
            return try await dispatchUser(request, facts)
        default: return try await dispatchUser(request, facts)
        }
    }

    private func sendDirectly(_ request: AuthenticatedRequest, _ author: Address) async throws -> PayloadWriter {
        try await requireService(.send, of: author)
        let response = try await services.direct.send(.parse(request.payload.element), by: author)
        core.metrics.increment(.messagesReceived)
        return writer(response)
    }

    /// The administrator's rule for tokens of the holder's domain; asked for each call.
    private func requireService(_ service: FederatedService, of holder: Address) async throws {
        let policy = try await TokenPolicies(store: core.store).policy(for: holder.domain)
        guard policy.services.contains(service) else {
            throw SOAPFault(.untrustedIssuer, "tokens of \(holder.domain) do not count here for \(service.rawValue)")
        }
    }

    private func dispatchUser(_ request: AuthenticatedRequest, _ facts: CallFacts) async throws -> PayloadWriter {
        let element = request.payload.element
        let user = try Endpoint.user(request)
        switch request.operation {
        case .send:
            let response = try await services.submission.send(
                .parse(element),
                by: .init(address: user, method: Endpoint.method(request), identity: Endpoint.identity(request)))
            core.metrics.increment(.messagesSubmitted)
            return writer(response)
        case .list: return writer(try await services.mailbox.list(.parse(element), of: user))
        case .retrieve: return writer(try await services.mailbox.retrieve(.parse(element), of: user))
        case .delete: return writer(try await services.mailbox.delete(.parse(element), of: user))
        case .mark: return writer(try await services.mailbox.mark(.parse(element), of: user))
        case .move: return writer(try await services.mailbox.move(.parse(element), of: user))
        case .status: return writer(try await services.mailbox.status(.parse(element), of: user))
        case .enroll:
            // Who only holds a key must not outlive its revocation by having another one certified.
            guard Endpoint.method(request) == .password else {
                throw SOAPFault(.forbidden, "a key is certified in a session that was opened with the password")
            }
            return writer(try await services.tokens.enroll(.parse(element), of: user))
        case .changePassword:
            return writer(
                try await services.tokens.changePassword(.parse(element), of: user, from: facts.peerAddress))
        default: throw SOAPFault(.unknownAction, "this server does not offer \(request.operation.rawValue)")
        }
    }

    private func callExtension(_ request: AuthenticatedRequest) async throws -> ExtensionOperation.Response {
        let (kind, principal): (ExtensionCaller, Address?)
        switch request.principal {
        case .user(let address): (kind, principal) = (.user, address)
        case .peer: (kind, principal) = (.peer, nil)
        case .federated(let address):
            try await requireService(.attachments, of: address)
            (kind, principal) = (.federated, nil)
        case .anonymous: throw SOAPFault(.forbidden, "extensions are for users and servers of other domains")
        }
        return try await services.extensions.call(
            .parse(request.payload.element), by: Endpoint.identity(request), kind: kind, principal: principal)
    }

    /// What plug-ins may learn of the caller.
    private static func identity(_ request: AuthenticatedRequest) -> CallerIdentity {
        let principal =
            switch request.principal {
            case .user(let address): address.description
            case .peer(let domain): domain.description
            case .federated(let address): address.description
            case .anonymous: ""
            }
        let method = request.session?.method ?? request.method
        return CallerIdentity(principal: principal, method: method.rawValue, token: request.assertion?.octets ?? request.certificate?.der)
    }

    private func writer(_ response: some Payload) -> PayloadWriter {
        { try response.write(into: &$0) }
    }

    private static func user(_ request: AuthenticatedRequest) throws(SOAPFault) -> Address {
        guard case .user(let address) = request.principal else {
            throw SOAPFault(.forbidden, "\(request.operation.rawValue) is for users")
        }
        return address
    }

    private static func peer(_ request: AuthenticatedRequest) throws(SOAPFault) -> MailDomain {
        guard case .peer(let domain) = request.principal else {
            throw SOAPFault(.forbidden, "\(request.operation.rawValue) is for servers of other domains")
        }
        return domain
    }

    /// How the author proved who they are, for the Postmark: a session counts as what opened it.
    private static func method(_ request: AuthenticatedRequest) -> Postmark.AuthenticationMethod {
        (request.session?.method ?? request.method) == .x509 ? .x509 : .password
    }
}

extension DeliverOperation.Response {
    var accepted: Int {
        results.count { if case .receipt = $0 { true } else { false } }
    }
}
