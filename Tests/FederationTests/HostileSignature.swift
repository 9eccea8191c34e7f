import Crypto
import Foundation
import SOAP
import Testing
import XMLCore
import XMLSecurity

/// Algorithms, transforms, references and keys swapped. Wherever that is possible the signature value is right again
/// after the change, so that only the rule under test can refuse.
enum HostileSignature {
    static let attacks: [Attack] = methods + transforms + references + structure + keys

    private static let more = "http://www.w3.org/2001/04/xmldsig-more#"
    private static let hmac = more + "hmac-sha256"
    private static let exclusive = "http://www.w3.org/2001/10/xml-exc-c14n#"

    /// A session call whose signature is changed, and then made good again by the session's own key.
    private static func resigned(
        _ name: String, _ subcode: FaultSubcode = .failedCheck, _ change: @escaping @Sendable (String) throws -> String
    ) -> Attack {
        Attack.session("signature: " + name, subcode) { arena in
            let call = arena.call()
            return try call.resigned(change(call.sealed()))
        }
    }

    private static func spoilt(
        _ name: String, _ subcode: FaultSubcode = .failedCheck, _ change: @escaping @Sendable (String) throws -> String
    ) -> Attack {
        Attack.session("signature: " + name, subcode) { try change($0.call().sealed()) }
    }

    private static let methods: [Attack] =
        [
            ("rsa-sha1", "http://www.w3.org/2000/09/xmldsig#rsa-sha1", FaultSubcode.unsupportedAlgorithm),
            ("hmac-sha1", "http://www.w3.org/2000/09/xmldsig#hmac-sha1", .unsupportedAlgorithm),
            ("dsa-sha1", "http://www.w3.org/2000/09/xmldsig#dsa-sha1", .unsupportedAlgorithm),
            ("ecdsa-sha1", more + "ecdsa-sha1", .unsupportedAlgorithm), ("rsa-md5", more + "rsa-md5", .unsupportedAlgorithm),
            ("hmac-sha512", more + "hmac-sha512", .unsupportedAlgorithm), ("none", "none", .unsupportedAlgorithm),
            ("an empty algorithm", "", .unsupportedAlgorithm), ("ecdsa-sha256 with a session's key", more + "ecdsa-sha256", .failedCheck),
            ("rsa-sha256 with a session's key", more + "rsa-sha256", .failedCheck),
        ].map { name, uri, subcode in resigned(name, subcode) { try $0.replacing(hmac, by: uri) } } + [
            resigned("a reference's digest is sha1", .unsupportedAlgorithm) {
                try $0.replacing("http://www.w3.org/2001/04/xmlenc#sha256", by: "http://www.w3.org/2000/09/xmldsig#sha1")
            },
            resigned("HMACOutputLength") {
                let method = "<ds:SignatureMethod Algorithm=\"\(hmac)\">"
                return try $0.replacing(method, by: method + "<ds:HMACOutputLength>8</ds:HMACOutputLength>")
            },
            spoilt("value cut to 8 bits") {
                try $0.replacing($0.element("ds:SignatureValue"), by: "<ds:SignatureValue>AA==</ds:SignatureValue>")
            },
            spoilt("empty value") {
                try $0.replacing($0.element("ds:SignatureValue"), by: "<ds:SignatureValue></ds:SignatureValue>")
            },
            spoilt("value that is no base64") {
                try $0.replacing($0.element("ds:SignatureValue"), by: "<ds:SignatureValue>%%%</ds:SignatureValue>")
            },
            spoilt("huge value") {
                let value = String(repeating: "A", count: 400_000)
                return try $0.replacing($0.element("ds:SignatureValue"), by: "<ds:SignatureValue>\(value)</ds:SignatureValue>")
            },
        ]

