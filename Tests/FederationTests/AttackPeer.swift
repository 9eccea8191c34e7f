import Foundation
import Identity
import MailModel
import SOAP
import SOAPClient
import TestSupport
import Testing
import WSSecurity
import XMLCore
import XMLSecurity

@testable import MailServer

/// A domain without a server, whose keys the attacker holds: it calls other servers as a peer.
struct AttackPeer: Sendable {
    let identity: TestIdentity

    var domain: MailDomain { identity.domain }
    var signer: DomainSigner { signer(with: identity.signing) }

    init(_ name: String) throws { identity = try TestIdentity(name) }

    func signer(with signing: SigningIdentity, as domain: MailDomain? = nil) -> DomainSigner {
        DomainSigner(domain: domain ?? self.domain, key: signing.key, certificate: signing.certificate)
    }

    /// Another server key that this domain's authority certifies.
    func serverIdentity() throws -> SigningIdentity {
        let key = SigningKey.generateP256()
        return SigningIdentity(
            key: key, certificate: try identity.authority.issueServerCertificate(publicKey: key.publicKey, now: Date()))
    }

    func userIdentity(_ name: String) throws -> SigningIdentity {
        let (key, address) = (SigningKey.generateP256(), try Address(local: name, domain: domain))
        let request = try CertificateRequest.make(address: address, key: key)
        return SigningIdentity(
            key: key, certificate: try identity.authority.issueUserCertificate(request: request, address: address, now: Date()))
    }

    func metadata(_ version: UInt64 = 1, _ change: (inout DomainMetadata) -> Void = { _ in }) throws -> DomainMetadata {
        let now = Date(timeIntervalSince1970: Date().timeIntervalSince1970.rounded())
        var metadata = DomainMetadata(
            domain: domain, version: version, issued: now, nextUpdate: now.addingTimeInterval(86_400), endpoint: "/wsemail",
            roots: [identity.authority.certificate], servers: [identity.signing.certificate],
            limits: .init(maximumMessageSize: 1 << 20, maximumRecipients: 100, maximumBatch: 50))
        change(&metadata)
        return metadata
    }

    func octets(_ metadata: DomainMetadata, by signing: SigningIdentity? = nil) throws -> [UInt8] {
        let signing = signing ?? identity.signing
        return try metadata.signed(by: signing.key, certificate: signing.certificate)
    }

    // MARK: Calls

    func caller(
        to home: TestDomain, under signing: SigningIdentity? = nil, stapling octets: [UInt8]?, over transport: TLSTransport
    ) throws -> SecureCaller {
        var staple: (@Sendable () async throws -> [UInt8])?
        if let octets { staple = { octets } }
        return SecureCaller(
            domain: home.domain, credentials: .certificate(signing ?? identity.signing, metadata: staple), transport: transport,
            trust: AnchoredReplyTrust(TrustStore([try TrustAnchor(home.root, scope: .domain(home.domain))])), clock: { Date() })
    }

    /// The subcode with which opening a session is refused; nil if it is opened.
    func refusal(
        at home: TestDomain, under signing: SigningIdentity? = nil, stapling octets: [UInt8]?
    ) async throws -> FaultSubcode? {
        let transport = TLSTransport()
        let caller = try caller(to: home, under: signing, stapling: octets, over: transport)
        var refusal: FaultSubcode?
        do { try await caller.open(at: home.destination) } catch {
            refusal = try #require(error.fault, "no signed fault, but \(error)").subcode
        }
        await caller.close()
        await transport.shutDown()
        return refusal
    }

    /// Opens a session with `home` and takes its secret.
    func session(with home: TestDomain, over transport: TLSTransport) async throws -> SessionPen {
        let caller = try caller(to: home, stapling: octets(metadata()), over: transport)
        try await caller.open(at: home.destination)
        return SessionPen(try #require(await caller.session))
    }

    // MARK: Mail

    func author(_ name: String = "alice") throws -> Address { try Address(local: name, domain: domain) }

    func message(_ change: (inout Message) -> Void = { _ in }) throws -> SealedMessage {
        var message = Message(
            id: .random(), from: Mailbox(try author()), to: [Mailbox(try Address("bob@scopio.test"))], subject: "Hello",
            date: Date(timeIntervalSince1970: Date().timeIntervalSince1970.rounded()), text: "Hi")
        change(&message)
        return try SealedMessage(message)
    }

    func postmark(
        _ message: SealedMessage, by signer: DomainSigner? = nil, recipients: [String] = ["bob@scopio.test"],
        _ change: (inout Postmark) -> Void = { _ in }
    ) throws -> [UInt8] {
        let signer = signer ?? self.signer
        var postmark = Postmark(
            message: message, signer: signer, destination: try MailDomain("scopio.test"),
            recipients: try recipients.map { try Address($0) }, sender: message.message.from.address, method: .password, time: Date())
        change(&postmark)
        return try postmark.sealed(by: signer)
    }

    /// One good item, as text.
    func item(_ change: (inout Message) -> Void = { _ in }) throws -> String {
        let message = try message(change)
        return AttackPeer.item(message.octets, try postmark(message))
    }

    static func item(_ message: [UInt8], _ postmark: [UInt8]) -> String {
        "<w:Item>" + String(decoding: message, as: UTF8.self) + String(decoding: postmark, as: UTF8.self) + "</w:Item>"
    }
}

extension TestDomain {
    var destination: HTTPDestination {
        HTTPDestination(
            name: domain.ascii, endpoints: [.init(address: "127.0.0.1", port: port)], roots: .certificates([root.der]))
    }

