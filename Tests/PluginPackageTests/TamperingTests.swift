import Crypto
import Foundation
import PluginAPI
import Testing
import XMLCore
import XMLSecurity

@testable import Identity
@testable import PluginPackage

/// One way to get something believed that was not signed so.
struct Attack: Sendable, CustomTestStringConvertible {
    let testDescription: String
    /// What the administrator reads.
    let reason: String
    let octets: @Sendable (Publisher) throws -> [UInt8]

    init(_ name: String, _ reason: String, _ octets: @escaping @Sendable (Publisher) throws -> [UInt8]) {
        testDescription = name
        self.reason = reason
        self.octets = octets
    }

    /// Changes the text of a package that the trusted publisher signed.
    static func edit(_ name: String, _ reason: String, _ change: @escaping @Sendable (String) throws -> String) -> Attack {
        Attack(name, reason) { publisher in
            Array(try change(World.text(publisher.signed(World.unsigned()))).utf8)
        }
    }

    /// Changes the SignedInfo of such a package, and signs that with the publisher's own key: everything is right but the
    /// way it is signed.
    static func resign(_ name: String, _ reason: String, _ change: @escaping @Sendable (String) throws -> String) -> Attack {
        Attack(name, reason) { publisher in
            let text = World.text(try publisher.signed(World.unsigned()))
            let info = try text.passage(from: "<ds:SignedInfo>", to: "</ds:SignedInfo>")
            let changed = try change(info)
            let apex = try changed.with("<ds:SignedInfo>", "<ds:SignedInfo xmlns:ds=\"\(SecurityNamespace.ds)\">")
            let value = Base64.encodeToString(try publisher.key.sign(Array(apex.utf8)))
            let old = try text.passage(from: "<ds:SignatureValue>", to: "</ds:SignatureValue>")
            return Array(
                try text.with(info, changed).with(old, "<ds:SignatureValue>\(value)</ds:SignatureValue>").utf8)
        }
    }
}

@Suite struct TamperingTests {
    static let changed = "changed after it was signed"

    static let contents: [Attack] = [
        .edit("another title", changed) { try $0.with("<Title>Vacation", "<Title>Holidays") },
        .edit("another version", changed) { try $0.with("1.4.0", "1.5.0") },
        .edit("another location", changed) { try $0.with("https://plugins.example.org", "https://plugins.example.com") },
        .edit("another publisher's name", changed) { try $0.with("<Publisher>Example Ltd", "<Publisher>Another Ltd") },
        .edit("another priority", changed) { try $0.with("priority=\"400\"", "priority=\"1\"") },
        .edit("one capability more", changed) {
            try $0.with("<FailurePolicy>", "<Capability>tokens</Capability><FailurePolicy>")
        },
        .edit("one capability less", changed) { try $0.with("<Capability>send</Capability>", "") },
        .edit("another preset", changed) { try $0.with("preset=\"Away &amp; gone\"", "preset=\"Buy now\"") },
        .edit("another module, its digest as it was", changed) {
            try $0.with(Base64.encodeToString(World.module), Base64.encodeToString(World.module + [0]))
        },
        .edit("another digest of the module", changed) {
            let old = Base64.encodeToString(Array(SHA256.hash(data: World.module)))
            return try $0.with(old, Base64.encodeToString([UInt8](repeating: 7, count: 32)))
        },
        .edit("another module with its own digest", changed) {
            let evil = World.module + [0]
            return try $0.with(Base64.encodeToString(World.module), Base64.encodeToString(evil))
                .with(
                    Base64.encodeToString(Array(SHA256.hash(data: World.module))),
                    Base64.encodeToString(Array(SHA256.hash(data: evil))))
        },
        .edit("a plug-in added", changed) {
            let plugin = try $0.passage(from: "<Plugin ", to: "</Plugin>")
            return try $0.with(plugin, plugin + plugin.with("\"vacation\"", "\"evil\"").with("urn:example:vacation", "urn:x:y"))
        },
        .edit("the plug-in taken out", changed) { try $0.with($0.passage(from: "<Plugin ", to: "</Plugin>"), "") },
        .edit("an unknown element added", changed) { try $0.with("</Manifest>", "<Note>x</Note></Manifest>") },
        .edit("a certificate added", changed) {
            let other = try Publisher("Somebody").certificate.der
            return try $0.with("<ds:Signature ", "<Certificate>\(Base64.encodeToString(other))</Certificate><ds:Signature ")
        },
        Attack("another certificate of the same name and key", changed) { publisher in
            let other = try publisher.authority.issueCodeSigningCertificate(
                publicKey: publisher.key.publicKey, publisher: "Example Ltd", now: World.now)
            return Array(
                try World.text(publisher.signed(World.unsigned())).with(
                    Base64.encodeToString(publisher.certificate.der), Base64.encodeToString(other.der)
                ).utf8)
        },
    ]

