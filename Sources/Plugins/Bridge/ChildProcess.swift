import Foundation
import PluginAPI

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A running program with a socket as its standard input and output. Blocks its thread: for one thread at a time.
///
/// The program gets nothing of the server's: no environment but PATH and LANG, no open files, `/` as its folder, a process
/// group of its own, so that what it starts ends with it.
final class ChildProcess {
    let pid: pid_t
    private let socket: Int32
    private let errors: Int32
    private var errorText: [UInt8] = []

    /// Lines of standard error kept between two events, and octets of one.
    private static let lines = 50
    private static let lineLength = 1_000

    /// - Throws: ``PluginError`` `.unavailable` when the program cannot be started.
    init(_ command: String, _ arguments: [String]) throws(PluginError) {
        var pair: [Int32] = [-1, -1]
        var pipe: [Int32] = [-1, -1]
        defer { for descriptor in [pair[1], pipe[1]] where descriptor >= 0 { close(descriptor) } }
        guard Self.socketPair(&pair), Self.pipePair(&pipe) else {
            for descriptor in [pair[0], pipe[0]] where descriptor >= 0 { close(descriptor) }
            throw PluginError(.unavailable, "no pipes for \(command): \(Self.text(errno))")
        }
        var pid: pid_t = 0
        let code = Self.spawn(&pid, command, arguments, socket: pair[1], errors: pipe[1])
        guard code == 0 else {
            close(pair[0])
            close(pipe[0])
            throw PluginError(.unavailable, "\(command) cannot be started: \(Self.text(code))")
        }
        self.pid = pid
        socket = pair[0]
        errors = pipe[0]
        for descriptor in [socket, errors] { _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK) }
    }

    deinit {
        close(socket)
        close(errors)
    }

    /// Whether it runs and has said nothing that it was not asked for.
    func isIdle() -> Bool {
        var information = siginfo_t()
        // WNOWAIT: it is reaped in one place only, `end`.
        guard waitid(P_PID, id_t(pid), &information, WEXITED | WNOHANG | WNOWAIT) == 0, !Self.hasExited(information, pid) else {
            return false
        }
        var octet: UInt8 = 0
        return recv(socket, &octet, 1, Int32(MSG_PEEK)) < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)
    }

    /// Writes an event and reads its answer, each a length (4 octets, little-endian) and so many octets.
    /// - Throws: ``PluginError`` `.timedOut`; `.failed` when it ends, or answers too much.
    func exchange(_ event: [UInt8], maxAnswer: Int, until deadline: ContinuousClock.Instant) throws(PluginError) -> [UInt8] {
        let request = Self.length(event.count) + event
        var written = 0
        var answer: [UInt8] = []
        var needed = 4
        while answer.count < needed {
            let (canRead, canWrite) = try wait(toWrite: written < request.count, until: deadline)
            if canWrite { written += try write(request[written...]) }
            guard canRead else { continue }
            guard try read(into: &answer) else { throw PluginError(.failed, "the program ended\(lastWords())") }
            if answer.count >= 4, needed == 4 {
                let count = Self.count(answer)
                guard count <= maxAnswer else { throw PluginError(.failed, "the program announced an answer of \(count) octets") }
                needed += count
            }
        }
        guard answer.count == needed, written == request.count else {
            throw PluginError(.failed, "the program's answer does not have the length that it announced")
        }
        return Array(answer[4...])
    }

    /// What it wrote to standard error since last time, line by line.
    func takeErrorLines() -> [String] {
        drainErrors()
        guard let end = errorText.lastIndex(of: 0x0A) else { return [] }
        let lines = errorText[..<end].split(separator: 0x0A).prefix(Self.lines)
        errorText = Array(errorText[(end + 1)...])
        return lines.map { String(decoding: $0.prefix(Self.lineLength), as: UTF8.self) }
    }

    /// Ends it and all that it started, and reaps it: after `grace` at the latest if it does not end by itself when its input does.
    func end(grace: Duration = .zero) {
        if grace > .zero {
            _ = shutdown(socket, Int32(SHUT_WR))
            let deadline = ContinuousClock.now + grace
            var rest: [UInt8] = []
            while let ready = try? wait(toWrite: false, until: deadline) {
                rest.removeAll(keepingCapacity: true)
                if ready.canRead, (try? read(into: &rest)) != true { break }
            }
        }
        Self.kill(group: pid)
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
    }

    /// Ends the processes of a group at once.
    static func kill(group: pid_t) { _ = Foundation.kill(-group, SIGKILL) }

    // MARK: Input and output

    private func wait(
        toWrite: Bool, until deadline: ContinuousClock.Instant
    ) throws(PluginError) -> (canRead: Bool, canWrite: Bool) {
        let left = deadline - ContinuousClock.now
        guard left > .zero else { throw PluginError(.timedOut, "the program did not answer in time\(lastWords())") }
        let milliseconds = left.components.seconds * 1000 + left.components.attoseconds / 1_000_000_000_000_000 + 1
        var polled = [
            pollfd(fd: socket, events: Int16(POLLIN) | (toWrite ? Int16(POLLOUT) : 0), revents: 0),
            pollfd(fd: errors, events: errorsAtEnd ? 0 : Int16(POLLIN), revents: 0),
        ]
        if errorsAtEnd { polled.removeLast() }
        let ready = poll(&polled, nfds_t(polled.count), Int32(clamping: milliseconds))
        guard ready >= 0 || errno == EINTR else { throw PluginError(.failed, "poll: \(Self.text(errno))") }
        if polled.count == 2, polled[1].revents != 0 { drainErrors() }
        let events = ready > 0 ? Int32(polled[0].revents) : 0
        return (events & Int32(POLLIN | POLLHUP | POLLERR) != 0, events & Int32(POLLOUT) != 0)
    }

    private func write(_ octets: ArraySlice<UInt8>) throws(PluginError) -> Int {
        let count = octets.withUnsafeBytes { send(socket, $0.baseAddress, $0.count, Self.noSignal) }
        if count >= 0 { return count }
        guard errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR else {
            throw PluginError(.failed, "the program does not read\(lastWords())")
        }
        return 0
    }

    /// False at the end.
    private func read(into answer: inout [UInt8]) throws(PluginError) -> Bool {
        var buffer = [UInt8](repeating: 0, count: 16_384)
        let count = recv(socket, &buffer, buffer.count, 0)
        if count > 0 { answer += buffer[..<count] }
        return count > 0 || (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
    }

    private var errorsAtEnd = false

    private func drainErrors() {
        var buffer = [UInt8](repeating: 0, count: 4_096)
        while true {
            let count = Foundation.read(errors, &buffer, buffer.count)
            if count == 0 { errorsAtEnd = true }
            guard count > 0 else { break }
            // The rest is read too, or the program would wait, but not kept.
            errorText += buffer[..<count].prefix(max(0, Self.lines * Self.lineLength - errorText.count))
        }
    }

    private func lastWords() -> String {
        drainErrors()
        guard let line = errorText.split(separator: 0x0A).last else { return "" }
        return "; its last line: \(String(decoding: line.prefix(200), as: UTF8.self))"
    }

    private static func length(_ count: Int) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: count >> (8 * $0)) } }

    private static func count(_ octets: [UInt8]) -> Int { (0..<4).reduce(0) { $0 | Int(octets[$1]) << (8 * $1) } }

    private static func text(_ code: Int32) -> String { String(cString: strerror(code)) }
}
