import BenchSupport
import Foundation

/// What a server uses while a file passes.
struct ServerMeter {
    private let process: pid_t
    private let cpu: ServerCPU
    private let before: Double

    /// Starts: peak memory counts from here.
    init(process: pid_t) throws {
        self.process = process
        // proc(5): 5 resets the peak resident set size.
        try Data("5\n".utf8).write(to: URL(fileURLWithPath: "/proc/\(process)/clear_refs"))
        cpu = try ServerCPU(process: process)
        before = try cpu.milliseconds()
    }

    func cpuSeconds() throws -> Double { (try cpu.milliseconds() - before) / 1_000 }

    /// MiB.
    func peakMegabytes() throws -> Double {
        let status = try String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)
        guard let line = status.split(separator: "\n").first(where: { $0.hasPrefix("VmHWM:") }),
            let kilobytes = line.split(whereSeparator: { " \t".contains($0) }).dropFirst().first.flatMap({ Double($0) })
        else { throw Failure("no VmHWM of process \(process)") }
        return kilobytes / 1_024
    }
}

/// One file from one process to another.
struct Transfer {
    let seconds: Double
    let clientCPU: Double
    let clientPeak: Double
    let serverCPU: Double
    let serverPeak: Double

    init(seconds: Double, client: rusage, server: ServerMeter) throws {
        self.seconds = seconds
        clientCPU = client.cpuSeconds
        clientPeak = client.peakMegabytes
        serverCPU = try server.cpuSeconds()
        serverPeak = try server.peakMegabytes()
    }
}

extension Transfer: CustomStringConvertible {
    var description: String { String(format: "%.2f s, CPU of the server %.2f s, of the client %.2f s", seconds, serverCPU, clientCPU) }
}

/// The transfers of all rounds, by kind.
struct FileFigures {
    static let kinds = ["upload", "fetch", "nginx", "nginx_openssl"]

    private var transfers: [String: [Int: Transfer]] = [:]

    subscript(kind: String, round: Int) -> Transfer? {
        get { transfers[kind]?[round] }
        set {
            transfers[kind, default: [:]][round] = newValue
            if let newValue { say("\(kind): \(newValue)") }
        }
    }

    private func middle(_ kind: String, _ value: (Transfer) -> Double) -> Double {
        median((transfers[kind] ?? [:]).values.map(value))
    }

    func report(megabytes: Int) {
        let size = Double(megabytes << 20) / 1_000_000
        let kinds = FileFigures.kinds.filter { transfers[$0] != nil }
        for kind in kinds { BenchSupport.report("\(kind)_mb_s", middle(kind) { size / $0.seconds }, digits: 0) }
        for other in ["nginx", "nginx_openssl"] {
            let ratios = (transfers["fetch"] ?? [:]).compactMap { round, own in self[other, round].map { $0.seconds / own.seconds } }
            if !ratios.isEmpty { BenchSupport.report("fetch_to_\(other)_ratio", median(ratios), digits: 2) }
        }
        for kind in kinds {
            BenchSupport.report("\(kind)_server_cpu_s", middle(kind) { $0.serverCPU }, digits: 2)
            BenchSupport.report("\(kind)_client_cpu_s", middle(kind) { $0.clientCPU }, digits: 2)
            BenchSupport.report("\(kind)_server_peak_mb", middle(kind) { $0.serverPeak }, digits: 1)
            BenchSupport.report("\(kind)_client_peak_mb", middle(kind) { $0.clientPeak }, digits: 1)
        }
    }
}
