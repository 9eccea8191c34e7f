/// Which of the last 100 calls failed.
struct ErrorWindow {
    static let size = 100

    private var outcomes: [Bool] = []
    private var next = 0
    private(set) var failures = 0

    mutating func record(failed: Bool) {
        if outcomes.count < Self.size {
            outcomes.append(failed)
        } else {
            if outcomes[next] { failures -= 1 }
            outcomes[next] = failed
            next = (next + 1) % Self.size
        }
        if failed { failures += 1 }
    }
}
