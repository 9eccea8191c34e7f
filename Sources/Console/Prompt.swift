#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Questions to the person at the terminal, and secrets from files and pipes.
public enum Prompt {
    /// Longest line taken, in octets.
    public static let longestLine = 4_096

    /// Asks at the controlling terminal (not standard input, which may be a pipe) without showing what is typed.
    /// - Throws: `noTerminal`, `cancelled`, `tooLong`.
    public static func secret(_ question: String) throws(ConsoleError) -> String {
        let descriptor = open("/dev/tty", O_RDWR | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw ConsoleError(.noTerminal, "there is no terminal to ask at; give a file or \"-\" for standard input")
        }
        defer { close(descriptor) }
        var saved = termios()
        guard tcgetattr(descriptor, &saved) == 0 else { throw ConsoleError(.noTerminal, "the terminal cannot be set up") }
        var silent = saved
        // Byte by byte and without signals: so Control-C, too, passes here and the echo comes back.
        silent.c_lflag &= ~tcflag_t(ECHO | ICANON | ISIG | IEXTEN)
        guard tcsetattr(descriptor, TCSAFLUSH, &silent) == 0 else {
            throw ConsoleError(.noTerminal, "the terminal cannot be set up")
        }
        defer {
            _ = tcsetattr(descriptor, TCSAFLUSH, &saved)
            put("\n", descriptor)
        }
        put(question, descriptor)
        return try readHidden(descriptor)
    }

    /// Asks for a new secret, twice.
    public static func newSecret(_ question: String, again: String = "once more: ") throws(ConsoleError) -> String {
        let first = try secret(question)
        guard try secret(again) == first else { throw ConsoleError(.mismatch, "the two entries differ; nothing was changed") }
        return first
    }

    /// A yes-or-no question on the error stream, answered on standard input. Without a terminal: `preset`.
    public static func confirm(_ question: String, preset: Bool = false) -> Bool {
        guard Terminal.input.isTTY, Terminal.error.isTTY else { return preset }
        Terminal.error.write("\(question) [\(preset ? "Y/n" : "y/N")] ")
        guard let answer = readLine(strippingNewline: true)?.lowercased() else { return false }
        return answer.isEmpty ? preset : answer == "y" || answer == "yes"
    }

    /// The first line of a file, or of standard input if `path` is `-`: a password that another program hands over.
    /// - Throws: `unreadable`, `tooLong`.
    public static func firstLine(of path: String) throws(ConsoleError) -> String {
        let isStandardInput = path == "-"
        let descriptor = isStandardInput ? Terminal.input.rawValue : open(path, O_RDONLY | O_CLOEXEC)
        let name = isStandardInput ? "standard input" : path
        guard descriptor >= 0 else {
            throw ConsoleError(.unreadable, "cannot read \(name): \(String(cString: strerror(errno)))")
        }
        defer { if !isStandardInput { close(descriptor) } }
        var bytes: [UInt8] = []
        while let byte = readByte(descriptor), byte != UInt8(ascii: "\n") {
            guard bytes.count < longestLine else { throw ConsoleError(.tooLong, "the first line of \(name) is too long") }
            bytes.append(byte)
        }
        if bytes.last == UInt8(ascii: "\r") { bytes.removeLast() }
        guard !bytes.isEmpty else { throw ConsoleError(.unreadable, "\(name) begins with an empty line") }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw ConsoleError(.unreadable, "\(name) is not UTF-8 text")
        }
        return text
    }

    private static func readHidden(_ descriptor: Int32) throws(ConsoleError) -> String {
        var bytes: [UInt8] = []
        while true {
            guard let byte = readByte(descriptor) else { throw ConsoleError(.cancelled, "cancelled; nothing was changed") }
            switch byte {
            case 0x0A, 0x0D:
                guard let text = String(validating: bytes, as: UTF8.self) else {
                    throw ConsoleError(.unreadable, "what was typed is not UTF-8 text")
                }
                return text
            case 0x03, 0x1C: throw ConsoleError(.cancelled, "cancelled; nothing was changed")
            case 0x04 where bytes.isEmpty: throw ConsoleError(.cancelled, "cancelled; nothing was changed")
            case 0x15: bytes.removeAll()
            case 0x08, 0x7F:
                // A whole character: its trailing octets are 10xxxxxx.
                while let last = bytes.popLast(), last & 0xC0 == 0x80 {}
            case 0x00...0x1F: break
            default: bytes.append(byte)
            }
            guard bytes.count <= longestLine else { throw ConsoleError(.tooLong, "that is too long") }
        }
    }

    private static func readByte(_ descriptor: Int32) -> UInt8? {
        var byte: UInt8 = 0
        while true {
            let count = read(descriptor, &byte, 1)
            if count == 1 { return byte }
            if count < 0, errno == EINTR { continue }
            return nil
        }
    }

    private static func put(_ text: String, _ descriptor: Int32) {
        let bytes = Array(text.utf8)
        _ = write(descriptor, bytes, bytes.count)
    }
}
