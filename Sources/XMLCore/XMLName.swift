/// An expanded name: a namespace URI and a local name (Namespaces in XML 1.0 §2.1). Prefixes never take part.
public struct XMLName: Hashable, Sendable, CustomStringConvertible {
    /// The namespace URI; empty for no namespace.
    public let namespace: String
    public let localName: String

    public init(_ namespace: String, _ localName: String) {
        self.namespace = namespace
        self.localName = localName
    }

    public var description: String {
        namespace.isEmpty ? localName : "{\(namespace)}\(localName)"
    }
}