    static let envelopes: [Attack] = [
        .edit("the signature removed", "its signature is missing") {
            try $0.with($0.passage(from: "<ds:Signature ", to: "</ds:Signature>"), "")
        },
        .edit("signature and certificate removed", "is not signed") {
            try $0.with($0.passage(from: "<ds:Signature ", to: "</ds:Signature>"), "")
                .with($0.passage(from: "<Certificate>", to: "</Certificate>"), "")
        },
        .edit("the certificate removed", "holds no publisher's certificate") {
            try $0.with($0.passage(from: "<Certificate>", to: "</Certificate>"), "")
        },
        .edit("the signature twice", "more than one signature") {
            let signature = try $0.passage(from: "<ds:Signature ", to: "</ds:Signature>")
            return try $0.with(signature, signature + signature)
        },
        .edit("inside another root", "its root is") { "<Wrapper xmlns=\"urn:wsemail:2\">\($0)</Wrapper>" },
        .edit("a second package after it", "no acceptable XML") { $0 + $0 },
        .edit("a second package within it", "not acceptable") {
            try $0.with("<ds:Signature ", "<PluginPackage Id=\"package\"></PluginPackage><ds:Signature ")
        },
        .edit("wrapped: the signature moved out to a root of its own", "not acceptable") {
            let signature = try $0.passage(from: "<ds:Signature ", to: "</ds:Signature>")
            let certificate = try $0.passage(from: "<Certificate>", to: "</Certificate>")
            let inner = try $0.with(signature, "")
            return "<PluginPackage xmlns=\"urn:wsemail:2\" Id=\"package\">\(inner)\(certificate)\(signature)</PluginPackage>"
        },
        .edit("wrapped: the original under another id", "Id is not") {
            let signature = try $0.passage(from: "<ds:Signature ", to: "</ds:Signature>")
            let certificate = try $0.passage(from: "<Certificate>", to: "</Certificate>")
            let inner = try $0.with(signature, "")
            return "<PluginPackage xmlns=\"urn:wsemail:2\" Id=\"evil\">\(inner)\(certificate)\(signature)</PluginPackage>"
        },
        .edit("wrapped: the original hidden in the signature", "not acceptable") {
            let inner = try $0.with($0.passage(from: "<ds:Signature ", to: "</ds:Signature>"), "")
            return try $0.with("<Title>Vacation", "<Title>Holidays")
                .with("</ds:Signature>", "<ds:Object>\(inner)</ds:Object></ds:Signature>")
        },
        .edit("the root's id again below it", "not acceptable") { try $0.with("<Manifest>", "<Manifest Id=\"package\">") },
        .edit("the signature is not the last child", "not in canonical form") {
            let signature = try $0.passage(from: "<ds:Signature ", to: "</ds:Signature>")
            return try $0.with(signature, "").with("<Certificate>", signature + "<Certificate>")
        },
        .edit("KeyInfo names another certificate", "names another certificate") {
            let start = try #require($0.range(of: "<dsig11:X509Digest")).upperBound
            let from = try #require($0.range(of: ">", range: start..<$0.endIndex)).upperBound
            let end = try #require($0.range(of: "</dsig11:X509Digest>")).lowerBound
            return $0.replacingCharacters(in: from..<end, with: Base64.encodeToString([UInt8](repeating: 9, count: 32)))
        },
        .edit("KeyInfo removed", "KeyInfo") { try $0.with($0.passage(from: "<ds:KeyInfo>", to: "</ds:KeyInfo>"), "") },
        .edit("KeyInfo with a name that nobody signed", "not in canonical form") {
            try $0.with("<ds:KeyInfo>", "<ds:KeyInfo><ds:KeyName>x</ds:KeyName>")
        },
        .edit("an id at the signature", "not in canonical form") {
            try $0.with("xmlns:ds=\"\(SecurityNamespace.ds)\">", "xmlns:ds=\"\(SecurityNamespace.ds)\" Id=\"x\">")
        },
        .edit("white space in the signature's value", "not in canonical form") {
            try $0.with("<ds:SignatureValue>", "<ds:SignatureValue>\n")
        },
        .edit("white space after the root", "not in canonical form") { $0 + "\n" },
        .edit("a comment in the manifest, which no canonical form has", "not in canonical form") {
            try $0.with("<Manifest>", "<Manifest><!-- x -->")
        },
        .edit("an XML declaration", "not in canonical form") { "<?xml version=\"1.0\"?>" + $0 },
        .edit("a byte order mark", "not in canonical form") { "\u{FEFF}" + $0 },
        .edit("another spelling of a character", "not in canonical form") { try $0.with("Vacation<", "&#86;acation<") },
        .edit("quotes of the other kind", "not in canonical form") { try $0.with("kind=\"server\"", "kind='server'") },
        .edit("a document type", "document type declaration") { "<!DOCTYPE PluginPackage>" + $0 },
        .edit("an entity of its own", "document type declaration") {
            try "<!DOCTYPE x [<!ENTITY a \"b\">]>" + $0.with("Vacation<", "&a;<")
        },
        .edit("an entity that nobody declared", "no acceptable XML") { try $0.with("Vacation<", "&a;<") },
        .edit("a processing instruction", "processing instruction") { try $0.with("<Manifest>", "<Manifest><?x y?>") },
        .edit("cut off", "no acceptable XML") { String($0.dropLast(20)) },
        Attack("octets that are not UTF-8", "no acceptable XML") { try [0xFF] + $0.signed(World.unsigned()) },
        Attack("nothing", "no acceptable XML") { _ in [] },
    ]

