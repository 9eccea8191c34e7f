import Foundation
import Identity
import Synchronization
import Testing

@testable import MailServer

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A person with `wsemail`: each command is a process of its own.
struct AttachmentPerson: Sendable {
    let site: Site
    let name: String
    /// Accounts, and what commands print.
    let folder: String
    private let program: String
    private let leash: ProcessLeash

    /// What one command did.
    struct Ended: Sendable {
        let status: Int32
        let output: String
        let errors: String
        let peak: ProcessMemory
    }

    /// - Parameter folder: made here.
    init(_ name: String, of site: Site, in folder: String, leash: ProcessLeash) throws {
        self.site = site
        self.name = name
        self.folder = folder + "/" + name
        self.leash = leash
        program = try Self.findProgram()
        try PrivateFile.createFolder(self.folder)
    }

    /// `wsemail` lies beside `wsemaild`.
    private static func findProgram() throws -> String {
        for path in ["/proc/self/exe"] + CommandLine.arguments {
            var folder = URL(fileURLWithPath: path).resolvingSymlinksInPath().deletingLastPathComponent()
            for _ in 0..<4 {
                let program = folder.appendingPathComponent("wsemail").path
                var isFolder: ObjCBool = false
                let isThere = FileManager.default.fileExists(atPath: program, isDirectory: &isFolder)
                if isThere, !isFolder.boolValue, FileManager.default.isExecutableFile(atPath: program) { return program }
                folder.deleteLastPathComponent()
            }
        }
        throw ProcessFailure(description: "there is no wsemail beside the tests: swift build --build-tests")
    }

    /// Adds the account: the root is pinned by its fingerprint, the key is enrolled with the password.
    func addAccount() async throws {
        let password = folder + "/password"
        try PrivateFile.write(Site.password + "\n", to: password)
        try await succeed([
            "account", "add", "\(name)@\(site.domain)", "--fingerprint", site.root.fingerprint.description, "--password-file", password,
            "--dns", site.configuration.dnsServers[0], "--allow-private",
        ])
    }

    /// Starts a command.
    func start(_ arguments: [String]) throws -> Running {
        try Running([program] + arguments + ["--config-dir", folder], in: folder, leash: leash)
    }

    /// Runs a command that must succeed.
    @discardableResult
    func succeed(_ arguments: [String]) async throws -> Ended {
        let ended = try await start(arguments).ended()
        try #require(ended.status == 0, "wsemail \(arguments.joined(separator: " ")): \(ended.status)\n\(ended.errors)\(ended.output)")
        return ended
    }
}

extension AttachmentPerson {
    /// A program on its way. What it prints goes through files: no pipe is ever full.
    final class Running: Sendable {
        private enum State {
            case running(CheckedContinuation<(Int32, ProcessMemory), Never>?)
            case ended(Int32, ProcessMemory)
        }

        private let pid: pid_t
        private let files: [String]
        private let state = Mutex(State.running(nil))

        init(_ words: [String], in folder: String, leash: ProcessLeash) throws {
            let name = folder + "/output-\(UInt64.random(in: 0...UInt64.max))"
            files = [name, name + ".errors"]
            let descriptors = files.map { open($0, O_RDWR | O_CREAT | O_CLOEXEC, 0o600) }
            defer { for descriptor in descriptors { close(descriptor) } }
            pid = try spawn(words, input: nil, output: descriptors[0], errors: descriptors[1], group: leash.group)
            Thread.detachNewThread { [self] in watch() }
        }

        deinit { for file in files { try? FileManager.default.removeItem(atPath: file) } }

        /// Ends it at once, unless it has ended.
        func kill() {
            // Under the lock that the reaper takes: never a signal to somebody else who got the number.
            state.withLock { if case .running = $0 { endProcess(pid) } }
        }

        /// Waits for the end. Call it once.
        func ended() async -> Ended {
            let (status, peak) = await withCheckedContinuation { continuation in
                let known: (Int32, ProcessMemory)? = state.withLock { state in
                    if case .ended(let status, let peak) = state { return (status, peak) }
                    state = .running(continuation)
                    return nil
                }
                if let known { continuation.resume(returning: known) }
            }
            let texts = files.map { (try? String(contentsOfFile: $0, encoding: .utf8)) ?? "" }
            return Ended(status: status, output: texts[0], errors: texts[1], peak: peak)
        }

