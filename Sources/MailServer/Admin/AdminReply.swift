import Foundation

/// The answer to an administrative act: a table, details, or an error that says what to do.
public struct AdminReply: Sendable, Hashable, Codable {
    /// The most octets of one reply line: what a client reads at most.
    public static let maximumSize = 4 << 20

    public var ok: Bool
    /// One sentence for people.
    public var message: String
    /// Names of the columns of `rows`. The ending says what a value is: `_at` a time (ISO 8601, UTC), `_bytes` and `_count`
    /// whole numbers; `id` is a number as well; everything else is text.
    public var columns: [String]
    public var rows: [[String]]
    /// Single values, named like columns. `next` is the cursor of the following page.
    public var details: [String: String]
    public var error: AdminError?

    public init(
        _ message: String = "", columns: [String] = [], rows: [[String]] = [], details: [String: String] = [:]
    ) {
        ok = true
        self.message = message
        self.columns = columns
        self.rows = rows
        self.details = details
    }

    public init(error: AdminError) {
        self.init()
        ok = false
        message = error.reason
        self.error = error
    }

    /// The value in a row by its column's name.
    public func value(_ column: String, in row: [String]) -> String? {
        guard let index = columns.firstIndex(of: column), index < row.count else { return nil }
        return row[index]
    }
}

/// Why an administrative act failed, and what to do.
public struct AdminError: Error, Sendable, Hashable, Codable, CustomStringConvertible {
    public enum Code: String, Sendable, Codable, CaseIterable {
        /// The request is not understood: other versions at the two ends.
        case badRequest
        /// An argument is missing or has an impossible value.
        case invalidArgument
        case unknownAccount
        case unknownJob
        case unknownCertificate
        case unknownPlugin
        /// A package, plug-in or act of plug-ins that the rules refuse.
        case refused
        case alreadyExists
        /// A rule forbids it: removing `postmaster@`, another user's socket.
        case forbidden
        /// The certificate found is not the one that was named.
        case untrusted
        /// Another machine was not reached or answered nonsense. Transient.
        case unreachable
        /// Needs the running server.
        case needsServer
        /// No server listens at the admin socket.
        case notRunning
        /// Too much at a time. Transient.
        case busy
        /// The store is full or failed. Transient.
        case storage
        /// Another process owns the database.
        case inUse
        /// A file or folder is missing, unsafe or in the way.
        case file
        case `internal`
    }

    public let code: Code
    /// What is wrong, for people.
    public let reason: String
    /// What to do about it; empty when there is nothing to say.
    public let hint: String

    public init(_ code: Code, _ reason: String, hint: String = "") {
        self.code = code
        self.reason = reason
        self.hint = hint
    }

    public var isTransient: Bool { code == .busy || code == .storage || code == .unreachable }
    public var description: String { hint.isEmpty ? reason : "\(reason); \(hint)" }
}
