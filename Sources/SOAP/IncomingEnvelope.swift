import XMLCore

/// A parsed SOAP 1.2 envelope: its shape is checked, nothing in it is believed yet.
///
/// SOAP 1.2 Part 1 §5: `Envelope(Header?, Body)`, one payload element at most. Trust is WSSecurity's work.
public struct IncomingEnvelope: Sendable {
    public let document: XMLDocument
    public let header: XMLElement?
    public let body: XMLElement
    /// The Body's only element child; nil if the Body is empty.
    public let payload: XMLElement?
    public let addressing: Addressing

    /// Headers that WSEmail acts on, for the `mustUnderstand` rule.
    public static let understoodHeaders: Set<XMLName> = [
        Names.security, Names.wsaTo, Names.wsaAction, Names.wsaMessageID, Names.wsaRelatesTo, Names.wsaReplyTo,
        Names.wsaFaultTo, Names.wsaFrom, Names.sequence, Names.metadata,
    ]

    /// Parses and checks the shape.
    ///
    /// - Throws: `MalformedEnvelope`, `TooLarge` (a parser limit), `UnsupportedVersion` (SOAP 1.1), `MustUnderstand`.
    public init(
        parsing bytes: [UInt8], limits: XMLLimits = .standard,
        understood: Set<XMLName> = IncomingEnvelope.understoodHeaders
    ) throws(SOAPFault) {
        let document: XMLDocument
        do {
            document = try XMLDocument.parse(Self.withoutByteOrderMark(bytes), limits: limits)
        } catch {
            if error.code == .limitExceeded {
                throw SOAPFault(.tooLarge, "The envelope exceeds a limit of the XML parser.")
            }
            throw SOAPFault(.malformedEnvelope, "The envelope is not well-formed XML of the SOAP profile.")
        }
        self.document = document
        (header, body) = try Self.parts(of: document.root)
        payload = try Self.payload(of: body)
        if let header {
            try Self.checkUnderstood(header, understood)
            addressing = try Addressing(header: header)
        } else {
            addressing = .none
        }
    }

    /// The fault in the Body, if it is one. Nobody has checked yet who wrote it.
    public var fault: SOAPFault? {
        guard let payload, payload.isNamed(Names.fault) else { return nil }
        return try? SOAPFault.parse(payload)
    }

    /// The header block of that name that is meant for us: zero or one, else `MalformedEnvelope`.
    public func header(_ name: XMLName) throws(SOAPFault) -> XMLElement? {
        guard let header else { return nil }
        var found: XMLElement?
        for child in header.children where child.isNamed(name) && Self.isForUs(child) {
            guard found == nil else {
                throw SOAPFault(.malformedEnvelope, "The header \(name.localName) occurs more than once.")
            }
            found = child
        }
        return found
    }

    /// WCF and others begin with a UTF-8 byte order mark.
    private static func withoutByteOrderMark(_ bytes: [UInt8]) -> [UInt8] {
        bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? Array(bytes.dropFirst(3)) : bytes
    }

    private static func parts(of root: XMLElement) throws(SOAPFault) -> (header: XMLElement?, body: XMLElement) {
        guard root.isNamed(Names.envelope) else {
            if root.localName == "Envelope" {
                throw SOAPFault(.unsupportedVersion, "Only SOAP 1.2 is spoken here.")
            }
            throw SOAPFault(.malformedEnvelope, "The document is not a SOAP envelope.")
        }
        let children = Array(root.children.prefix(3))
        switch children.count {
        case 1 where children[0].isNamed(Names.body): return (nil, children[0])
        case 2 where children[0].isNamed(Names.header) && children[1].isNamed(Names.body):
            return (children[0], children[1])
        default:
            throw SOAPFault(.malformedEnvelope, "The envelope must hold one Header at most, then exactly one Body.")
        }
    }

    private static func payload(of body: XMLElement) throws(SOAPFault) -> XMLElement? {
        var payload: XMLElement?
        for child in body.children {
            guard payload == nil else { throw SOAPFault(.malformedEnvelope, "The Body must hold exactly one element.") }
            payload = child
        }
        return payload
    }

    // SOAP 1.2 Part 1 §5.2.3: a targeted block we do not know stops all processing.
    private static func checkUnderstood(_ header: XMLElement, _ understood: Set<XMLName>) throws(SOAPFault) {
        for block in header.children where isForUs(block) {
            guard let flag = block.attribute("mustUnderstand", namespace: Namespaces.soap12) else { continue }
            switch XMLText.trimmed(flag) {
            case "1", "true":
                if !understood.contains(block.name) {
                    throw SOAPFault(.mustUnderstand, "A mandatory header is not understood.")
                }
            case "0", "false": continue
            default: throw SOAPFault(.malformedEnvelope, "mustUnderstand is neither true nor false.")
            }
        }
    }

    // SOAP 1.2 Part 1 §2.2: absent role, `ultimateReceiver` and `next` are ours.
    private static func isForUs(_ block: XMLElement) -> Bool {
        guard let role = block.attribute("role", namespace: Namespaces.soap12), !role.isEmpty else { return true }
        return role == URIs.roleNext || role == URIs.roleUltimateReceiver
    }
}
