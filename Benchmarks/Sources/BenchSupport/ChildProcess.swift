import Foundation

/// A process that writes its output to files. (Foundation's `Process` may wait forever for one that has ended when it is used from
/// an async main.)
package final class ChildProcess {
    package let id: pid_t
    private let outputPath: String
    private let errorPath: String
    private let notePath: String
    /// What the process and those it waited for used; known when it has ended.
    package private(set) var usage = rusage()
    private var status: Int32? {
        didSet { unlink(notePath) }
    }

    /// - name: of the files of its output and of its process id (for the calling script, should we be killed).
    package init(_ program: String, _ arguments: [String], folder: String, name: String) throws {
        outputPath = "\(folder)/\(name).out"
        errorPath = "\(folder)/\(name).log"
        notePath = "\(folder)/\(name).pid"
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, outputPath, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        posix_spawn_file_actions_addopen(&actions, 2, errorPath, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        // The signal mask of a Swift thread is inherited and may hold SIGINT and SIGTERM back.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        var strings = ([program] + arguments).map { strdup($0) } + [nil]
        defer { for string in strings { free(string) } }
        var child = pid_t()
        guard posix_spawnp(&child, program, &actions, &attributes, &strings, environ) == 0 else {
            throw Failure("cannot start \(program)")
        }
        id = child
        try Data("\(child)\n".utf8).write(to: URL(fileURLWithPath: notePath))
    }

    package var output: String { (try? String(contentsOfFile: outputPath, encoding: .utf8)) ?? "" }
    package var errors: String { (try? String(contentsOfFile: errorPath, encoding: .utf8)) ?? "" }

    /// - Returns: whether it ended by itself and well.
    @discardableResult
    package func wait() -> Bool {
        var result: Int32 = 0
        while status == nil {
            if wait4(id, &result, 0, &usage) == id { status = result } else if errno != EINTR { status = -1 }
        }
        return status == 0
    }

    /// Sends a signal and waits for the end.
    package func end(_ signal: Int32) {
        guard status == nil else { return }
        kill(id, signal)
        wait()
    }

    /// Waits until one of the files contains `text`.
    package func wait(for text: String) throws {
        while !output.contains(text), !errors.contains(text) {
            var result: Int32 = 0
            if wait4(id, &result, WNOHANG, &usage) == id {
                status = result
                throw Failure("a process ended too soon: \(errors)")
            }
            usleep(10_000)
        }
    }
}

extension rusage {
    /// User and system time in seconds.
    package var cpuSeconds: Double {
        Double(ru_utime.tv_sec + ru_stime.tv_sec) + Double(ru_utime.tv_usec + ru_stime.tv_usec) / 1_000_000
    }

    /// The largest resident set of any of them, in MiB.
    package var peakMegabytes: Double { Double(ru_maxrss) / 1_024 }
}
