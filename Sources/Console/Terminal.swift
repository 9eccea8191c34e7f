#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Why something could not be written.
public struct WriteFailure: Error, Sendable, Hashable {
    /// `errno` of write(2).
    public let code: Int32

    public init(code: Int32) { self.code = code }

    /// The reader has what it wanted, and is gone.
    public var isBrokenPipe: Bool { code == EPIPE }
    /// "No space left on device", …
    public var reason: String { String(cString: strerror(code)) }
}

/// Where text goes: the process's output or error stream. Writes at once, without a buffer of its own.
public enum Terminal: Int32, Sendable {
    case input = 0
    case output = 1
    case error = 2

    /// Whether a person sits at the other end.
    public var isTTY: Bool { isatty(rawValue) == 1 }

    /// Columns of the window; nil when it is no terminal.
    public var width: Int? {
        guard isTTY else { return nil }
        var size = winsize()
        guard ioctl(rawValue, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
        return Int(size.ws_col)
    }

    /// Writes all of `text`. A reader that went away (`| head`) is not an error; who must know uses ``put(_:)``.
    public func write(_ text: String) { _ = put(Array(text.utf8)) }

    /// Writes all of `bytes`.
    /// - Returns: nil when all is written, else why not. Needs SIGPIPE ignored to tell of a reader that went away.
    public func put(_ bytes: [UInt8]) -> WriteFailure? {
        bytes.withUnsafeBytes { buffer in
            var offset = 0
            while offset < buffer.count, let base = buffer.baseAddress {
                let written = systemWrite(rawValue, base + offset, buffer.count - offset)
                if written < 0, errno == EINTR { continue }
                if written < 0, errno == EAGAIN {
                    // The other end has made the stream non-blocking.
                    var ready = pollfd(fd: rawValue, events: Int16(POLLOUT), revents: 0)
                    _ = poll(&ready, 1, -1)
                    continue
                }
                if written <= 0 { return WriteFailure(code: errno) }
                offset += written
            }
            return nil
        }
    }

    /// From now on a write to a reader that went away fails instead of ending the process.
    public static func ignoreBrokenPipes() { _ = signal(SIGPIPE, SIG_IGN) }

    /// Writes `text` and a line end.
    public func line(_ text: String = "") { write(text + "\n") }

    /// Value of an environment variable, or nil.
    static func environment(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }
    }
}

// `write` is also a name of ours.
private func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawPointer, _ count: Int) -> Int {
    write(descriptor, bytes, count)
}
