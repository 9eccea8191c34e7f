/// Why a question to the person at the terminal got no answer.
public struct ConsoleError: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Code: String, Sendable {
        /// There is no terminal to ask at.
        case noTerminal
        /// The person pressed Control-C or Control-D.
        case cancelled
        /// The two entries differ.
        case mismatch
        /// A file or stream could not be read, or holds no line.
        case unreadable
        /// Longer than any password.
        case tooLong
    }

    public let code: Code
    /// For people; never holds what was typed.
    public let reason: String

    public init(_ code: Code, _ reason: String) {
        self.code = code
        self.reason = reason
    }

    public var isTransient: Bool { false }
    public var description: String { reason }
}
