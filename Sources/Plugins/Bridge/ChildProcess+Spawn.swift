import Foundation

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

extension ChildProcess {
    #if canImport(Darwin)
        static let noSignal: Int32 = 0
    #else
        /// Writing to a program that has ended must not end the server.
        static let noSignal = Int32(MSG_NOSIGNAL)
    #endif

    static func hasExited(_ information: siginfo_t, _ pid: pid_t) -> Bool {
        #if canImport(Darwin)
            information.si_pid == pid
        #else
            information._sifields._sigchld.si_pid == pid
        #endif
    }

    static func socketPair(_ pair: inout [Int32]) -> Bool {
        #if canImport(Darwin)
            guard socketpair(AF_UNIX, SOCK_STREAM, 0, &pair) == 0 else { return false }
            var one: Int32 = 1
            setsockopt(pair[0], SOL_SOCKET, SO_NOSIGPIPE, &one, socklen_t(MemoryLayout<Int32>.size))
        #else
            let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
            guard socketpair(AF_UNIX, kind, 0, &pair) == 0 else { return false }
        #endif
        return clearOfStandardFiles(&pair)
    }

    static func pipePair(_ pair: inout [Int32]) -> Bool { pipe(&pair) == 0 && clearOfStandardFiles(&pair) }

    /// Moves descriptors to 3 or above (where the server runs without standard files, 0 to 2 are free) and closes them at exec.
    private static func clearOfStandardFiles(_ pair: inout [Int32]) -> Bool {
        for index in pair.indices {
            if pair[index] <= 2 {
                let moved = fcntl(pair[index], F_DUPFD_CLOEXEC, 3)
                close(pair[index])
                pair[index] = moved
            }
            guard pair[index] >= 0, fcntl(pair[index], F_SETFD, FD_CLOEXEC) == 0 else { return false }
        }
        return true
    }

    /// `posix_spawn` with a socket as files 0 and 1 and a pipe as 2. Returns an error number, 0 for none.
    static func spawn(_ pid: inout pid_t, _ command: String, _ arguments: [String], socket: Int32, errors: Int32) -> Int32 {
        #if canImport(Darwin)
            var actions: posix_spawn_file_actions_t?
            var attributes: posix_spawnattr_t?
        #else
            var actions = posix_spawn_file_actions_t()
            var attributes = posix_spawnattr_t()
        #endif
        posix_spawn_file_actions_init(&actions)
        posix_spawnattr_init(&attributes)
        defer {
            posix_spawn_file_actions_destroy(&actions)
            posix_spawnattr_destroy(&attributes)
        }
        posix_spawn_file_actions_adddup2(&actions, socket, 0)
        posix_spawn_file_actions_adddup2(&actions, socket, 1)
        posix_spawn_file_actions_adddup2(&actions, errors, 2)
        var flags = Int32(POSIX_SPAWN_SETPGROUP) | Int32(POSIX_SPAWN_SETSIGDEF) | Int32(POSIX_SPAWN_SETSIGMASK)
        #if canImport(Darwin)
            flags |= POSIX_SPAWN_CLOEXEC_DEFAULT
            posix_spawn_file_actions_addchdir_np(&actions, "/")
        #else
            guard closeRest(&actions) else { return ENOSYS }
        #endif
        posix_spawnattr_setflags(&attributes, Int16(truncatingIfNeeded: flags))
        posix_spawnattr_setpgroup(&attributes, 0)
        // The server ignores some signals and may block others; a program expects neither.
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        for signal in [SIGPIPE, SIGINT, SIGTERM, SIGHUP, SIGCHLD] { sigaddset(&signals, signal) }
        posix_spawnattr_setsigdefault(&attributes, &signals)

        var argv = ([command] + arguments).map(copy) + [nil]
        var environment = ["PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8"].map(copy) + [nil]
        defer { for text in argv + environment { free(text) } }
        return posix_spawn(&pid, command, &actions, &attributes, &argv, &environment)
    }

    private static func copy(_ text: String) -> UnsafeMutablePointer<CChar>? { strdup(text) }

    #if !canImport(Darwin)
        /// Files from 3 on are closed, and `/` is the folder. The headers declare these functions (glibc 2.29 and 2.34) only for
        /// who asks for GNU's own, which Swift does not: hence by name.
        private static func closeRest(_ actions: inout posix_spawn_file_actions_t) -> Bool {
            typealias CloseFrom = @convention(c) (UnsafeMutablePointer<posix_spawn_file_actions_t>, Int32) -> Int32
            typealias ChangeFolder = @convention(c) (UnsafeMutablePointer<posix_spawn_file_actions_t>, UnsafePointer<CChar>) -> Int32
            guard let closeFrom = dlsym(nil, "posix_spawn_file_actions_addclosefrom_np"),
                let changeFolder = dlsym(nil, "posix_spawn_file_actions_addchdir_np")
            else { return false }
            return unsafeBitCast(closeFrom, to: CloseFrom.self)(&actions, 3) == 0
                && unsafeBitCast(changeFolder, to: ChangeFolder.self)(&actions, "/") == 0
        }
    #endif
}
