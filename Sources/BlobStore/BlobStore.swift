import Foundation
import Identity
import NIOCore

/// Keeps files by owner and SHA-256; equal files of one owner are one file, those of two owners are two (whether
/// somebody else has a file must not show).
///
/// A file is there when it is durable, whole and of the right digest; never in part.
public protocol BlobStore: Sendable {
    /// Begins an upload, or goes on with the one of the same owner, digest and size. Each call makes a new secret; the
    /// one before is void.
    /// - Returns: `.complete` if the file is there already (its age is refreshed).
    /// - Throws: `.tooLarge`, `.quotaExceeded`, `.busy`, `.storageFull`, `.invalid` (a digest has 32 octets),
    ///   `.digestMismatch` (size 0 and not the digest of nothing), `.ioFailure`.
    func openUpload(owner: Address, digest: [UInt8], size: UInt64, now: Date) async throws(BlobError) -> BlobUpload

    /// How far an upload is.
    /// - Throws: `.notFound` for an unknown one, a wrong secret, an expired one.
    func uploadStatus(_ id: String, secret: [UInt8], now: Date) async throws(BlobError) -> (offset: UInt64, size: UInt64)

    /// Whose upload it is. Throws as ``uploadStatus(_:secret:now:)``.
    func uploadOwner(_ id: String, secret: [UInt8], now: Date) async throws(BlobError) -> Address

    /// Begins to write at `offset`, which must be where the upload stands. One at a time: while another append brings
    /// octets, this throws `.busy`; one that was idle for long is taken over.
    /// - Throws: `.notFound`, `.wrongOffset`, `.busy`, `.storageFull`, `.ioFailure`.
    func append(to id: String, secret: [UInt8], at offset: UInt64, now: Date) async throws(BlobError) -> any BlobWriter

    /// Stores a small file that is in memory already, durably.
    /// - Returns: its SHA-256.
    func store(_ octets: [UInt8], owner: Address, now: Date) async throws(BlobError) -> [UInt8]

    /// A file to read from, nil if it is not there. Stays valid when the file is deleted.
    func reader(owner: Address, digest: [UInt8]) async throws(BlobError) -> (any BlobReader)?

    /// Keeps the collector from a file as long as the pin lives, and refreshes the file's age. nil: it is not there.
    func pin(owner: Address, digest: [UInt8]) async throws(BlobError) -> BlobPin?

    /// Deletes everything of an owner who has left, uploads too; nobody may submit for them any more. Can be repeated.
    /// - Returns: how many files.
    /// - Throws: `.busy` while a file is pinned, `.ioFailure`.
    func removeAll(of owner: Address) async throws(BlobError) -> Int

    /// Octets that count against the owner's quota: those stored and those announced by open uploads.
    func usage(of owner: Address) async throws(BlobError) -> UInt64

    /// Reads a file whole and compares its digest: for the administrator's check.
    func verify(owner: Address, digest: [UInt8]) async throws(BlobError) -> BlobVerdict

    /// Deletes files last touched before `olderThan` that nobody pins or holds, dead uploads, and what crashes left.
    ///
    /// `isHeld` is asked again directly before a file is deleted; pins of that file wait meanwhile, so it must not pin
    /// the file itself. If it throws, the collection ends there.
    func collect(
        olderThan: Date, now: Date, isHeld: @Sendable (Address, [UInt8]) async throws -> Bool
    ) async throws(BlobError) -> BlobCollection
}

/// What opening an upload gave.
public enum BlobUpload: Sendable, Hashable {
    /// The file is there.
    case complete
    /// Append from `offset`. `id` is 32 hexadecimal digits, `secret` 32 random octets of which the store keeps the
    /// SHA-256 only.
    case open(id: String, secret: [UInt8], offset: UInt64, expires: Date)
}

/// Where an append left its upload. Both are durable.
public enum BlobProgress: Sendable, Hashable {
    case partial(offset: UInt64)
    case complete
}

/// One append. Call ``finish()`` or ``abandon()`` at its end; a writer that is dropped frees the upload, too, but loses
/// up to ``BlobConfiguration/pieceSize`` octets.
public protocol BlobWriter: Sendable {
    /// One call at a time. Errors stick: what follows a failed call throws the same.
    /// - Throws: `.tooLarge` if it goes beyond the announced size (nothing of `buffer` is kept), `.busy` if a newer
    ///   append took over, `.storageFull`, `.ioFailure`.
    func write(_ buffer: ByteBuffer) async throws(BlobError)

    /// Makes what arrived durable; with the last octet of the upload, checks the digest and puts the file in its place.
    /// - Throws: `.digestMismatch` (the upload is gone), and what ``write(_:)`` throws.
    func finish() async throws(BlobError) -> BlobProgress

    /// Ends the append and keeps what was written.
    func abandon() async
}

/// An open file.
public protocol BlobReader: Sendable {
    var size: UInt64 { get }
    /// - Returns: at most `count` octets, at most 1 MiB, at most what is left; none at or beyond the end.
    /// - Throws: `.invalid` for a negative count, `.ioFailure`.
    func read(at: UInt64, count: Int) async throws(BlobError) -> ByteBuffer
}

/// What a check of a stored file found.
public enum BlobVerdict: Sendable, Hashable {
    case intact
    /// Other octets than its name says, or no regular file.
    case damaged
    case missing
}

/// What a collection did.
public struct BlobCollection: Sendable, Hashable {
    /// Names kept in ``damaged``.
    public static let maximumNames = 100

    /// Files deleted, and their octets.
    public var files = 0
    public var bytes: UInt64 = 0
    /// Dead uploads deleted.
    public var uploads = 0
    /// Left-overs of crashes deleted.
    public var orphans = 0
    /// Names in the folder that are not as they should be and were left alone: for the log.
    public var damaged: [String] = []

    public init() {}

    mutating func note(_ name: String) {
        if damaged.count < Self.maximumNames { damaged.append(name) }
    }
}
