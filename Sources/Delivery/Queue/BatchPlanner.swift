import MailStore

/// How much goes into one Deliver call.
public struct BatchLimits: Sendable, Hashable {
    /// Messages.
    public var count: Int
    /// Octets of messages and postmarks together; a single message may be longer.
    public var bytes: Int

    public init(count: Int = 32, bytes: Int = 4 << 20) {
        self.count = count
        self.bytes = bytes
    }

    /// The smaller of both.
    public func within(_ other: BatchLimits?) -> BatchLimits {
        guard let other else { return self }
        return BatchLimits(count: max(1, min(count, other.count)), bytes: max(1, min(bytes, other.bytes)))
    }
}

/// Cuts jobs for one destination into calls. A pure function.
public enum BatchPlanner {
    /// Keeps the order; each batch has at least one job, and never one job twice.
    public static func batches(_ jobs: [LeasedJob], limits: BatchLimits) -> [[LeasedJob]] {
        var batches: [[LeasedJob]] = []
        var bytes = 0
        for job in jobs {
            let size = job.octets.count + job.postmark.count
            if let last = batches.last, last.count < limits.count, bytes + size <= limits.bytes {
                batches[batches.count - 1].append(job)
                bytes += size
            } else {
                batches.append([job])
                bytes = size
            }
        }
        return batches
    }
}