    private static let transforms: [Attack] =
        [
            ("xpath", "http://www.w3.org/TR/1999/REC-xpath-19991116"), ("xpath filter", "http://www.w3.org/2002/06/xmldsig-filter2"),
            ("xslt", "http://www.w3.org/TR/1999/REC-xslt-19991116"), ("base64", "http://www.w3.org/2000/09/xmldsig#base64"),
            ("inclusive c14n", "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"),
            ("c14n 1.1", "http://www.w3.org/2006/12/xml-c14n11"), ("exclusive c14n with comments", exclusive + "WithComments"),
            (
                "security token transform",
                "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#STR-Transform"
            ),
        ].map { name, uri in
            resigned("transform " + name) {
                try $0.replacing("<ds:Transform Algorithm=\"\(exclusive)\"", by: "<ds:Transform Algorithm=\"\(uri)\"")
            }
        } + [
            resigned("no transform") { try $0.removing("ds:Transforms") },
            resigned("enveloped-signature of what does not enclose it") {
                let enveloped = "<ds:Transform Algorithm=\"http://www.w3.org/2000/09/xmldsig#enveloped-signature\"></ds:Transform>"
                return try $0.replacing("<ds:Transforms>", by: "<ds:Transforms>" + enveloped)
            },
            resigned("a chain of transforms") {
                let transform = "<ds:Transform Algorithm=\"\(exclusive)\"></ds:Transform>"
                return try $0.replacing("<ds:Transforms>", by: "<ds:Transforms>" + String(repeating: transform, count: 40))
            },
            spoilt("SignedInfo inclusive c14n") {
                try $0.replacing(
                    "<ds:CanonicalizationMethod Algorithm=\"\(exclusive)\"",
                    by: "<ds:CanonicalizationMethod Algorithm=\"http://www.w3.org/TR/2001/REC-xml-c14n-20010315\"")
            },
        ]

    private static let references: [Attack] =
        [
            ("http", "http://127.0.0.1:9/x"), ("file", "file:///etc/passwd"), ("xpointer", "#xpointer(id('b'))"),
            ("xpointer root", "#xpointer(/)"), ("the whole document", ""), ("an id that is nowhere", "#nowhere"),
            ("an escaped id", "#%62"), ("cid", "cid:x"),
        ].map { name, uri in resigned("reference to " + name) { try $0.replacing("URI=\"#b\"", by: "URI=\"\(uri)\"") } } + [
            resigned("reference without URI") { try $0.replacing(" URI=\"#b\"", by: "") },
            resigned("no references") { text in
                var text = text
                while text.contains("<ds:Reference") { text = try text.removing("ds:Reference") }
                return text
            },
            resigned("the digest of something else") { text in
                let first = try text.element("ds:DigestValue")
                return try text.replacing(
                    first, by: "<ds:DigestValue>\(Base64.encodeToString([UInt8](repeating: 1, count: 32)))</ds:DigestValue>")
            },
            Attack.session("signature: too many references", .failedCheck) { arena in
                var call = arena.call()
                call.signed += [String](repeating: "b", count: 12)
                return try call.sealed()
            },
            Attack.session("signature: reference to the envelope", .failedCheck) { arena in
                let call = arena.call()
                let text = try call.sealed().replacing("<s:Envelope", by: "<s:Envelope u:Id=\"e\"")
                return try call.resigned(text.replacing("URI=\"#b\"", by: "URI=\"#e\""))
            },
            Attack.session("signature: reference into the signature", .failedCheck) { arena in
                let call = arena.call()
                let text = try call.sealed().replacing("<ds:SignedInfo", by: "<ds:SignedInfo Id=\"si\"")
                return try call.resigned(text.replacing("URI=\"#b\"", by: "URI=\"#si\""))
            },
        ]

    private static let structure: [Attack] = [
        spoilt("no SignedInfo") { try $0.removing("ds:SignedInfo") },
        spoilt("no SignatureValue") { try $0.removing("ds:SignatureValue") },
        spoilt("a second SignedInfo") {
            try $0.replacing("</ds:SignedInfo>", by: "</ds:SignedInfo>" + $0.element("ds:SignedInfo"))
        },
        spoilt("a ds:Object") { try $0.replacing("</ds:Signature>", by: "<ds:Object/></ds:Signature>") },
        spoilt("a comment in the value") { try $0.replacing("<ds:SignatureValue>", by: "<ds:SignatureValue><!---->") },
        spoilt("a comment in a digest") { try $0.replacing("<ds:DigestValue>", by: "<ds:DigestValue><!-- x -->") },
        resigned("a manifest instead of a part") {
            try $0.replacing("URI=\"#b\"", by: "URI=\"#b\" Type=\"http://www.w3.org/2000/09/xmldsig#Manifest\"")
                .replacing("<ds:DigestMethod", by: "<ds:Manifest/><ds:DigestMethod")
        },
    ]

