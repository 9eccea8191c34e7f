import Foundation

/// Limits of a ``DiskBlobStore``.
public struct BlobConfiguration: Sendable, Hashable {
    /// Octets an owner may have, the announced sizes of open uploads included.
    public var quota: UInt64 = 20 << 30
    /// Files an owner may have, open uploads included.
    public var filesPerOwner = 100_000
    /// Octets of the largest file.
    public var largestFile: UInt64 = 5 << 30
    /// Open uploads an owner may have.
    public var uploadsPerOwner = 16
    /// Open uploads of all owners.
    public var uploads = 10_000
    /// Seconds after which an upload without progress is dead.
    public var uploadLife: TimeInterval = 7 * 24 * 3_600
    /// Seconds without progress after which an upload makes room for another one of its owner.
    public var uploadGrace: TimeInterval = 3_600
    /// Seconds after which an append that brings nothing may be taken over by a newer one.
    public var idleTakeover: TimeInterval = 30
    /// Octets gathered before they go to the disk.
    public var pieceSize = 256 << 10
    /// Octets after which a long append is made durable and noted: a power cut costs at most these.
    public var checkpoint: UInt64 = 256 << 20
    /// Octets of the disk that are not for files: a full disk would stop the mail as well.
    public var keepFree: UInt64 = 64 << 20

    public init() {}
}
