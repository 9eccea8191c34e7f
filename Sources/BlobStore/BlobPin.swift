import Identity
import Synchronization

/// Keeps one file from the collector until it is released or dropped.
///
/// A submission pins its files, commits its hold on them to the database, and releases the pins.
public final class BlobPin: Sendable {
    public let owner: Address
    public let digest: [UInt8]
    /// Octets of the file.
    public let size: UInt64
    private let pending: Mutex<(@Sendable () -> Void)?>

    /// - Parameter release: called once.
    public init(owner: Address, digest: [UInt8], size: UInt64, release: @escaping @Sendable () -> Void) {
        self.owner = owner
        self.digest = digest
        self.size = size
        pending = Mutex(release)
    }

    /// Later calls do nothing.
    public func release() {
        let action = pending.withLock { slot in
            defer { slot = nil }
            return slot
        }
        action?()
    }

    deinit { release() }
}