    static let signatures: [Attack] = [
        Attack("signed with another key", "not of the publisher's key") { publisher in
            let other = SignatureSigner(
                key: .generateP256(), keyInfo: .thumbprintSHA256(publisher.certificate.thumbprintSHA256))
            var content = try PluginPackage(octets: World.unsigned()).content
            content.certificates = [publisher.certificate.der]
            return try other.signEnveloped(PackageWriter.octets(content), id: "package")
        },
        .edit("another signature value", "not of the publisher's key") {
            let old = try $0.passage(from: "<ds:SignatureValue>", to: "</ds:SignatureValue>")
            let new = Base64.encodeToString([UInt8](repeating: 5, count: 64))
            return try $0.with(old, "<ds:SignatureValue>\(new)</ds:SignatureValue>")
        },
        .edit("another digest in SignedInfo", "not of the publisher's key") {
            let old = try $0.passage(from: "<ds:DigestValue>", to: "</ds:DigestValue>")
            let new = Base64.encodeToString([UInt8](repeating: 5, count: 32))
            return try $0.with(old, "<ds:DigestValue>\(new)</ds:DigestValue>")
        },
        .resign("digest of SHA-1", "algorithm") {
            try $0.with("http://www.w3.org/2001/04/xmlenc#sha256", "http://www.w3.org/2000/09/xmldsig#sha1")
        },
        .resign("signature of SHA-1", "algorithm") {
            try $0.with(SignatureAlgorithm.ecdsaSHA256.rawValue, "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha1")
        },
        .resign("HMAC", "algorithm") {
            try $0.with(SignatureAlgorithm.ecdsaSHA256.rawValue, SignatureAlgorithm.hmacSHA256.rawValue)
        },
        .resign("an algorithm of another type of key", "not acceptable") {
            try $0.with(SignatureAlgorithm.ecdsaSHA256.rawValue, SignatureAlgorithm.rsaSHA256.rawValue)
        },
        .resign("inclusive canonicalisation of SignedInfo", "not acceptable") {
            let old = "<ds:CanonicalizationMethod Algorithm=\"\(SecurityNamespace.exclusiveC14N)\">"
            return try $0.with(old, old.with(SecurityNamespace.exclusiveC14N, "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"))
        },
        .resign("a transform by XPath", "not acceptable") {
            try $0.with(SecurityNamespace.envelopedSignature, "http://www.w3.org/TR/1999/REC-xpath-19991116")
        },
        .resign("no enveloped-signature transform", "not acceptable") {
            try $0.with("<ds:Transform Algorithm=\"\(SecurityNamespace.envelopedSignature)\"></ds:Transform>", "")
        },
        .resign("prefixes to include", "not acceptable") {
            let end = "</ds:Transform></ds:Transforms>"
            let list = "<ec:InclusiveNamespaces xmlns:ec=\"\(SecurityNamespace.exclusiveC14N)\" PrefixList=\"a\">"
            return try $0.with(end, list + "</ec:InclusiveNamespaces>" + end)
        },
        .resign("two references", "not acceptable") {
            let reference = try $0.passage(from: "<ds:Reference ", to: "</ds:Reference>")
            return try $0.with(reference, reference + reference)
        },
        .resign("no reference", "not acceptable") { try $0.with($0.passage(from: "<ds:Reference ", to: "</ds:Reference>"), "") },
        .resign("a reference to somewhere else", "not acceptable") { try $0.with("#package", "https://example.org/x") },
        .resign("a reference by XPointer", "not acceptable") { try $0.with("#package", "#xpointer(/)") },
        .resign("a reference to nothing", "not acceptable") { try $0.with("#package", "#other") },
    ]

