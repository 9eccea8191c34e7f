import Foundation
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

struct ProcessFailure: Error, CustomStringConvertible { let description: String }

/// A process group that dies with the test: a shell leads it, and kills it as soon as our end of its input is gone, however
/// that came about.
final class ProcessLeash: Sendable {
    let group: pid_t
    private let held: Mutex<Int32>

    init() throws {
        var ends: [Int32] = [-1, -1]
        // Close-on-exec: no child may hold our end.
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0, &ends) == 0 else {
            throw ProcessFailure(description: "no socket pair")
        }
        defer { close(ends[0]) }
        group = try spawn(["/bin/sh", "-c", "read line; kill -9 0"], input: ends[0], output: nil, errors: nil, group: 0)
        held = Mutex(ends[1])
    }

    deinit { release() }

    /// Kills whatever is left of the group.
    func release() {
        let descriptor = held.withLock { held in
            defer { held = -1 }
            return held
        }
        guard descriptor >= 0 else { return }
        close(descriptor)
        var status: Int32 = 0
        while waitpid(group, &status, 0) == -1, errno == EINTR {}
    }
}

/// One run of `wsemaild serve`, from its start to its end.
final class ServerProcess: Sendable {
    private enum Waiter {
        case ready(CheckedContinuation<Bool, Never>)
        case end(CheckedContinuation<Int32, Never>)
    }

    private struct State {
        var isReady = false
        /// As of waitpid; nil while it runs.
        var status: Int32?
        var waiters: [Waiter] = []
    }

    let pid: pid_t
    private let state = Mutex(State())

    /// - Parameter log: a file that the program's standard error is appended to.
    init(_ arguments: [String], log: String, leash: ProcessLeash) throws {
        var ends: [Int32] = [-1, -1]
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0, &ends) == 0 else {
            throw ProcessFailure(description: "no socket pair")
        }
        let errors = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        defer {
            close(ends[1])
            close(errors)
        }
        pid = try spawn(arguments, input: nil, output: ends[1], errors: errors, group: leash.group)
        let output = ends[0]
        // Both threads end with the process.
        Thread.detachNewThread { [self] in watchOutput(output) }
        Thread.detachNewThread { [self] in watchEnd() }
    }

    /// True when the program said that it listens; false if it ended before.
    func isReady() async -> Bool {
        await withCheckedContinuation { continuation in
            let known: Bool? = state.withLock { state in
                if state.isReady || state.status != nil { return state.isReady }
                state.waiters.append(.ready(continuation))
                return nil
            }
            if let known { continuation.resume(returning: known) }
        }
    }

    /// Sends a signal, unless the process has ended.
    func signal(_ number: Int32) {
        state.withLock { state in
            // Under the lock that the reaper takes: never a signal to somebody else who got the number.
            if state.status == nil { _ = kill(pid, number) }
        }
    }

    /// Waits for the end. 0...255 is an exit status, a negative number the signal that ended it.
    func end() async -> Int32 {
        let status = await withCheckedContinuation { (continuation: CheckedContinuation<Int32, Never>) in
            let known: Int32? = state.withLock { state in
                if let status = state.status { return status }
                state.waiters.append(.end(continuation))
                return nil
            }
            if let known { continuation.resume(returning: known) }
        }
        let signal = status & 0x7f
        return signal == 0 ? (status >> 8) & 0xff : -signal
    }

    private func watchOutput(_ descriptor: Int32) {
        var buffer = [UInt8](repeating: 0, count: 4096)
        var text = ""
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            text += String(decoding: buffer[..<count], as: UTF8.self)
            if text.contains("ready:") { becomeReady() }
        }
        close(descriptor)
    }

    private func becomeReady() {
        let waiters = state.withLock { state -> [Waiter] in
            state.isReady = true
            defer { state.waiters.removeAll { if case .ready = $0 { true } else { false } } }
            return state.waiters
        }
        for case .ready(let waiter) in waiters { waiter.resume(returning: true) }
    }

    private func watchEnd() {
        // First only look: the number stays ours until the lock is held.
        var information = siginfo_t()
        while waitid(P_PID, id_t(pid), &information, WEXITED | WNOWAIT) == -1, errno == EINTR {}
        let (status, isReady, waiters) = state.withLock { state -> (Int32, Bool, [Waiter]) in
            var status: Int32 = 0
            while waitpid(pid, &status, 0) == -1, errno == EINTR {}
            state.status = status
            defer { state.waiters = [] }
            return (status, state.isReady, state.waiters)
        }
        for waiter in waiters {
            switch waiter {
            case .ready(let waiter): waiter.resume(returning: isReady)
            case .end(let waiter): waiter.resume(returning: status)
            }
        }
    }
}

/// posix_spawn with no signal blocked or ignored: tests run with some of them blocked, and that is inherited.
func spawn(
    _ arguments: [String], input: Int32?, output: Int32?, errors: Int32?, group: pid_t
) throws -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    for (descriptor, number) in [(input, Int32(0)), (output, 1), (errors, 2)] {
        if let descriptor {
            posix_spawn_file_actions_adddup2(&actions, descriptor, number)
        } else {
            posix_spawn_file_actions_addopen(&actions, number, "/dev/null", number == 0 ? O_RDONLY : O_WRONLY, 0)
        }
    }
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var none = sigset_t()
    sigemptyset(&none)
    posix_spawnattr_setsigmask(&attributes, &none)
    var ordinary = sigset_t()
    sigemptyset(&ordinary)
    for number in [SIGTERM, SIGINT, SIGHUP, SIGPIPE] { sigaddset(&ordinary, number) }
    posix_spawnattr_setsigdefault(&attributes, &ordinary)
    posix_spawnattr_setpgroup(&attributes, group)
    posix_spawnattr_setflags(
        &attributes, Int16(POSIX_SPAWN_SETSIGMASK) | Int16(POSIX_SPAWN_SETSIGDEF) | Int16(POSIX_SPAWN_SETPGROUP))
    var words: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
    defer { words.forEach { free($0) } }
    var child: pid_t = 0
    let code = posix_spawn(&child, arguments.first ?? "", &actions, &attributes, &words, environ)
    guard code == 0 else {
        throw ProcessFailure(description: "cannot start \(arguments.first ?? "nothing"): \(String(cString: strerror(code)))")
    }
    return child
}
