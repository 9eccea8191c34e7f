/// Why a plug-in, or what it asked for, was refused or failed. `reason` is for logs and administrators.
public struct PluginError: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Code: String, Sendable, CaseIterable {
        /// A value that cannot be: a bad identifier, key, frame or address.
        case invalid
        /// The plug-in has not been granted the capability.
        case notGranted
        /// Over one of the host's limits: size of a key, a value, an answer, messages per call.
        case limitExceeded
        /// It took longer than its time limit.
        case timedOut
        /// All its places for calls at once are taken.
        case busy
        /// It trapped, threw or answered nonsense.
        case failed
        /// It was taken out because it kept failing.
        case suspended
        /// The engine or a file it needs is not there.
        case unavailable
        /// The module cannot be loaded: damaged, wrong imports or exports.
        case invalidModule
        /// The package is not acceptable: signature, publisher, version, capabilities.
        case refused
        /// The store failed. Transient.
        case storage
    }

    public let code: Code
    public let reason: String

    public init(_ code: Code, _ reason: String) {
        self.code = code
        self.reason = reason
    }

    /// Whether the same may succeed later without anybody changing it.
    public var isTransient: Bool { code == .timedOut || code == .busy || code == .storage }

    public var description: String { "\(code.rawValue): \(reason)" }
}

/// Thrown by an ``ExtensionProcessor`` to refuse a call; the reason goes to the caller.
public struct PluginFault: Error, Sendable, Hashable {
    /// At most 500 characters; the caller reads it.
    public let reason: String
    /// Whether the caller should try again later.
    public let isTransient: Bool

    public init(_ reason: String, isTransient: Bool = false) {
        self.reason = reason
        self.isTransient = isTransient
    }
}