    private static let keys: [Attack] = [
        Attack.session("the server's key of the session", .failedCheck) { arena in
            var call = arena.call()
            call.key = .hmac(arena.own.keys.server)
            return try call.sealed()
        },
        Attack.session("the bare secret of the session", .failedCheck) { arena in
            var call = arena.call()
            call.key = .hmac(SymmetricKey(data: arena.own.session.secret.bytes))
            return try call.sealed()
        },
        Attack.session("a short HMAC key", .failedCheck) { arena in
            var call = arena.call()
            call.key = .hmac(SymmetricKey(data: [UInt8](repeating: 0, count: 16)))
            return try call.sealed()
        },
        Attack.session("an X.509 key signs a session call", .failedCheck) { arena in
            var call = arena.call()
            call.key = arena.identity.key
            return try call.sealed()
        },
        Attack.session("no KeyInfo", .failedCheck) { try $0.call().sealed().removing("ds:KeyInfo") },
        Attack.session("KeyInfo points at another token", .failedCheck) {
            let text = try $0.call().sealed()
            return try text.replacing("URI=\"#s\"", by: "URI=\"#x\"")
        },
        Attack.session("KeyInfo points at a URL", .failedCheck) {
            try $0.call().sealed().replacing("URI=\"#s\"", by: "URI=\"http://127.0.0.1:9/key\"")
        },
        Attack.session("KeyInfo brings its own key", .failedCheck) {
            let text = try $0.call().sealed()
            let value = "<ds:KeyInfo><ds:KeyValue><ds:RSAKeyValue/></ds:KeyValue></ds:KeyInfo>"
            return try text.replacing(text.element("ds:KeyInfo"), by: value)
        },
        Attack("RSA certificate's octets as HMAC key", .failedCheck) { arena in
            var call = arena.call(under: arena.rsaIdentity)
            call.key = .hmac(SymmetricKey(data: arena.rsaIdentity.certificate.der))
            return Shot(try call.sealed())
        },
        Attack("RSA public key as HMAC key", .failedCheck) { arena in
            var call = arena.call(under: arena.rsaIdentity)
            guard case .rsa(let key) = arena.rsaIdentity.certificate.publicKey else { throw ForgeFailure("no RSA key") }
            call.key = .hmac(SymmetricKey(data: key.derRepresentation))
            return Shot(try call.sealed())
        },
        Attack("RSA key said to be ECDSA", .failedCheck) { arena in
            let text = try arena.call(under: arena.rsaIdentity).sealed()
            return Shot(try text.replacing(more + "rsa-sha256", by: more + "ecdsa-sha256"))
        },
        Attack("ECDSA value in DER", .failedCheck) { arena in
            let text = try arena.call(under: arena.identity).sealed()
            let value = try text.element("ds:SignatureValue")
            let octets = try #require(Base64.decode(value.dropTag))
            let der = try P256.Signing.ECDSASignature(rawRepresentation: octets).derRepresentation
            return Shot(try text.replacing(value, by: "<ds:SignatureValue>\(Base64.encodeToString(der))</ds:SignatureValue>"))
        },
        Attack("ECDSA value of zeros", .failedCheck) { arena in
            let text = try arena.call(under: arena.identity).sealed()
            let zeros = Base64.encodeToString([UInt8](repeating: 0, count: 64))
            return Shot(try text.replacing(text.element("ds:SignatureValue"), by: "<ds:SignatureValue>\(zeros)</ds:SignatureValue>"))
        },
    ]
}

extension String {
    /// The text of `<a>text</a>`.
    var dropTag: String {
        guard let open = firstIndex(of: ">"), let close = lastIndex(of: "<"), open < close else { return "" }
        return String(self[index(after: open)..<close])
    }
}
