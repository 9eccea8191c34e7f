import Crypto
import Foundation
import SOAP
import XMLCore
import XMLSecurity

struct ForgeFailure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// Writes envelopes as text, good ones by default, and signs any of their parts with any key: what an attacker can do
/// that our own `RequestProtector` cannot.
struct Forge: Sendable {
    var to: String?
    var action: String?
    var messageID: String? = "urn:uuid:\(UUID().uuidString.lowercased())"
    var sequence: String?
    var created = Date()
    /// Replaces the whole Timestamp; "" leaves it out.
    var timestamp: String?
    /// Tokens in the Security header.
    var tokens = ""
    /// Header blocks beside the usual ones.
    var headers = ""
    /// The Body's content.
    var payload: String
    /// `wsu:Id`s of what is signed.
    var signed = ["b", "t", "a", "o", "m", "q"]
    var key: SigningKey?
    var keyInfo = KeyHint.none
    var algorithm: SignatureAlgorithm?

    static let names = """
        xmlns:s="\(Namespaces.soap12)" xmlns:a="\(Namespaces.wsa)" xmlns:o="\(Namespaces.wsse)" xmlns:u="\(Namespaces.wsu)" \
        xmlns:c="\(Namespaces.wsc)" xmlns:t="\(Namespaces.wst)" xmlns:w="\(Namespaces.wsemail)"
        """

    static func timestamp(_ created: Date, id: String = "t", life: TimeInterval = 300) -> String {
        "<u:Timestamp u:Id=\"\(id)\"><u:Created>\(DateTime.format(created))</u:Created>"
            + "<u:Expires>\(DateTime.format(created.addingTimeInterval(life)))</u:Expires></u:Timestamp>"
    }

    /// The envelope without signature.
    var draft: String {
        func block(_ tag: String, _ id: String, _ text: String?) -> String {
            text.map { "<\(tag) u:Id=\"\(id)\">\($0)</\(tag)>" } ?? ""
        }
        return "<s:Envelope \(Forge.names)><s:Header>" + block("a:To", "o", to) + block("a:Action", "a", action)
            + block("a:MessageID", "m", messageID) + block("w:Sequence", "q", sequence) + headers
            + "<o:Security s:mustUnderstand=\"1\">" + (timestamp ?? Forge.timestamp(created)) + tokens
            + "</o:Security></s:Header><s:Body u:Id=\"b\">\(payload)</s:Body></s:Envelope>"
    }

    /// The signed envelope. Ids in `signed` that the draft does not have are passed over.
    func sealed() throws -> String { try seal(draft) }

    /// Signs a draft that was changed by hand.
    func seal(_ draft: String) throws -> String {
        guard key != nil else { return draft }
        let signature = try signature(over: draft)
        return try draft.replacing("</o:Security>", by: signature + "</o:Security>")
    }

    func signature(over draft: String) throws -> String {
        guard let key else { throw ForgeFailure("no key to sign with") }
        let root = try XMLDocument.parse(Array(draft.utf8)).root
        let parts = signed.compactMap { id in root.descendant(id) }
        let signer = SignatureSigner(key: key, keyInfo: keyInfo, algorithm: algorithm)
        return String(decoding: try signer.signParsed(elements: parts), as: UTF8.self)
    }

    /// Signs again what `text` holds in place of the signature that is there, whose SignedInfo was changed by hand: a good
    /// signature value over a bad SignedInfo.
    func resigned(_ text: String) throws -> String {
        guard let key else { throw ForgeFailure("no key to sign with") }
        let root = try XMLDocument.parse(Array(text.utf8)).root
        guard let info = root.descendant(named: XMLName(Namespaces.ds, "SignedInfo")) else { throw ForgeFailure("no SignedInfo") }
        let value = Base64.encodeToString(try key.sign(info.canonicalBytes(), algorithm: algorithm))
        let old = try text.element("ds:SignatureValue")
        return try text.replacing(old, by: "<ds:SignatureValue>\(value)</ds:SignatureValue>")
    }
}

extension XMLElement {
    /// The first element at or below this one with that `wsu:Id`.
    func descendant(_ id: String) -> XMLElement? {
        if attribute("Id", namespace: Namespaces.wsu) == id { return self }
        for child in children {
            if let found = child.descendant(id) { return found }
        }
        return nil
    }

    func descendant(named name: XMLName) -> XMLElement? {
        if isNamed(name) { return self }
        for child in children {
            if let found = child.descendant(named: name) { return found }
        }
        return nil
    }
}

/// Surgery on envelopes as text.
extension String {
    var bytes: [UInt8] { Array(utf8) }

    /// With the first occurrence replaced; it must be there.
    func replacing(_ old: String, by new: String) throws -> String {
        guard let range = range(of: old) else { throw ForgeFailure("nothing to replace: \(old)") }
        return replacingCharacters(in: range, with: new)
    }

    /// The text of the first element with that tag.
    func element(_ tag: String) throws -> String {
        guard let start = range(of: "<\(tag)") else { throw ForgeFailure("no <\(tag)>") }
        guard let end = range(of: "</\(tag)>", range: start.lowerBound..<endIndex) else { throw ForgeFailure("no </\(tag)>") }
        return String(self[start.lowerBound..<end.upperBound])
    }

    func removing(_ tag: String) throws -> String { try replacing(element(tag), by: "") }

    /// Without its first `u:Id`.
    var anonymous: String {
        guard let start = range(of: " u:Id=\""), let end = range(of: "\"", range: start.upperBound..<endIndex) else { return self }
        return replacingCharacters(in: start.lowerBound..<end.upperBound, with: "")
    }

    func addingHeader(_ block: String) throws -> String { try replacing("</s:Header>", by: block + "</s:Header>") }

    func addingToken(_ token: String) throws -> String { try replacing("</o:Security>", by: token + "</o:Security>") }

    /// The element `tag` carried aside in a header of its own, and `replacement` where it was.
    func wrapping(_ tag: String, replacement: String) throws -> String {
        let original = try element(tag)
        return try replacing(original, by: replacement).addingHeader("<x:Aside xmlns:x=\"urn:x\">\(original)</x:Aside>")
    }
}