    func trust(_ peer: AttackPeer) async throws {
        let root = peer.identity.authority.certificate
        try await store.addTrustAnchor(
            .init(
                thumbprint: root.thumbprintSHA256, der: root.der, scope: .domain(peer.domain), label: "test", added: Date(),
                addedBy: "test"))
        try await server.core.trust.reload()
    }

    /// Does what an administrator does, through the admin socket.
    @discardableResult
    func admin(_ request: AdminRequest) async throws -> AdminReply {
        let client = AdminClient(path: configuration.adminSocketPath)
        return try await withCheckedThrowingContinuation { continuation in
            // It blocks, and the threads of Swift tasks are few.
            Thread.detachNewThread { continuation.resume(with: Result { try client.perform(request) }) }
        }
    }
}

/// A real server of scopio.test that trusts two domains whose keys the attacker holds.
final class PeerArena: Sendable {
    let dns: TestDNS
    let home: TestDomain
    let capicom: AttackPeer
    let evil: AttackPeer
    let transport = TLSTransport()
    let fromCapicom: SessionPen
    let fromEvil: SessionPen

    init() async throws {
        dns = try TestDNS([])
        home = try await TestDomain.start("scopio.test", port: try freePort(), dns: dns, users: ["bob", "dave"]) {
            $0.maxMessageBytes = 200_000
        }
        capicom = try AttackPeer("capicom.test")
        evil = try AttackPeer("evil.test")
        try await home.trust(capicom)
        try await home.trust(evil)
        fromCapicom = try await capicom.session(with: home, over: transport)
        fromEvil = try await evil.session(with: home, over: transport)
    }

    func remove() async throws {
        await transport.shutDown()
        try await home.remove()
        dns.stop()
    }

    /// A call in a session, posted as it is; the payload of the reply, or the fault.
    func call(_ operation: MailOperation, _ payload: String, by pen: SessionPen) async throws -> XMLElement {
        let forge = Forge(
            to: ServiceName.domain(home.domain), action: operation.action, sequence: String(pen.number()), tokens: pen.token,
            payload: payload, key: .hmac(pen.keys.client), keyInfo: .reference(id: "s", valueType: URIs.securityContextToken))
        let reply = try await transport.send(
            HTTPCall(
                to: home.destination, headers: [HTTPField("Content-Type", MediaType.soap(action: operation.action))],
                body: try forge.sealed().bytes, mayCompress: false))
        let envelope = try IncomingEnvelope(parsing: reply.body)
        if let fault = envelope.fault { throw fault }
        let signature = try #require(try envelope.header(Names.security)).only(Names.signature)
        let verified = try SignatureVerifier(opaque: [Names.receipt]).verify(signature, in: envelope.document.root) {
            (_) throws(SignatureError) in .hmac(pen.keys.server)
        }
        try #require(verified.verified(envelope.body) != nil)
        return try #require(envelope.payload)
    }

    func deliver(_ items: [String], by pen: SessionPen) async throws -> [DeliverOperation.Result] {
        let payload = try await call(.deliver, "<w:Deliver>\(items.joined())</w:Deliver>", by: pen)
        return try DeliverOperation.Response.parse(payload).results
    }
}

extension DeliverOperation.Result {
    /// The fault's code, nil for a receipt.
    var code: String? {
        if case .fault(let code, _, _) = self { return code }
        return nil
    }

    var octets: [UInt8]? {
        if case .receipt(let octets) = self { return octets }
        return nil
    }

    var states: [RecipientStatus.State] {
        octets.flatMap { try? SealedReceipt(octets: $0).receipt.recipients.map(\.state) } ?? []
    }
}

enum TestDNSFor {
    /// capicom.test and scopio.test on ports of this machine.
    static func two(_ capicom: Int, _ scopio: Int) throws -> TestDNS {
        try TestDNS([
            .service("capicom.test", target: "mail.capicom.test", port: capicom),
            .service("scopio.test", target: "mail.scopio.test", port: scopio),
            .host("mail.capicom.test", ["127.0.0.1"]), .host("mail.scopio.test", ["127.0.0.1"]),
        ])
    }
}
