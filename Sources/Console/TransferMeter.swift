/// How far a transfer is, how fast it goes and when it will be done, in one line.
///
/// The rate is that of the last seconds, so that it follows a line that becomes slow.
public struct TransferMeter: Sendable {
    /// Seconds over which the rate is smoothed.
    private static let span = 5.0
    private static let barWidth = 20
    private static let shortestBar = 5

    private var last: (time: Double, done: UInt64)?
    /// Octets in a second; nil until two moments are known.
    public private(set) var rate: Double?

    public init() {}

    /// Notes how far it is.
    /// - Parameters:
    ///   - done: octets, also those of earlier attempts; only what is added between two calls counts for the rate.
    ///   - time: seconds since any moment.
    public mutating func note(_ done: UInt64, at time: Double) {
        guard let last, done >= last.done else {
            self.last = (time, done)
            rate = nil
            return
        }
        let elapsed = time - last.time
        // Too short to tell anything.
        guard elapsed >= 0.1 else { return }
        let current = Double(done - last.done) / elapsed
        let weight = min(1, elapsed / Self.span)
        rate = rate.map { $0 + (current - $0) * weight } ?? current
        self.last = (time, done)
    }

    /// `report.pdf [=====>    ]  45%  1.2 GB of 2.6 GB  310 MB/s, 4 s left`.
    /// - Parameter width: columns that there are; where it is too long, the bar gets shorter, then the name.
    public func line(_ name: String, _ done: UInt64, of total: UInt64, width: Int? = nil) -> String {
        let share = total == 0 ? 1 : min(1, Double(done) / Double(total))
        let name = PrintableText.truncate(PrintableText.clean(name), to: 30)
        let numbers = numbers(done, total, share)
        let taken = PrintableText.width(name) + numbers.count
        let barWidth = width.map { min(Self.barWidth, $0 - taken - 4) } ?? Self.barWidth
        guard barWidth < Self.shortestBar else { return "\(name) \(Self.bar(share, barWidth)) \(numbers)" }
        let room = max(8, (width ?? .max) - numbers.count - 1)
        return "\(PrintableText.truncate(name, to: room)) \(numbers)"
    }

    private static func bar(_ share: Double, _ width: Int) -> String {
        let filled = Int(share * Double(width))
        let rest = filled >= width ? "" : ">" + String(repeating: " ", count: width - filled - 1)
        return "[" + String(repeating: "=", count: filled) + rest + "]"
    }

    private func numbers(_ done: UInt64, _ total: UInt64, _ share: Double) -> String {
        let percent = Int(share * 100)
        var text = String(repeating: " ", count: percent < 10 ? 2 : percent < 100 ? 1 : 0) + "\(percent)%  "
        text += "\(HumanText.bytes(Int64(clamping: done))) of \(HumanText.bytes(Int64(clamping: total)))"
        guard let rate, rate >= 1 else { return text }
        text += "  \(HumanText.bytes(Int64(rate)))/s"
        if done < total { text += ", \(HumanText.duration((Double(total - done) / rate).rounded(.up))) left" }
        return text
    }
}
