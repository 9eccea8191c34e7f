import CZlib

/// What went wrong while (de)compressing.
public struct GZipError: Error, Sendable, Equatable {
    public enum Code: String, Sendable {
        /// The output would exceed the caller's limit.
        case limitExceeded
        case malformed
        case truncated
        /// zlib had no memory.
        case failed
    }

    public let code: Code
    /// For logs.
    public let reason: String
    public var isTransient: Bool { code == .failed }
}

/// `Content-Encoding: gzip` (RFC 1952) on whole bodies, with a bound on what may come out.
public enum GZip {
    /// Compresses into one gzip member.
    ///
    /// - Parameter level: zlib's 0...9; others are clamped.
    public static func compress(_ bytes: [UInt8], level: Int32 = 6) throws(GZipError) -> [UInt8] {
        let stream = ZStream()
        // A window no larger than the input: zlib zeroes what it allocates, which for a 3 KB envelope
        // costs more than the compression itself.
        let window = windowBits(for: bytes.count)
        let memory = min(8, max(5, window - 6))
        guard
            deflateInit2_(
                stream.pointer, min(max(level, 0), 9), Z_DEFLATED, window + 16, memory, Z_DEFAULT_STRATEGY,
                ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK
        else { throw GZipError(code: .failed, reason: "deflateInit2 failed") }
        defer { deflateEnd(stream.pointer) }
        // Slack: deflate wants room to spare before it will say that it has finished.
        let bound = Int(deflateBound(stream.pointer, UInt(bytes.count))) + 64
        var status = Z_OK
        let output = [UInt8](unsafeUninitializedCapacity: bound) { buffer, count in
            status = stream.run(bytes[...], into: buffer) { deflate($0, Z_FINISH) }
            count = bound - stream.availableOut
        }
        guard status == Z_STREAM_END else { throw GZipError(code: .failed, reason: "deflate returned \(status)") }
        return output
    }

    /// Decompresses exactly one gzip member and nothing behind it.
    ///
    /// - Parameter limit: the most bytes that may come out.
    public static func decompress(_ bytes: [UInt8], limit: Int) throws(GZipError) -> [UInt8] {
        let stream = ZStream()
        guard inflateInit2_(stream.pointer, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            throw GZipError(code: .failed, reason: "inflateInit2 failed")
        }
        defer { inflateEnd(stream.pointer) }
        var output: [UInt8] = []
        var consumed = 0
        var chunk = min(max(bytes.count * 4, 4096), 65_536)
        while true {
            // One byte over the limit is enough to know.
            let room = min(chunk, limit - output.count + 1)
            var status = Z_OK
            let piece = [UInt8](unsafeUninitializedCapacity: room) { buffer, count in
                status = stream.run(bytes[consumed...], into: buffer) { inflate($0, Z_NO_FLUSH) }
                count = room - stream.availableOut
            }
            consumed = bytes.count - stream.availableIn
            if output.isEmpty { output = piece } else { output.append(contentsOf: piece) }
            guard output.count <= limit else {
                throw GZipError(code: .limitExceeded, reason: "more than \(limit) bytes")
            }
            if try isComplete(status, progressed: !piece.isEmpty, left: bytes.count - consumed) { return output }
            chunk = min(chunk * 2, 1 << 20)
        }
    }

    private static func isComplete(_ status: Int32, progressed: Bool, left: Int) throws(GZipError) -> Bool {
        switch status {
        case Z_STREAM_END where left == 0: return true
        case Z_STREAM_END: throw GZipError(code: .malformed, reason: "bytes after the end")
        case Z_OK where progressed || left > 0: return false
        case Z_OK, Z_BUF_ERROR: throw GZipError(code: .truncated, reason: "the stream ends early")
        case Z_MEM_ERROR: throw GZipError(code: .failed, reason: "no memory")
        default: throw GZipError(code: .malformed, reason: "inflate returned \(status)")
        }
    }

    private static func windowBits(for size: Int) -> Int32 {
        var bits: Int32 = 9
        while bits < 15 && (1 << Int(bits)) < size + 262 { bits += 1 }
        return bits
    }
}

/// A `z_stream` at a fixed address: zlib's state points back at it and refuses to work if it moved.
private final class ZStream {
    let pointer = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)

    init() { pointer.initialize(to: z_stream()) }

    deinit {
        pointer.deinitialize(count: 1)
        pointer.deallocate()
    }

    var availableOut: Int { Int(pointer.pointee.avail_out) }
    var availableIn: Int { Int(pointer.pointee.avail_in) }

    func run(
        _ input: ArraySlice<UInt8>, into output: UnsafeMutableBufferPointer<UInt8>,
        step: (UnsafeMutablePointer<z_stream>) -> Int32
    ) -> Int32 {
        input.withUnsafeBufferPointer { source in
            // zlib never writes through next_in; its prototype is only older than const.
            pointer.pointee.next_in = UnsafeMutablePointer(mutating: source.baseAddress)
            pointer.pointee.avail_in = UInt32(clamping: source.count)
            pointer.pointee.next_out = output.baseAddress
            pointer.pointee.avail_out = UInt32(clamping: output.count)
            return step(pointer)
        }
    }
}
