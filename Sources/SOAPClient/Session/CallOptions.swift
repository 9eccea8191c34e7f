/// What one call may take.
public struct CallOptions: Sendable, Hashable {
    /// For each attempt, from the wait for a connection to the end of the reply. Longer for List with a wait.
    public var timeout: Duration
    /// Bytes of the reply, inflated.
    public var maxReplyBytes: Int
    /// Executing it twice is the same as executing it once (all of WSEmail's own operations: Send and Deliver by their intent id).
    /// False: when the outcome of an attempt is unknown the error says so, instead of trying again.
    public var isRepeatable: Bool

    public init(timeout: Duration = .seconds(60), maxReplyBytes: Int = 32 << 20, isRepeatable: Bool = true) {
        self.timeout = timeout
        self.maxReplyBytes = maxReplyBytes
        self.isRepeatable = isRepeatable
    }

    public static let standard = CallOptions()
}
