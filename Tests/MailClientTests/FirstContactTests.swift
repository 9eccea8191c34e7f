import Foundation
import Identity
import Testing

@testable import MailClient

@Suite struct FirstContactTests {
    private func contact(_ roots: MailCertificate...) throws -> FirstContact {
        try FirstContact(address: Address("alice@capicom.test"), connection: ConnectionSettings(), roots: roots)
    }

    @Test func theRightFingerprintChoosesTheRoot() throws {
        let (right, other) = (try TestDomain("capicom.test").root, try TestDomain("capicom.test").root)
        #expect(try contact(other, right).root(right.fingerprint) == right)
        #expect(try contact(right).onlyRoot() == right)
    }

    @Test func anotherFingerprintRefuses() async throws {
        let (right, other) = (try TestDomain("capicom.test").root, try TestDomain("capicom.test").root)
        let contact = try contact(other)
        let error = await expect(.fingerprintMismatch) { try contact.root(right.fingerprint) }
        #expect(error?.reason.contains(other.fingerprint.description) == true)
    }

    @Test func ofSeveralRootsNoneIsTakenUnseen() async throws {
        let contact = try contact(TestDomain("capicom.test").root, TestDomain("capicom.test").root)
        await expect(.fingerprintMismatch) { try contact.onlyRoot() }
    }

    @Test func aServerWithoutARootIsRefused() async throws {
        await expect(.untrustedServer) { try contact() }
    }
}
