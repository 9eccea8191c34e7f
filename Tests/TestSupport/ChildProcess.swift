import Foundation

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A program that dies with the test, however the test ends.
///
/// Foundation's `Process` waits for one child at a time and hands blocked signals down; this one uses posix_spawn, and a shell
/// in between that kills the program as soon as our end of its input is gone.
public final class ChildProcess: Sendable {
    private let shell: pid_t
    private let leash: Int32
    /// The program's standard error.
    public let log: FileHandle

    /// - Parameter arguments: the program's path first.
    public init(_ arguments: [String]) throws {
        let input = try Self.makePipe()
        let output = try Self.makePipe()
        defer {
            close(input.read)
            close(output.write)
        }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, input.read, 0)
        posix_spawn_file_actions_adddup2(&actions, output.write, 2)
        posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)
        // Foundation's `Process` learns of its child's end by a socket that other children inherit: with this one, which lives as
        // long as a test, it would wait as long, on a thread that the test needs.
        _ = Self.closeFrom?(&actions, 3)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        let script = "\"$@\" </dev/null & child=$!; read line; kill -9 $child; wait $child"
        var words: [UnsafeMutablePointer<CChar>?] = (["sh", "-c", script, "sh"] + arguments).map { strdup($0) } + [nil]
        defer { words.forEach { free($0) } }
        var child: pid_t = 0
        guard posix_spawn(&child, "/bin/sh", &actions, &attributes, &words, environ) == 0 else {
            throw TestDNS.Failure(description: "cannot start \(arguments.first ?? "nothing")")
        }
        shell = child
        leash = input.write
        log = FileHandle(fileDescriptor: output.read, closeOnDealloc: true)
    }

    /// Ends the program and waits for its end. Call it once.
    public func stop() {
        close(leash)
        var status: Int32 = 0
        while waitpid(shell, &status, 0) == -1, errno == EINTR {}
    }

    private typealias CloseFrom = @convention(c) (UnsafeMutablePointer<posix_spawn_file_actions_t>, Int32) -> Int32

    /// Of glibc since 2.34, declared only where GNU extensions are asked for.
    private static let closeFrom: CloseFrom? = dlsym(nil, "posix_spawn_file_actions_addclosefrom_np").map {
        unsafeBitCast($0, to: CloseFrom.self)
    }

    private static func makePipe() throws -> (read: Int32, write: Int32) {
        var ends: [Int32] = [-1, -1]
        // Close-on-exec from the beginning: another child started at this moment must not hold our end.
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, type, 0, &ends) == 0 else { throw TestDNS.Failure(description: "no pipe") }
        return (ends[0], ends[1])
    }
}
