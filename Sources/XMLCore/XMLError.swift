/// Why a document was refused, or why it has not the shape its reader asked for.
public struct XMLError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Stable reasons, for decisions and tests.
    public enum Code: String, Sendable, CaseIterable {
        /// A limit of ``XMLLimits`` was passed.
        case limitExceeded
        /// Not well formed (XML 1.0).
        case malformed
        /// Well formed perhaps, but outside our profile: a DTD, a processing instruction, another encoding or version.
        case forbiddenConstruct
        /// The bytes are not UTF-8.
        case invalidUTF8
        /// A character that XML 1.0 §2.2 forbids, literally or by reference.
        case invalidCharacter
        /// A reference to an entity that is not one of the five predefined ones.
        case undefinedEntity
        /// Two attributes of an element have the same expanded name, or two declarations the same prefix.
        case duplicateAttribute
        /// A prefix is used that no declaration in scope binds.
        case unboundPrefix
        /// A namespace declaration breaks Namespaces in XML 1.0, or names a relative URI.
        case invalidNamespace
        /// Two elements have the same id.
        case duplicateIdentifier
        /// A child element that must be there is not.
        case missingElement
        /// A child element that may not be there (or not again) is.
        case unexpectedElement
        /// Character data is not what its reader asked for, such as strict base64.
        case invalidValue
    }

    public let code: Code
    /// Byte offset in the document.
    public let offset: Int
    /// For logs; never sent to a peer.
    public let reason: String

    public init(_ code: Code, at offset: Int, _ reason: String) {
        self.code = code
        self.offset = offset
        self.reason = reason
    }

    /// The same bytes will always be refused.
    public var isTransient: Bool { false }

    public var description: String { "\(code.rawValue) at byte \(offset): \(reason)" }
}
