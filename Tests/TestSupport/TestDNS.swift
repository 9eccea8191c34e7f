import Foundation
import NIOConcurrencyHelpers

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A real DNS server (dnsmasq) on a high port of 127.0.0.1, for as long as this object lives.
public final class TestDNS: Sendable {
    /// One line of its data.
    public enum Record: Sendable {
        /// `_wsemail._tcp.<domain>`; target "" is the root.
        case service(String, target: String, port: Int, priority: Int = 0, weight: Int = 0)
        case host(String, [String])
        case alias(String, of: String)

        var argument: String {
            switch self {
            case .service(let domain, let target, let port, let priority, let weight):
                target.isEmpty
                    ? "--srv-host=_wsemail._tcp.\(domain)"
                    : "--srv-host=_wsemail._tcp.\(domain),\(target),\(port),\(priority),\(weight)"
            case .host(let name, let addresses): "--host-record=\(name),\(addresses.joined(separator: ","))"
            case .alias(let name, let target): "--cname=\(name),\(target)"
            }
        }
    }

    public struct Failure: Error, CustomStringConvertible { public let description: String }

    public let port: Int
    /// As ``ResolverConfiguration/forwarders`` wants it.
    public var forwarder: String { "127.0.0.1@\(port)" }
    private let process: NIOLockedValueBox<ChildProcess?>

    /// Starts the server with `records`; returns when it answers.
    /// - Parameters:
    ///   - zones: answered here and nowhere else ("no such name" for the rest).
    ///   - ttl: seconds of all records.
    public init(_ records: [Record], zones: [String] = ["test"], ttl: Int = 60) throws {
        guard
            let program = ["/usr/sbin/dnsmasq", "/usr/local/sbin/dnsmasq", "/usr/bin/dnsmasq"].first(
                where: { FileManager.default.isExecutableFile(atPath: $0) })
        else { throw Failure(description: "dnsmasq is not installed (apt install dnsmasq-base)") }
        var lastLog = ""
        for _ in 0..<5 {
            let port = try Self.freePort()
            let arguments = Self.arguments(program, port: port, records: records, zones: zones, ttl: ttl)
            let (process, log) = try Self.start(arguments)
            if let process {
                self.process = NIOLockedValueBox(process)
                self.port = port
                return
            }
            lastLog = log
        }
        throw Failure(description: "dnsmasq did not start: \(lastLog)")
    }

    deinit { stop() }

    /// Ends the server and waits for its end. Idempotent.
    public func stop() {
        let child = process.withLockedValue { process in
            defer { process = nil }
            return process
        }
        child?.stop()
    }

    private static func start(_ arguments: [String]) throws -> (ChildProcess?, String) {
        let process = try ChildProcess(arguments)
        var log = ""
        // Ends with the pipe if the server does not come up.
        while true {
            let data = process.log.availableData
            if data.isEmpty { break }
            log += String(decoding: data, as: UTF8.self)
            if log.contains("started, version") { return (process, log) }
            if log.contains("failed to create listening socket") { break }
        }
        process.stop()
        return (nil, log)
    }

    private static func arguments(
        _ program: String, port: Int, records: [Record], zones: [String], ttl: Int
    ) -> [String] {
        [
            program, "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--no-poll", "--pid-file",
            "--log-facility=-", "--bind-interfaces", "--listen-address=127.0.0.1", "--port=\(port)",
            "--local-ttl=\(ttl)", "--neg-ttl=\(ttl)", "--auth-ttl=\(ttl)",
        ] + (getuid() == 0 ? ["--user=root"] : []) + zones.map { "--local=/\($0)/" } + records.map(\.argument)
    }

    /// A port that is free for UDP and TCP now and was not given to anybody else in this process. It lies below the range from which
    /// the system takes the ports of outgoing connections, so that no client sits on it by chance.
    public static func freePort() throws -> Int {
        for _ in 0..<200 {
            let port = Int.random(in: 15_000..<32_000)
            guard taken.withLockedValue({ $0.insert(port).inserted }) else { continue }
            if canBind(port, SOCK_DGRAM), canBind(port, SOCK_STREAM) { return port }
        }
        throw Failure(description: "no free port")
    }

    private static let taken = NIOLockedValueBox<Set<Int>>([])

    private static func canBind(_ port: Int, _ type: __socket_type) -> Bool {
        let descriptor = socket(AF_INET, Int32(type.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        address.sin_port = UInt16(port).bigEndian
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                bind(descriptor, generic, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }
}
