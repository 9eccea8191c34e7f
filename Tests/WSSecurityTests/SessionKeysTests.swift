import Crypto
import FoundationEssentials
import SOAP
import Testing
import XMLCore
import XMLSecurity

@testable import WSSecurity

@Suite struct SessionKeysTests {
    /// Signs an already signed call again with another HMAC key, over the same parts.
    static func signed(_ bytes: [UInt8], with key: SymmetricKey) -> Result<[UInt8], any Error> {
        Result {
            let bare = try bytes.removing("ds:Signature")
            let envelope = try IncomingEnvelope(parsing: bare)
            let security = try #require(try envelope.header(Names.security))
            let token = try #require(security.first(Names.securityContextToken))
            let elements =
                Array(envelope.header?.children.filter { $0.attribute("Id", namespace: Namespaces.wsu) != nil } ?? [])
                + [try #require(security.first(Names.timestamp)), envelope.body]
            let id = token.attribute("Id", namespace: Namespaces.wsu) ?? ""
            let signer = SignatureSigner(
                key: .hmac(key), keyInfo: .reference(id: id, valueType: URIs.securityContextToken))
            let parts = elements.map {
                (id: $0.attribute("Id", namespace: Namespaces.wsu) ?? "", range: $0.sourceRange)
            }
            let signature = try signer.sign(parts: parts, of: bare)
            return try bare.replacing("</o:Security>", with: signature.string + "</o:Security>")
        }
    }

    @Test func keysDifferByDirectionSessionAndSecret() throws {
        let secret = SessionSecret.random()
        let one = SessionKeys(secret: secret, session: "urn:a")
        #expect(one.client != one.server)
        #expect(one.client == SessionKeys(secret: secret, session: "urn:a").client)
        #expect(one.client != SessionKeys(secret: secret, session: "urn:b").client)
        #expect(one.client != SessionKeys(secret: .random(), session: "urn:a").client)
    }

    /// Fixed vector, computed with Python's cryptography (HKDF-SHA256), so that other implementations agree.
    @Test func derivationIsAsWritten() throws {
        let secret = try #require(SessionSecret(Array(0..<32)))
        let keys = SessionKeys(secret: secret, session: "urn:uuid:00000000-0000-4000-8000-000000000000")
        let client = keys.client.withUnsafeBytes { Base64.encodeToString(Array($0)) }
        let server = keys.server.withUnsafeBytes { Base64.encodeToString(Array($0)) }
        #expect(client == "niAJELdMlGL/vlDiquhwpBX3mnCR4oXEELDMsPtEl50=")
        #expect(server == "WttFro+7IdnZPy/ECq01jH8PRQlP70LAtsxR40Wie5M=")
    }

    @Test func secretsAreRedactedAndHaveOneLength() {
        let secret = SessionSecret.random()
        #expect("\(secret)" == "SessionSecret(redacted)")
        #expect(String(reflecting: secret) == "SessionSecret(redacted)")
        #expect(Mirror(reflecting: secret).children.isEmpty)
        #expect(SessionSecret([UInt8](repeating: 0, count: 31)) == nil)
        #expect(SessionSecret([UInt8](repeating: 0, count: 33)) == nil)
    }

    @Test func theVaultBindsASecretToItsSession() throws {
        let vault = try SessionVault(key: [UInt8](repeating: 7, count: 32))
        let secret = SessionSecret.random()
        let sealed = try vault.seal(secret, session: "urn:a")
        #expect(try vault.open(sealed, session: "urn:a") == secret)
        #expect(throws: WSSecurityError.self) { try vault.open(sealed, session: "urn:b") }
        let other = try SessionVault(key: [UInt8](repeating: 8, count: 32))
        #expect(throws: WSSecurityError.self) { try other.open(sealed, session: "urn:a") }
        for index in sealed.indices {
            var damaged = sealed
            damaged[index] ^= 1
            #expect(throws: WSSecurityError.self) { try vault.open(damaged, session: "urn:a") }
        }
        #expect(throws: WSSecurityError.self) { try vault.open([], session: "urn:a") }
        #expect(throws: WSSecurityError.self) { try SessionVault(key: [1, 2, 3]) }
    }

    @Test func clientsRenewBeforeTheEnd() {
        let start = Keys.now
        var session = ClientSession(
            id: "urn:a", secret: .random(), created: start, expires: start.addingTimeInterval(1000))
        #expect(!session.needsRenewal(now: start.addingTimeInterval(799)))
        #expect(session.needsRenewal(now: start.addingTimeInterval(801)))
        #expect(!session.isExpired(now: start.addingTimeInterval(999)))
        #expect(session.isExpired(now: start.addingTimeInterval(1000)))
        #expect(session.call().sequence == 1)
        #expect(session.call().sequence == 2)
        #expect(session.advance(past: SOAPFault(.staleSequence, "")) == false)
        #expect(session.advance(past: SOAPFault(.staleSequence, "", detail: .init(next: UInt64.max))) == false)
        #expect(session.advance(past: SOAPFault(.staleSequence, "", detail: .init(next: 1))) == true)
        #expect(session.nextSequence == 3)
    }
}
