import Identity
import XMLCore

/// Names of the wsemail namespace in the two forms we write: `document` tags use the default prefix and stand in
/// the documents that are signed and stored (Message, Postmark, Receipt); `wrapper` tags use the prefix `w` and stand
/// in calls. Different prefixes let a stored document be embedded byte for byte and stay canonical.
public enum MailXML {
    /// The one namespace of the protocol.
    public static let namespace = "urn:wsemail:2"

    /// A name in the wsemail namespace.
    public static func name(_ localName: String) -> XMLName { XMLName(namespace, localName) }

    static func document(_ localName: String) -> XMLTag { XMLTag("", namespace, localName) }
    static func wrapper(_ localName: String) -> XMLTag { XMLTag("w", namespace, localName) }
}

extension XMLElement {
    /// Text of the one child `localName`; the child is required and has no element content.
    func requiredText(_ localName: String) throws(MailModelError) -> String {
        try mailModel { () throws(XMLError) in try only(MailXML.name(localName)).simpleText() }
    }

    /// Text of the child `localName`, or nil where there is none.
    func optionalText(_ localName: String) throws(MailModelError) -> String? {
        try mailModel { () throws(XMLError) in try optional(MailXML.name(localName))?.simpleText() }
    }

    func requiredAttribute(_ localName: String) throws(MailModelError) -> String {
        guard let value = attribute(localName) else {
            throw MailModelError(.malformed, "\(self.localName) has no attribute \(localName)")
        }
        return value
    }

    func requiredDigest(_ localName: String) throws(MailModelError) -> [UInt8] {
        let bytes = try mailModel { () throws(XMLError) in
            try only(MailXML.name(localName)).base64Bytes(limit: 64)
        }
        guard bytes.count == 32 else {
            throw MailModelError(.invalidValue, "\(localName) is not a SHA-256 digest")
        }
        return bytes
    }

    func requiredAddress(_ localName: String) throws(MailModelError) -> Address {
        try parseAddress(requiredText(localName))
    }

    func requiredMessageID(_ localName: String) throws(MailModelError) -> MessageID {
        try parseMessageID(requiredText(localName))
    }

    /// Refuses children that the schema does not name, so that nothing unseen is signed, stored or shown.
    func allowOnly(_ localNames: Set<String>, foreign: Set<XMLName> = []) throws(MailModelError) {
        for child in children {
            if child.namespace == MailXML.namespace, localNames.contains(child.localName) { continue }
            if foreign.contains(child.name) { continue }
            throw MailModelError(.malformed, "\(localName) may not contain {\(child.namespace)}\(child.localName)")
        }
    }
}

extension XMLElement {
    /// Refuses attributes that the schema does not name, and text beside the children: both would be signed and stored, but
    /// never shown.
    func allowOnlyElements(attributes names: Set<String> = []) throws(MailModelError) {
        try allowOnly(attributes: names)
        guard textBytes.allSatisfy({ $0 == 0x20 || $0 == 0x0A || $0 == 0x0D || $0 == 0x09 }) else {
            throw MailModelError(.malformed, "\(localName) may not contain text")
        }
    }

    func allowOnly(attributes names: Set<String>) throws(MailModelError) {
        for (name, _) in attributes where !(name.namespace.isEmpty && names.contains(name.localName)) {
            throw MailModelError(.malformed, "\(localName) may not have the attribute \(name.localName)")
        }
    }
}

func mailModel<T>(_ body: () throws(XMLError) -> T) throws(MailModelError) -> T {
    do { return try body() } catch { throw MailModelError(.malformed, error.reason) }
}

func parseAddress(_ text: String) throws(MailModelError) -> Address {
    do { return try Address(text) } catch {
        throw MailModelError(.invalidValue, "\"\(text.prefix(80))\" is no address: \(error.reason)")
    }
}

func parseDomain(_ text: String) throws(MailModelError) -> MailDomain {
    do { return try MailDomain(text) } catch {
        throw MailModelError(.invalidValue, "\"\(text.prefix(80))\" is no mail domain: \(error.reason)")
    }
}

func parseMessageID(_ text: String) throws(MailModelError) -> MessageID {
    do { return try MessageID(text) } catch {
        throw MailModelError(.invalidValue, "\"\(text.prefix(80))\" is no urn:uuid message id")
    }
}
