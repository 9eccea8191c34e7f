import SOAP

/// Lets each caller have only so many calls under way: who makes very many takes no more of what all share than others do.
actor CallerTurns {
    private struct Queue {
        var running = 0
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let limit: Int
    private let longest: Int
    private var queues: [String: Queue] = [:]

    /// - Parameters:
    ///   - limit: calls at a time.
    ///   - longest: calls of one caller that wait.
    init(limit: Int = 2, longest: Int = 100) {
        self.limit = limit
        self.longest = longest
    }

    /// Waits for a turn. Give it back with ``leave(_:)``.
    /// - Throws: `Busy`.
    func enter(_ caller: String) async throws(SOAPFault) {
        var queue = queues[caller] ?? Queue()
        guard queue.running >= limit else {
            queue.running += 1
            queues[caller] = queue
            return
        }
        guard queue.waiting.count < longest else { throw SOAPFault(.busy, "too many calls at a time; slow down and try again") }
        // Whoever leaves hands the turn over.
        await withCheckedContinuation { queues[caller, default: queue].waiting.append($0) }
    }

    func leave(_ caller: String) {
        guard var queue = queues[caller] else { return }
        if queue.waiting.isEmpty { queue.running -= 1 } else { queue.waiting.removeFirst().resume() }
        queues[caller] = queue.running == 0 ? nil : queue
    }
}
