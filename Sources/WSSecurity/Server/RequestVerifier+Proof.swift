import FoundationEssentials
import Identity
import SOAP
import XMLCore
import XMLSecurity

extension RequestVerifier {
    // MARK: Session profile (design §4): SecurityContextToken, HMAC, one signature over everything.

    func proveSession(_ call: Call, binding: inout ReplyBinding) async throws -> Proof {
        guard let security = call.security, let token = security.contextToken, let signature = security.signature,
            let timestamp = call.timestamp, let sequence = call.sequence
        else { throw SOAPFault(.malformedEnvelope, "The session call is incomplete.") }
        guard let session = try await credentials.session(id: token.identifier), session.id == token.identifier,
            !session.isExpired(at: call.now)
        else { throw Refusal(.unknownSession, "No such session; open a new one.", log: "unknown or expired session") }
        let verified = try verifySignature(signature, of: call) { hint, algorithm throws(SignatureError) in
            guard algorithm == .hmacSHA256, case .reference(let id, _) = hint, id == token.id else {
                throw SignatureError(.wrongKeyType, "a session call is signed with its session's key")
            }
            return .hmac(session.keys.client)
        }
        let body = try requireSigned(call, timestamp, verified, addressing: true)
        // From here on the caller is known to hold the session's key: answer with it, faults too.
        binding = binding.protected(by: .session(session.keys))
        guard timestamp.isFresh(at: call.now, skew: skew) else { throw MessageTimestamp.stale(call.now) }
        guard let text = try? sequence.simpleText(), text.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let number = UInt64(text)
        else { throw SOAPFault(.malformedEnvelope, "w:Sequence is no number.") }
        return Proof(
            principal: session.principal, method: .session, protection: .signed(body: body), session: session,
            sequence: number)
    }

    // MARK: Transport profile: password over TLS.

    func proveUsername(_ call: Call) async throws -> Proof {
        guard let token = call.security?.usernameToken, let timestamp = call.timestamp else {
            throw SOAPFault(.malformedEnvelope, "The UsernameToken is missing.")
        }
        guard call.channel.tls else { throw SOAPFault(.forbidden, "A password needs TLS.") }
        guard timestamp.isFresh(at: call.now, skew: skew) else { throw MessageTimestamp.stale(call.now) }
        let refusal = Refusal(.failedAuthentication, "Address or password is wrong.", log: "wrong password")
        guard let address = try? Address(token.username) else { throw refusal }
        guard try await credentials.authenticate(address, password: token.password) else { throw refusal }
        return Proof(principal: .user(address), method: .password, protection: .transport)
    }

    // MARK: Transport profile: X.509 signature.

    func proveCertificate(_ call: Call, binding: inout ReplyBinding) async throws -> Proof {
        guard let security = call.security, let signature = security.signature, let timestamp = call.timestamp else {
            throw SOAPFault(.malformedEnvelope, "The signature is missing.")
        }
        let certificate = try await certificate(signing: signature, in: security)
        if case .rsa = certificate.publicKey { binding = binding.protected(by: .certificate(rsa: true)) }
        let verified = try verifySignature(signature, of: call) { _, algorithm throws(SignatureError) in
            guard algorithm != .hmacSHA256 else {
                throw SignatureError(.wrongKeyType, "a certificate's key makes no HMAC")
            }
            return certificate.publicKey
        }
        let body = try requireSigned(
            call, timestamp, verified, addressing: call.rule.principals.isSubset(of: call.rule.addressingSigned))
        guard timestamp.isFresh(at: call.now, skew: skew) else { throw MessageTimestamp.stale(call.now) }
        let stapled = call.operation == .issueToken ? TokenRequest.stapledMetadata(in: call.payload) : nil
        let principal = try await credentials.principal(of: certificate, stapled: stapled, at: call.now)
        guard principal != .anonymous else { throw SOAPFault(.untrustedCertificate, "The certificate names nobody.") }
        // Where it depends on who calls, that had to be known first.
        if call.rule.addressingSigned.contains(principal.kind) { try requireAddressingSigned(call, verified) }
        return Proof(
            principal: principal, method: .x509, protection: .signed(body: body), certificate: certificate,
            attemptID: Self.attemptID(call, verified))
    }

