import XMLCore

/// The WS-Addressing 1.0 headers we act on (WS-Addressing Core §3.2): at most one of each.
public struct Addressing: Sendable {
    /// A header's value (white space trimmed) and the element it was read from, for the check that it was signed.
    public struct Header: Sendable {
        public let value: String
        public let element: XMLElement
    }

    public let to: Header?
    public let action: Header?
    public let messageID: Header?
    public let relatesTo: Header?

    /// Values longer than this many bytes are refused.
    public static let maximumLength = 1024

    static let none = Addressing(to: nil, action: nil, messageID: nil, relatesTo: nil)

    private init(to: Header?, action: Header?, messageID: Header?, relatesTo: Header?) {
        self.to = to
        self.action = action
        self.messageID = messageID
        self.relatesTo = relatesTo
    }

    init(header: XMLElement) throws(SOAPFault) {
        self.init(
            to: try Self.value(Names.wsaTo, in: header),
            action: try Self.value(Names.wsaAction, in: header),
            messageID: try Self.value(Names.wsaMessageID, in: header),
            relatesTo: try Self.value(Names.wsaRelatesTo, in: header))
        // Replies only go back on the connection: an address elsewhere would make us open one because a message said so.
        try Self.requireAnonymous(Names.wsaReplyTo, in: header)
        try Self.requireAnonymous(Names.wsaFaultTo, in: header)
    }

    private static func value(_ name: XMLName, in header: XMLElement) throws(SOAPFault) -> Header? {
        guard let element = try single(name, in: header) else { return nil }
        guard let text = try? element.simpleText() else {
            throw SOAPFault(.malformedEnvelope, "The header wsa:\(name.localName) must hold text only.")
        }
        let value = XMLText.trimmed(text)
        guard !value.isEmpty, value.utf8.count <= maximumLength else {
            throw SOAPFault(.malformedEnvelope, "The header wsa:\(name.localName) is empty or too long.")
        }
        return Header(value: value, element: element)
    }

    private static func requireAnonymous(_ name: XMLName, in header: XMLElement) throws(SOAPFault) {
        guard let element = try single(name, in: header) else { return }
        guard let address = try? element.only(Names.wsaAddress).simpleText(),
            [URIs.anonymousAddress, URIs.noneAddress].contains(XMLText.trimmed(address))
        else { throw SOAPFault(.malformedEnvelope, "Only the anonymous wsa:\(name.localName) is supported.") }
    }

    private static func single(_ name: XMLName, in header: XMLElement) throws(SOAPFault) -> XMLElement? {
        do {
            return try header.optional(name)
        } catch {
            throw SOAPFault(.malformedEnvelope, "The header wsa:\(name.localName) occurs more than once.")
        }
    }
}
