import Identity
import XMLCore

/// What became of a message for one recipient, as a Receipt or Bounce states it.
public struct RecipientStatus: Sendable, Hashable {
    public enum State: String, Sendable {
        /// In the queue of the server that signs.
        case accepted
        /// In the recipient's mailbox, durably.
        case delivered
        /// Refused for good.
        case refused
        /// Opened by the recipient, who consented to say so.
        case read
        /// The queue life ended without an answer of the peer; whether it was delivered is not known.
        case unknown
    }

    public var address: Address
    public var state: State
    /// Stable code of a refusal: a fault subcode such as `UnknownRecipient`.
    public var code: String?
    /// For people.
    public var reason: String?

    public init(_ address: Address, _ state: State, code: String? = nil, reason: String? = nil) {
        self.address = address
        self.state = state
        self.code = code
        self.reason = reason
    }

    func write(into writer: inout XMLWriter) {
        writer.start(MailXML.document("Recipient"))
        if let code { writer.attribute("code", code) }
        if let reason { writer.attribute("reason", reason) }
        writer.attribute("status", state.rawValue)
        writer.text(address.description)
        writer.end()
    }

    static func parseAll(in element: XMLElement) throws(MailModelError) -> [RecipientStatus] {
        var result: [RecipientStatus] = []
        for child in element.all(MailXML.name("Recipient")) {
            let value = try child.requiredAttribute("status")
            guard let state = State(rawValue: value) else {
                throw MailModelError(.invalidValue, "unknown recipient status \"\(value.prefix(40))\"")
            }
            let text = try mailModel { () throws(XMLError) in try child.simpleText() }
            result.append(
                RecipientStatus(
                    try parseAddress(text), state, code: child.attribute("code"), reason: child.attribute("reason")))
        }
        guard !result.isEmpty else { throw MailModelError(.malformed, "\(element.localName) names no recipient") }
        return result
    }
}
