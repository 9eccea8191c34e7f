import Crypto
import Foundation
import PluginAPI
import Testing
import X509
import XMLCore
import XMLSecurity

@testable import Identity
@testable import PluginPackage

/// A publisher with all that it needs to publish, and an administrator who trusts it.
struct Publisher {
    let authority: PublisherAuthority
    let key: SigningKey
    let certificate: MailCertificate

    init(_ name: String = "Example Ltd", key: SigningKey = .generateP256(), at date: Date = World.now) throws {
        authority = try PublisherAuthority.create(name: name, now: date)
        self.key = key
        certificate = try authority.issueCodeSigningCertificate(publicKey: key.publicKey, publisher: name, now: date)
    }

    var keyPEM: String { key.pemRepresentation ?? "" }

    func anchors(revoked: Set<String> = []) throws -> PublisherAnchors {
        let anchor = try PublisherAnchor(pem: authority.certificatePEM, label: "example")
        return PublisherAnchors(anchors: [anchor], revoked: revoked)
    }

    func signed(_ unsigned: [UInt8], at date: Date = World.now) throws -> [UInt8] {
        try PackageBuilder.sign(unsigned, certificatePEM: certificate.pem, keyPEM: keyPEM, now: date)
    }

    func verify(_ octets: [UInt8], at date: Date = World.now) async throws -> VerifiedPackage {
        try await PackageVerifier(anchors()).verify(octets, at: date)
    }
}

enum World {
    /// 2026-06-01T12:00:00Z
    static let now = Date(timeIntervalSince1970: 1_780_315_200)
    static let day: TimeInterval = 86_400
    static let year: TimeInterval = 365 * day

    /// The smallest WebAssembly module there is.
    static let module: [UInt8] = [0x00, 0x61, 0x73, 0x6D, 0x01, 0x00, 0x00, 0x00]

    /// A manifest source as a developer writes it.
    static let manifest = """
        <?xml version="1.0" encoding="UTF-8"?>
        <!-- what a developer writes -->
        <PluginPackage xmlns="urn:wsemail:2">
          <Manifest>
            <Identifier>org.example.vacation</Identifier>
            <Version>1.4.0</Version>
            <Title>Vacation</Title>
            <Summary>Answers mail while its
              reader is away.</Summary>
            <Publisher>Example Ltd</Publisher>
            <MinimumServer>0.3.0</MinimumServer>
            <Location>https://plugins.example.org/vacation</Location>
          </Manifest>
          <Plugin name="vacation" kind="server">
            <Role priority="500" name="extension"/>
            <Role priority="400" name="delivery"/>
            <Extension identifier="urn:example:vacation" callers="user"/>
            <Capability>send</Capability> <Capability>key-value</Capability>
            <Setting name="reply" preset="Away &amp; gone">The text of the answer.</Setting>
            <Setting name="user.*">An answer of somebody's own.</Setting>
            <Summary>Answers each sender once.</Summary>
            <Module file="build/vacation.wasm"/>
          </Plugin>
        </PluginPackage>
        """

    static func unsigned(_ manifest: String = manifest, module: [UInt8] = module) throws -> [UInt8] {
        try PackageBuilder(manifest: Array(manifest.utf8)) { _ in module }.unsigned()
    }

    static func text(_ octets: [UInt8]) -> String { String(decoding: octets, as: UTF8.self) }

    /// What a publisher with a tool of its own might sign: any XML whose last tag is the root's, signed as it should be over
    /// its canonical form, and put together as text.
    static func rawSign(_ text: String, _ publisher: Publisher, chain: [MailCertificate]? = nil) throws -> [UInt8] {
        let chain = chain ?? [publisher.certificate]
        let certificates = chain.map { "<Certificate>\(Base64.encodeToString($0.der))</Certificate>" }.joined()
        let whole = try text.with("</PluginPackage>", certificates + "</PluginPackage>")
        let signer = SignatureSigner(key: publisher.key, keyInfo: .thumbprintSHA256(chain[0].thumbprintSHA256))
        let root = try XMLDocument.parse(Array(whole.utf8)).root
        let signed = try signer.signEnveloped(root.canonicalBytes(), id: root.attribute("Id") ?? "")
        let signature = try World.text(signed).passage(from: "<ds:Signature ", to: "</ds:Signature>")
        return Array(try whole.with("</PluginPackage>", signature + "</PluginPackage>").utf8)
    }

    /// Whatever an evil or broken authority would sign.
    static func forge(
        _ issuer: Issuer, _ name: String, key: VerificationKey, at date: Date = now,
        _ change: (inout CertificateProfile) -> Void = { _ in }
    ) throws -> MailCertificate {
        var profile = CertificateProfile(
            subject: try CertificateProfile.name(name), publicKey: try key.certificateKey(),
            constraints: .notCertificateAuthority, keyUsage: KeyUsage(digitalSignature: true), usage: .codeSigning)
        change(&profile)
        return try issuer.issue(profile, lifetime: year, backdate: 300, now: date)
    }

    /// An authority with `depth` authorities below it, the lowest last.
    static func authorities(_ depth: Int) throws -> [Issuer] {
        var key = Certificate.PrivateKey(P256.Signing.PrivateKey())
        let root = try CertificateProfile.authority("Organisation root", key.publicKey, pathLength: depth)
        var result = [try Issuer.selfSigned(root, key: key, lifetimes: .standard, now: now)]
        for level in 0..<depth {
            key = Certificate.PrivateKey(P256.Signing.PrivateKey())
            let profile = try CertificateProfile.authority("Organisation \(level)", key.publicKey, pathLength: depth - level - 1)
            let certificate = try result[level].issue(profile, lifetime: year, backdate: 300, now: now)
            result.append(try Issuer(certificate: certificate, key: key))
        }
        return result
    }
}

/// The text does not hold what a test wants to change.
struct NotFound: Error {
    let text: String
}

extension String {
    /// Replaces the last occurrence.
    func with(_ old: String, _ new: String) throws -> String {
        guard let range = range(of: old, options: .backwards) else { throw NotFound(text: old) }
        return replacingCharacters(in: range, with: new)
    }

    func passage(from start: String, to end: String) throws -> String {
        guard let from = range(of: start), let to = range(of: end, range: from.upperBound..<endIndex) else {
            throw NotFound(text: start)
        }
        return String(self[from.lowerBound..<to.upperBound])
    }
}

/// Expects a refusal whose reason holds `words`.
func expectRefusal<T>(
    _ words: String, _ sourceLocation: SourceLocation = #_sourceLocation, _ body: () async throws -> T
) async {
    do {
        _ = try await body()
        Issue.record("expected a refusal with \"\(words)\", but nothing was thrown", sourceLocation: sourceLocation)
    } catch let error as PluginError {
        #expect(error.code == .refused, sourceLocation: sourceLocation)
        #expect(error.reason.contains(words), "\(error.reason)", sourceLocation: sourceLocation)
    } catch {
        Issue.record("expected a refusal with \"\(words)\", got \(error)", sourceLocation: sourceLocation)
    }
}