        /// Waits for the end, and follows the peak of the memory. That is gone with the process, and what `wait4` tells begins
        /// with the peak of the one that started it: so it is looked at while the process runs.
        private func watch() {
            var peak = ProcessMemory(kilobytes: 0)
            while true {
                if let now = ProcessMemory.peak(of: pid), now > peak { peak = now }
                let (isOver, waiter) = state.withLock { state -> (Bool, (CheckedContinuation<(Int32, ProcessMemory), Never>, Int32)?) in
                    var status: Int32 = 0
                    guard waitpid(pid, &status, WNOHANG) == pid, case .running(let waiter) = state else { return (false, nil) }
                    let signal = status & 0x7f
                    let result = signal == 0 ? (status >> 8) & 0xff : -signal
                    state = .ended(result, peak)
                    return (true, waiter.map { ($0, result) })
                }
                if let (waiter, status) = waiter { waiter.resume(returning: (status, peak)) }
                if isOver { return }
                usleep(2_000)
            }
        }
    }
}

private func endProcess(_ pid: pid_t) { _ = kill(pid, SIGKILL) }

/// Resident memory of a process, as the kernel counts it (proc(5)).
struct ProcessMemory: Sendable, Comparable, CustomStringConvertible {
    let kilobytes: Int

    var description: String { String(format: "%.1f MB", Double(kilobytes) / 1_024) }

    static func < (one: ProcessMemory, other: ProcessMemory) -> Bool { one.kilobytes < other.kilobytes }
    static func - (one: ProcessMemory, other: ProcessMemory) -> ProcessMemory {
        ProcessMemory(kilobytes: one.kilobytes - other.kilobytes)
    }

    /// Now.
    static func now(of pid: pid_t) -> ProcessMemory? { read("VmRSS:", pid) }

    /// Since its start, or since ``forgetPeak(of:)``.
    static func peak(of pid: pid_t) -> ProcessMemory? { read("VmHWM:", pid) }

    static func forgetPeak(of pid: pid_t) throws {
        try Data("5\n".utf8).write(to: URL(fileURLWithPath: "/proc/\(pid)/clear_refs"))
    }

    private static func read(_ name: String, _ pid: pid_t) -> ProcessMemory? {
        guard let status = try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8),
            let line = status.split(separator: "\n").first(where: { $0.hasPrefix(name) }),
            let number = line.split(whereSeparator: { " \t".contains($0) }).dropFirst().first.flatMap({ Int($0) })
        else { return nil }
        return ProcessMemory(kilobytes: number)
    }
}

/// What a running server tells of itself.
extension ServedSite {
    /// The process that serves the site at the moment.
    func pid() throws -> pid_t {
        for name in try FileManager.default.contentsOfDirectory(atPath: "/proc") {
            guard let pid = pid_t(name), let line = FileManager.default.contents(atPath: "/proc/\(pid)/cmdline") else { continue }
            let words = line.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
            if words.count == 4, words[1...3] == ["serve", "--config", site.configurationPath] { return pid }
        }
        throw ProcessFailure(description: "nobody serves \(site.domain)")
    }

    /// Octets of files that the process has received, or sent, since its start.
    func fileBytes(_ counter: ServerMetrics.Counter) async throws -> UInt64 {
        let port = site.configuration.metricsPort
        let text = try await withCheckedThrowingContinuation { continuation in
            DispatchQueue.global().async { continuation.resume(with: Result { try Self.metrics(port: port) }) }
        }
        let lines = text.split(separator: "\n").filter { $0.hasPrefix(counter.rawValue) }
        return lines.compactMap { $0.split(separator: " ").last.flatMap { UInt64($0) } }.reduce(0, +)
    }

    /// `GET /metrics`, in plain HTTP on the loopback.
    private static func metrics(port: Int) throws -> String {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        address.sin_port = in_port_t(UInt16(port).bigEndian)
        let isConnected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        let request = Array("GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".utf8)
        guard isConnected, write(descriptor, request, request.count) == request.count else {
            throw ProcessFailure(description: "no metrics at port \(port)")
        }
        var text: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while text.count < 1 << 20 {
            let count = read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            text += buffer[..<count]
        }
        return String(decoding: text, as: UTF8.self)
    }
}

/// Waits for something that a process does to files.
enum Eventually {
    /// - Returns: the first value there is.
    /// - Throws: when the time is over.
    static func find<Value>(_ what: String, within limit: Duration = .seconds(120), _ body: () throws -> Value?) async throws -> Value {
        let deadline = ContinuousClock.now + limit
        while true {
            if let value = try body() { return value }
            guard ContinuousClock.now < deadline else { throw ProcessFailure(description: "\(what): nothing for \(limit)") }
            try await Task.sleep(for: .milliseconds(1))
        }
    }
}
