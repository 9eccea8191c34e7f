import Crypto
import Foundation
import Testing
import X509
import XMLSecurity

@testable import Identity

/// Two domains with everything that attacks on them need. Times are relative to a fixed moment.
enum World {
    /// 2026-06-01T12:00:00Z
    static let now = Date(timeIntervalSince1970: 1_780_315_200)
    static let day: TimeInterval = 86_400
    static let year: TimeInterval = 365 * day

    static func domain(_ text: String = "capicom.test") throws -> MailDomain { try MailDomain(text) }

    static func authority(_ text: String = "capicom.test", at date: Date = now) throws -> DomainAuthority {
        try DomainAuthority.create(domain: MailDomain(text), now: date)
    }

    static func pinned(_ authorities: DomainAuthority...) throws -> TrustStore {
        TrustStore(try authorities.map { try TrustAnchor($0.certificate, scope: .domain($0.domain)) })
    }

    static func user(
        _ authority: DomainAuthority, _ address: String, key: SigningKey = .generateP256(), at date: Date = now
    ) throws -> MailCertificate {
        let address = try Address(address)
        let request = try CertificateRequest.make(address: address, key: key)
        return try authority.issueUserCertificate(request: request, address: address, now: date)
    }

    static func server(
        _ authority: DomainAuthority, key: SigningKey = .generateP256(), at date: Date = now
    ) throws -> MailCertificate {
        try authority.issueServerCertificate(publicKey: key.publicKey, now: date)
    }

    /// Whatever an evil or broken authority would sign.
    static func forge(_ issuer: Issuer, at date: Date = now, _ profile: CertificateProfile) throws -> MailCertificate {
        try issuer.issue(profile, lifetime: year, backdate: 300, now: date)
    }

    /// A root that is bound by nothing.
    static func freeRoot(_ name: String, at date: Date = now) throws -> Issuer {
        let key = Certificate.PrivateKey(P256.Signing.PrivateKey())
        let profile = try CertificateProfile.authority(name, key.publicKey, pathLength: 3)
        return try Issuer.selfSigned(profile, key: key, lifetimes: .standard, now: date)
    }

    static func newKey() -> Certificate.PublicKey { Certificate.PublicKey(P256.Signing.PrivateKey().publicKey) }
}

/// Expects an ``IdentityError`` of one code and returns it.
@discardableResult
func expect<T>(
    _ code: IdentityError.Code, sourceLocation: SourceLocation = #_sourceLocation, _ body: () async throws -> T
) async -> IdentityError? {
    do {
        _ = try await body()
        Issue.record("expected \(code.rawValue), but nothing was thrown", sourceLocation: sourceLocation)
    } catch let error as IdentityError {
        #expect(error.code == code, "\(error)", sourceLocation: sourceLocation)
        return error
    } catch {
        Issue.record("expected \(code.rawValue), got \(error)", sourceLocation: sourceLocation)
    }
    return nil
}

func expectCode<T>(
    _ code: IdentityError.Code, sourceLocation: SourceLocation = #_sourceLocation, _ body: () throws -> T
) {
    do {
        _ = try body()
        Issue.record("expected \(code.rawValue), but nothing was thrown", sourceLocation: sourceLocation)
    } catch let error as IdentityError {
        #expect(error.code == code, "\(error)", sourceLocation: sourceLocation)
    } catch {
        Issue.record("expected \(code.rawValue), got \(error)", sourceLocation: sourceLocation)
    }
}

/// A folder that is removed with the value.
final class TemporaryFolder {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "identity-" + RandomID.hex(8)
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String) -> String { path + "/" + name }
}
