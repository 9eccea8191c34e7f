import SOAP
import XMLCore

/// The payload of a call or reply: one element of the wsemail namespace.
public protocol Payload: Sendable {
    /// Local name of the payload element.
    static var localName: String { get }
    /// Writes the content of the payload element, attributes first.
    func writeContent(into writer: inout XMLWriter) throws
    /// Reads a verified payload element.
    init(parsing element: XMLElement) throws(MailModelError)
}

extension Payload {
    /// Writes the whole payload element.
    public func write(into writer: inout XMLWriter) throws {
        writer.start(MailXML.wrapper(Self.localName))
        try writeContent(into: &writer)
        writer.end()
    }

    /// Reads the payload after checking the element's name.
    public static func parse(_ element: XMLElement) throws(MailModelError) -> Self {
        guard element.isNamed(MailXML.name(localName)) else {
            throw MailModelError(.malformed, "expected \(localName), found \(element.localName)")
        }
        return try Self(parsing: element)
    }
}

/// The typed halves of one row of the operation table (`MailOperation`).
public protocol OperationCodec: Sendable {
    associatedtype Request: Payload
    associatedtype Response: Payload
    static var operation: MailOperation { get }
}

extension XMLWriter {
    mutating func wrapped(_ localName: String, _ text: String) {
        element(MailXML.wrapper(localName), text)
    }
}
