import Foundation
import Synchronization
import TestSupport

@testable import MailServer

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A site served by the real program, which may be killed and started again.
final class ServedSite: Sendable {
    let site: Site
    private let leash: ProcessLeash
    private let process: Mutex<ServerProcess>
    private let program: String

    init(_ site: Site, leash: ProcessLeash) throws {
        self.site = site
        self.leash = leash
        program = try Self.findProgram()
        process = Mutex(try Self.start(program, site, leash))
    }

    /// `wsemaild` lies beside the test bundle.
    private static func findProgram() throws -> String {
        let own = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().path
        for path in [own] + CommandLine.arguments {
            var folder = URL(fileURLWithPath: path).deletingLastPathComponent()
            for _ in 0..<4 {
                let program = folder.appendingPathComponent("wsemaild").path
                if FileManager.default.isExecutableFile(atPath: program) { return program }
                folder.deleteLastPathComponent()
            }
        }
        throw ProcessFailure(description: "wsemaild is not beside \(own): swift build --build-tests")
    }

    private static func start(_ program: String, _ site: Site, _ leash: ProcessLeash) throws -> ServerProcess {
        try ServerProcess([program, "serve", "--config", site.configurationPath], log: site.logPath, leash: leash)
    }

    private var current: ServerProcess { process.withLock { $0 } }

    func untilReady() async throws {
        guard await current.isReady() else {
            throw ProcessFailure(description: "wsemaild did not start:\n\(logTail)")
        }
    }

    /// Ends it at once, as a power cut does, and starts it again.
    /// - Returns: the signal or exit status it had: anything but SIGKILL means that it died by itself.
    func killAndRestart() async throws -> Int32 {
        let old = current
        old.signal(SIGKILL)
        let status = await old.end()
        let new = try Self.start(program, site, leash)
        process.withLock { $0 = new }
        return status
    }

    /// Asks it to end. Returns its exit status.
    func terminate() async -> Int32 {
        let old = current
        old.signal(SIGTERM)
        return await old.end()
    }

    /// Starts it again after `terminate`.
    func restart() throws {
        let new = try Self.start(program, site, leash)
        process.withLock { $0 = new }
    }

    var logTail: String {
        let text = (try? String(contentsOfFile: site.logPath, encoding: .utf8)) ?? ""
        return String(text.suffix(4_000))
    }
}

/// Two sites with DNS between them, each served by a process of its own.
struct TwoProcesses {
    let capicom: ServedSite
    let scopio: ServedSite
    let keys: SiteKeys
    private let dns: TestDNS
    let leash: ProcessLeash

    static func start(
        users: (capicom: [String], scopio: [String]) = (["alice", "carol"], ["bob", "dave"]), capicomFolder: String? = nil,
        change: (inout ServerConfiguration) -> Void = { _ in }
    ) async throws -> TwoProcesses {
        let ports = ["capicom.test": try freePort(), "scopio.test": try freePort()]
        let dns = try testDNS(ports)
        let one = try await Site.make(
            "capicom.test", users: users.capicom, port: ports["capicom.test"] ?? 0, dns: [dns.forwarder], in: capicomFolder,
            change: change)
        let two = try await Site.make(
            "scopio.test", users: users.scopio, port: ports["scopio.test"] ?? 0, dns: [dns.forwarder], change: change)
        try await Site.introduce(one, two)
        let leash = try ProcessLeash()
        let result = TwoProcesses(
            capicom: try ServedSite(one, leash: leash), scopio: try ServedSite(two, leash: leash), keys: SiteKeys(one, two),
            dns: dns, leash: leash)
        try await result.capicom.untilReady()
        try await result.scopio.untilReady()
        return result
    }

    var sites: [Site] { [capicom.site, scopio.site] }

    /// Whatever happened: nothing is left running, nothing on the disk.
    func remove() {
        leash.release()
        dns.stop()
        for site in sites { site.remove() }
    }

    func run<Value>(_ body: () async throws -> Value) async throws -> Value {
        defer { remove() }
        do {
            return try await body()
        } catch {
            print("capicom's log:\n\(capicom.logTail)\nscopio's log:\n\(scopio.logTail)")
            throw error
        }
    }
}
