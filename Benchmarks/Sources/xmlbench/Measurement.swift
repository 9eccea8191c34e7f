import Foundation

/// CPU time of this process, in nanoseconds: others on the machine do not count.
func processorTime() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) * 1e9 + Double(time.tv_nsec)
}

/// Nanoseconds of one call, averaged over `count`.
func nanoseconds(_ count: Int, _ body: () throws -> Void) rethrows -> Double {
    let start = processorTime()
    for _ in 0..<count { try body() }
    return (processorTime() - start) / Double(count)
}

func median(_ values: [Double]) -> Double {
    let sorted = values.sorted()
    guard !sorted.isEmpty else { return .nan }
    let middle = sorted.count / 2
    return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

func report(_ key: String, _ value: Double, digits: Int = 2) {
    print(key, String(format: "%.\(digits)f", value))
}
