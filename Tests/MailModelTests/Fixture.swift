import Foundation
import Identity
import SOAP
import TestSupport
import XMLCore
import XMLSecurity

@testable import MailModel

/// Two domains with keys, and messages between them.
struct Fixture {
    static let now = Date(timeIntervalSince1970: 1_800_000_000)

    let capicom: TestIdentity
    let scopio: TestIdentity
    let alice: Address
    let bob: Address

    init() throws {
        capicom = try TestIdentity("capicom.test", now: Fixture.now)
        scopio = try TestIdentity("scopio.test", now: Fixture.now)
        alice = try Address("alice@capicom.test")
        bob = try Address("bob@scopio.test")
    }

    func message(_ change: (inout Message) -> Void = { _ in }) throws -> SealedMessage {
        var message = Message(
            id: .random(), from: Mailbox(alice, name: "Alice <&\">"), to: [Mailbox(bob)], subject: "Grüße & more", date: Fixture.now,
            text: "Line one\nLine two\r\n\t<end>")
        change(&message)
        return try SealedMessage(message)
    }

    static func signer(_ identity: TestIdentity, for domain: MailDomain? = nil) -> DomainSigner {
        DomainSigner(
            domain: domain ?? identity.domain, key: identity.signing.key, certificate: identity.signing.certificate)
    }

    func postmark(
        _ message: SealedMessage, by signer: DomainSigner? = nil, sender: Address? = nil,
        recipients: [Address]? = nil, _ change: (inout Postmark) -> Void = { _ in }
    ) throws -> SealedPostmark {
        let signer = signer ?? Fixture.signer(capicom)
        var postmark = Postmark(
            message: message, signer: signer, destination: scopio.domain, recipients: recipients ?? [bob], sender: sender ?? alice,
            method: .password, time: Fixture.now)
        change(&postmark)
        return try SealedPostmark(octets: try postmark.sealed(by: signer))
    }

    func receipt(
        _ message: SealedMessage, by signer: DomainSigner, recipients: [RecipientStatus]
    ) throws -> SealedReceipt {
        let receipt = Receipt(
            messageID: message.message.id, digest: message.digest, postmarkDigest: nil, signer: signer,
            audience: capicom.domain, recipients: recipients, time: Fixture.now)
        return try SealedReceipt(octets: try receipt.sealed(by: signer))
    }

    /// Believes the two domains' signing certificates, each for its own domain only.
    var keys: FixtureKeys { FixtureKeys(identities: [capicom, scopio]) }
}

struct FixtureKeys: DomainKeyResolver {
    let identities: [TestIdentity]

    func key(_ hint: KeyHint, of domain: MailDomain, at date: Date) async throws -> VerificationKey {
        for identity in identities where identity.domain == domain {
            let certificate = identity.signing.certificate
            if case .thumbprintSHA256(certificate.thumbprintSHA256) = hint { return certificate.publicKey }
        }
        throw IdentityError(.untrusted, "not a key of \(domain)")
    }
}

/// A Message element as text, good by default.
func messageText(
    id: String = "urn:uuid:6ba7b810-9dad-41d1-80b4-00c04fd430c8", from: String = "alice@capicom.test",
    to: String = "<To>bob@scopio.test</To>", subject: String = "Hello", date: String = "2027-01-15T08:00:00Z",
    body: String = "<Body><Text>Hi</Text></Body>", extra: String = ""
) -> String {
    "<Message xmlns=\"urn:wsemail:2\"><Id>\(id)</Id><From>\(from)</From>\(to)<Subject>\(subject)</Subject><Date>\(date)</Date>"
        + "\(body)\(extra)</Message>"
}

func parse(_ text: String) throws(MailModelError) -> Message {
    let document = try mailModel { () throws(XMLError) in try XMLDocument.parse(Array(text.utf8)) }
    return try Message(parsing: document.root)
}