    /// Stock stacks sign Body and Timestamp only. Their digests stand for the call then; the signature value would not do,
    /// since ECDSA has two for each.
    private static func attemptID(_ call: Call, _ verified: VerifiedSignature) -> String? {
        if let id = call.addressing.messageID?.element, verified.verified(id) != nil { return nil }
        return "signed:" + Base64.encodeToString(verified.elements.flatMap(\.digest))
    }

    /// The certificate a KeyInfo means: one in the message or one we know.
    private func certificate(signing signature: XMLElement, in security: SecurityHeader) async throws -> MailCertificate {
        let hint = try keyHint(of: signature)
        if let found = CertificateMatch.find(hint, among: security.binaryTokens) { return found }
        switch hint {
        case .certificate(let der):
            guard let certificate = try? MailCertificate(der: der) else {
                throw SOAPFault(.malformedEnvelope, "The KeyInfo holds no readable certificate.")
            }
            return certificate
        case .thumbprintSHA256, .thumbprintSHA1, .issuerSerial, .subjectKeyIdentifier:
            guard let known = try await credentials.certificate(matching: hint), CertificateMatch.matches(known, hint)
            else { throw SOAPFault(.unknownCertificate, "Send the certificate along as a BinarySecurityToken.") }
            return known
        case .samlID: throw SOAPFault(.failedAuthentication, "Assertions are not accepted here.")
        default: throw Refusal(.failedCheck, "The signature does not verify.", log: "KeyInfo points at no token")
        }
    }

    // MARK: Signatures

    func keyHint(of signature: XMLElement) throws -> KeyHint {
        do {
            guard let keyInfo = try signature.optional(Names.keyInfo) else { return .none }
            return try KeyHint.parse(keyInfo)
        } catch {
            throw Refusal(.failedCheck, "The signature does not verify.", log: "KeyInfo: \(error)")
        }
    }

    func verifySignature(
        _ signature: XMLElement, of call: Call,
        key: (KeyHint, SignatureAlgorithm?) throws(SignatureError) -> VerificationKey
    ) throws -> VerifiedSignature {
        let algorithm = SignatureAlgorithm(signature)
        do {
            return try signatures.verify(signature, in: call.envelope.document.root) { hint throws(SignatureError) in
                try key(hint, algorithm)
            }
        } catch {
            throw Refusal(error)
        }
    }

    /// Checks by element identity that what we act on is what was signed; returns the signed Body.
    func requireSigned(
        _ call: Call, _ timestamp: MessageTimestamp, _ verified: VerifiedSignature, addressing: Bool
    ) throws -> VerifiedElement {
        guard let body = verified.verified(call.envelope.body) else {
            throw SOAPFault(.unsignedPart, "The Body must be signed.")
        }
        guard verified.verified(timestamp.element) != nil else {
            throw SOAPFault(.unsignedPart, "The Timestamp must be signed.")
        }
        if addressing { try requireAddressingSigned(call, verified) }
        return body
    }

    private func requireAddressingSigned(_ call: Call, _ verified: VerifiedSignature) throws(SOAPFault) {
        for (name, element) in call.addressingElements where verified.verified(element) == nil {
            throw SOAPFault(.unsignedPart, "The header \(name) must be signed.")
        }
    }
}

extension SignatureAlgorithm {
    private static let signedInfo = XMLName(Namespaces.ds, "SignedInfo")
    private static let signatureMethod = XMLName(Namespaces.ds, "SignatureMethod")

    /// What a `ds:Signature` says it was made with.
    init?(_ signature: XMLElement) {
        let method = signature.first(Self.signedInfo)?.first(Self.signatureMethod)
        guard let uri = method?.attribute("Algorithm") else { return nil }
        self.init(rawValue: uri)
    }
}

extension Refusal {
    /// Which of the signature's troubles the caller may learn about.
    init(_ error: SignatureError) {
        let log = "signature: \(error)"
        switch error.code {
        case .duplicateId: self.init(.duplicateId, "An id occurs more than once.", log: log)
        case .unknownAlgorithm: self.init(.unsupportedAlgorithm, "The signature's algorithm is not supported.", log: log)
        default: self.init(.failedCheck, "The signature does not verify.", log: log)
        }
    }
}
