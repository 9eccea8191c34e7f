/// What is wrong with a mail document or operation. `reason` is for logs; `code` is stable.
public struct MailModelError: Error, Sendable, Equatable, CustomStringConvertible {
    public enum Code: String, Sendable {
        /// The XML does not follow the schema of `urn:wsemail:2`.
        case malformed
        /// An address, id or date does not parse.
        case invalidValue
        /// A configured limit (recipients, subject, size) is exceeded.
        case limitExceeded
        /// The signature over a Postmark, Receipt or message does not verify.
        case badSignature
        /// The signer may not speak for the domain that the document names.
        case wrongIssuer
    }

    public let code: Code
    public let reason: String
    public var isTransient: Bool { false }
    public var description: String { "\(code.rawValue): \(reason)" }

    public init(_ code: Code, _ reason: String) {
        self.code = code
        self.reason = reason
    }
}