    @Test(arguments: contents + envelopes + signatures)
    func `A package that was tampered with is refused`(_ attack: Attack) async throws {
        let publisher = try Publisher()
        let octets = try attack.octets(publisher)
        await expectRefusal(attack.reason) { try await publisher.verify(octets) }
    }

    /// Without it the table above might refuse for another reason than it says.
    @Test func `The ways in which the tables sign are good`() async throws {
        let publisher = try Publisher()
        let same = Attack.resign("as it was", "") { $0 }
        #expect(try await publisher.verify(same.octets(publisher)).publisher.name == "Example Ltd")
        let raw = try World.rawSign(World.text(World.unsigned()), publisher)
        #expect(try await publisher.verify(raw).publisher.name == "Example Ltd")
    }

    @Test func `No octet of a package can be changed`() async throws {
        let publisher = try Publisher()
        let octets = try publisher.signed(World.unsigned())
        let verifier = PackageVerifier(try publisher.anchors())
        for index in stride(from: 0, to: octets.count, by: 7) {
            var damaged = octets
            damaged[index] ^= 1
            let verified = try? await verifier.verify(damaged, at: World.now)
            #expect(verified == nil, "octet \(index)")
        }
    }

    @Test func `Parsing alone finds a module that is not what its digest says`() async throws {
        let text = World.text(try World.unsigned())
        let evil = try text.with(Base64.encodeToString(World.module), Base64.encodeToString(World.module + [0]))
        await expectRefusal("does not have the digest") { try PluginPackage(octets: Array(evil.utf8)) }
    }
}
