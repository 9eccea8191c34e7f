/// Where canonical XML goes: whole runs of the source as they stand, joined while they touch, and what has to be
/// written differently, through a buffer.
struct CanonicalOutput {
    /// Gets the octets in order; without one they stay in `buffer`.
    typealias Sink = (UnsafeRawBufferPointer) -> Void

    let source: ByteView
    let sink: Sink?
    private(set) var buffer: [UInt8] = []
    private var runStart = 0
    private var runEnd = 0
    /// Runs of at least this length go to the sink without a copy.
    private static let directLength = 1024
    private static let bufferLength = 4096

    init(_ source: ByteView, reserving: Int, sink: Sink?) {
        self.source = source
        self.sink = sink
        buffer.reserveCapacity(sink == nil ? reserving : min(reserving, Self.bufferLength + Self.directLength))
    }

    /// Bytes of the source, unchanged.
    @inline(__always)
    mutating func copy(_ start: Int, _ end: Int) {
        if start == runEnd {
            runEnd = end
        } else {
            flushRun()
            runStart = start
            runEnd = end
        }
    }

    @inline(__always)
    mutating func write(_ byte: UInt8) {
        flushRun()
        buffer.append(byte)
    }

    @inline(__always)
    mutating func write(_ bytes: UnsafeBufferPointer<UInt8>) {
        flushRun()
        buffer.append(contentsOf: bytes)
    }

    @inline(__always)
    mutating func write(_ literal: StaticString) {
        write(UnsafeBufferPointer(start: literal.utf8Start, count: literal.utf8CodeUnitCount))
    }

    mutating func finish() {
        flushRun()
        drain()
    }

    @inline(__always)
    private mutating func flushRun() {
        if runStart != runEnd { flushPendingRun() }
    }

    @inline(never)
    private mutating func flushPendingRun() {
        let run = source.slice(runStart, runEnd)
        runStart = 0
        runEnd = 0
        guard let sink else { return buffer.append(contentsOf: run) }
        if run.count >= Self.directLength {
            drain()
            sink(UnsafeRawBufferPointer(run))
        } else {
            buffer.append(contentsOf: run)
            if buffer.count >= Self.bufferLength { drain() }
        }
    }

    private mutating func drain() {
        guard let sink, !buffer.isEmpty else { return }
        buffer.withUnsafeBytes(sink)
        buffer.removeAll(keepingCapacity: true)
    }
}
