import FoundationEssentials
import SOAP
import XMLCore

extension RequestVerifier {
    /// A call whose shape and policy are checked, and nothing else.
    struct Call {
        let envelope: IncomingEnvelope
        let operation: MailOperation
        let rule: SecurityPolicy.Rule
        let payload: XMLElement
        let kind: CredentialKind
        let security: SecurityHeader?
        let sequence: XMLElement?
        let channel: ChannelFacts
        let now: Date

        var addressing: Addressing { envelope.addressing }
        var timestamp: MessageTimestamp? { security?.timestamp }

        init(_ envelope: IncomingEnvelope, channel: ChannelFacts, now: Date, verifier: RequestVerifier) throws {
            (operation, payload) = try Self.operation(of: envelope)
            guard let rule = verifier.policy[operation] else {
                throw SOAPFault(.unknownAction, "This server does not offer that operation.")
            }
            if let to = envelope.addressing.to, !verifier.services.contains(to.value) {
                throw SOAPFault(.wrongDestination, "This server is not the one that wsa:To names.")
            }
            security = try envelope.header(Names.security).map { element throws(SOAPFault) in
                try SecurityHeader(element)
            }
            kind = try Self.kind(security)
            guard rule.credentials.contains(kind) else { throw Self.refusal(of: kind) }
            guard channel.tls || !(rule.requiresTLS || kind == .username || kind == .federated) else {
                throw SOAPFault(.forbidden, "This operation needs TLS.")
            }
            sequence = try envelope.header(Names.sequence)
            self.envelope = envelope
            self.rule = rule
            self.channel = channel
            self.now = now
            if kind != .anonymous { try requireHeaders() }
        }

        // A missing MessageID must never switch replay protection off.
        private func requireHeaders() throws(SOAPFault) {
            let required: [(Bool, String)] = [
                (addressing.messageID != nil, "wsa:MessageID"), (addressing.action != nil, "wsa:Action"),
                (addressing.to != nil, "wsa:To"), (timestamp != nil, "wsu:Timestamp"),
                (sequence != nil || kind != .session, "w:Sequence"),
            ]
            for (isPresent, name) in required where !isPresent {
                throw SOAPFault(.missingHeader, "The header \(name) is required.")
            }
        }

        private static func operation(of envelope: IncomingEnvelope) throws(SOAPFault) -> (MailOperation, XMLElement) {
            guard let payload = envelope.payload else { throw SOAPFault(.malformedEnvelope, "The Body is empty.") }
            let operation: MailOperation?
            if let action = envelope.addressing.action {
                operation = MailOperation(action: action.value)
            } else {
                // Allowed for anonymous operations only; the others miss a required header below.
                operation = MailOperation.allCases.first { payload.isNamed($0.payloadName) }
            }
            guard let operation else { throw SOAPFault(.unknownAction, "No such operation.") }
            guard payload.isNamed(operation.payloadName) else {
                throw SOAPFault(.actionMismatch, "wsa:Action and the payload name different operations.")
            }
            return (operation, payload)
        }

        /// Exactly one kind of credential: two at once would leave open who is meant.
        private static func kind(_ security: SecurityHeader?) throws(SOAPFault) -> CredentialKind {
            guard let security else { return .anonymous }
            if security.assertion != nil {
                guard security.contextToken == nil, security.usernameToken == nil, security.binaryTokens.isEmpty else {
                    throw SOAPFault(.failedAuthentication, "The call carries more than one credential.")
                }
                return .federated
            }
            switch (security.contextToken != nil, security.usernameToken != nil, security.signature != nil) {
            case (true, false, true): return .session
            case (false, true, false): return .username
            case (false, false, true): return .x509
            case (false, false, false): return .anonymous
            case (true, false, false): throw SOAPFault(.unsignedPart, "A session call must be signed.")
            default: throw SOAPFault(.failedAuthentication, "The call carries more than one credential.")
            }
        }

        private static func refusal(of kind: CredentialKind) -> SOAPFault {
            kind == .anonymous
                ? SOAPFault(.failedAuthentication, "This operation needs credentials.")
                : SOAPFault(.forbidden, "This operation does not accept that kind of credential.")
        }

        /// The parts of the addressing that are there, and the sequence.
        var addressingElements: [(name: String, element: XMLElement)] {
            var parts: [(String, XMLElement)] = []
            if let to = addressing.to { parts.append(("wsa:To", to.element)) }
            if let action = addressing.action { parts.append(("wsa:Action", action.element)) }
            if let id = addressing.messageID { parts.append(("wsa:MessageID", id.element)) }
            if let relates = addressing.relatesTo { parts.append(("wsa:RelatesTo", relates.element)) }
            if let sequence { parts.append(("w:Sequence", sequence)) }
            return parts
        }
    }
}
