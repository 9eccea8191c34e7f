#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Why a store of files refused or failed an operation.
///
/// `reason` is meant for logs and administrators: it holds no secret and nothing of a file's content.
public struct BlobError: Error, Sendable, Hashable, CustomStringConvertible {
    /// Stable codes; the server maps them to answers of HTTP.
    public enum Code: String, Sendable, CaseIterable {
        /// There is no such upload, the secret is not its secret, or it expired: one and the same error.
        case notFound
        /// The upload stands elsewhere: see ``BlobError/offset``.
        case wrongOffset
        /// Another append is under way (``BlobError/offset``: how far it is), or too many uploads are open. Transient.
        case busy
        /// More octets than announced, or a file larger than the store takes.
        case tooLarge
        /// The octets have another SHA-256 than announced: the upload was thrown away.
        case digestMismatch
        /// The owner has no more room, or too many open uploads.
        case quotaExceeded
        /// The disk is full. Transient: works again when there is space.
        case storageFull
        /// The disk answered with an error. Transient.
        case ioFailure
        /// The caller handed over something that cannot be meant.
        case invalid
    }

    public let code: Code
    public let reason: String
    /// With `.wrongOffset` and `.busy` of an upload: how many octets are there.
    public let offset: UInt64?

    public init(_ code: Code, _ reason: String, offset: UInt64? = nil) {
        self.code = code
        self.reason = reason
        self.offset = offset
    }

    /// Whether the same call may work later without anybody changing it.
    public var isTransient: Bool {
        switch code {
        case .busy, .storageFull, .ioFailure: true
        case .notFound, .wrongOffset, .tooLarge, .digestMismatch, .quotaExceeded, .invalid: false
        }
    }

    public var description: String { "\(code.rawValue): \(reason)" }

    /// What a failed system call means. Without `number`, reads `errno`: nothing may run between the call and this.
    static func system(_ what: String, _ number: CInt = errno) -> BlobError {
        let isFull = number == ENOSPC || number == EDQUOT
        return BlobError(isFull ? .storageFull : .ioFailure, "cannot \(what): \(String(cString: strerror(number)))")
    }

    /// One answer for everything that is wrong with an upload's name or secret.
    static let noUpload = BlobError(.notFound, "there is no such upload")
}
