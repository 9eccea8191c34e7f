import Foundation

/// Two domains with a real server process each and a DNS server, in a folder of their own.
final class TestBed {
    static let password = "correct horse battery staple"
    static let home = "capicom.test"
    static let abroad = "scopio.test"

    let homePort: Int
    let abroadPort: Int
    /// Of the server that is measured.
    var serverProcess: pid_t { servers[0].id }

    private let options: Options
    private var dns: ChildProcess?
    private var servers: [ChildProcess] = []
    private let passwordFile: String

    init(_ options: Options) throws {
        self.options = options
        passwordFile = options.folder + "/password"
        homePort = try freePort()
        abroadPort = try freePort()
        guard FileManager.default.isExecutableFile(atPath: options.server) else {
            throw Failure("there is no \(options.server): build it, or name it by --server")
        }
        try FileManager.default.createDirectory(atPath: options.folder, withIntermediateDirectories: true)
        do {
            try Data((TestBed.password + "\n").utf8).write(to: URL(fileURLWithPath: passwordFile))
            let dnsPort = try freePort()
            dns = try startDNS(port: dnsPort)
            say("setting up two domains in \(options.folder)")
            try set(up: TestBed.home, port: homePort, dnsPort: dnsPort, users: TestBed.homeUsers)
            try set(up: TestBed.abroad, port: abroadPort, dnsPort: dnsPort, users: TestBed.abroadUsers)
            try trust(TestBed.abroad, at: TestBed.home)
            try trust(TestBed.home, at: TestBed.abroad)
            servers = [try serve(TestBed.home), try serve(TestBed.abroad)]
        } catch {
            stop()
            throw error
        }
    }

    static let homeUsers = ["alice", "bob", "carol", "dave"]
    static let abroadUsers = ["erin", "frank", "grace", "heidi"]

    /// The domain's root certificate, PEM.
    func root(of domain: String) throws -> String {
        try String(contentsOfFile: data(domain) + "/keys/root.pem", encoding: .utf8)
    }

    /// Jobs in the queue of the server that is measured.
    func queueLength() throws -> Int {
        let output = try command(["queue", "list", "--json"], domain: TestBed.home)
        return output.components(separatedBy: TestBed.abroad).count - 1
    }

    /// The last lines of the servers' logs.
    var logs: String {
        servers.map { $0.errors.split(separator: "\n").suffix(5).joined(separator: "\n") }.joined(separator: "\n")
    }

    /// Ends all processes and removes the folder.
    func stop() {
        // Nothing of theirs is to be kept.
        for process in servers + [dns].compactMap({ $0 }) { process.end(SIGKILL) }
        try? FileManager.default.removeItem(atPath: options.folder)
    }

    // MARK: Parts

    private func data(_ domain: String) -> String { options.folder + "/" + domain }
    private func configuration(_ domain: String) -> String { options.folder + "/" + domain + ".conf" }

    private func set(up domain: String, port: Int, dnsPort: Int, users: [String]) throws {
        let settings = [
            "listen_address=127.0.0.1", "dns_servers=127.0.0.1@\(dnsPort)", "dns_insecure_zones=test",
            "allow_private_targets=yes", "requests_per_second=1000000", "quota_megabytes=0",
        ]
        try command(
            ["init", domain, "--data", data(domain), "--port", "\(port)", "--postmaster-password-file", passwordFile]
                + settings.flatMap { ["--set", $0] }, domain: domain)
        for user in users {
            try command(["user", "add", "\(user)@\(domain)", "--password-file", passwordFile], domain: domain)
        }
    }

    private func trust(_ other: String, at domain: String) throws {
        try command(["trust", "add", other, "--certificate", data(other) + "/keys/root.pem"], domain: domain)
    }

    @discardableResult
    private func command(_ arguments: [String], domain: String) throws -> String {
        let process = try ChildProcess(
            options.server, arguments + ["--config", configuration(domain)], folder: options.folder, name: "command")
        guard process.wait() else {
            throw Failure("wsemaild \(arguments.prefix(2).joined(separator: " ")) failed: \(process.errors)\(process.output)")
        }
        return process.output
    }

    private func serve(_ domain: String) throws -> ChildProcess {
        let process = try ChildProcess(
            options.server, ["serve", "--config", configuration(domain)], folder: options.folder, name: domain)
        try process.wait(for: "ready:")
        return process
    }

    private func startDNS(port: Int) throws -> ChildProcess {
        let candidates = ["/usr/sbin/dnsmasq", "/usr/local/sbin/dnsmasq", "/usr/bin/dnsmasq"]
        guard let program = candidates.first(where: { FileManager.default.isExecutableFile(atPath: $0) }) else {
            throw Failure("dnsmasq is not installed (apt install dnsmasq-base)")
        }
        var arguments = [
            "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--no-poll", "--pid-file",
            "--log-facility=-", "--bind-interfaces", "--listen-address=127.0.0.1", "--port=\(port)", "--local-ttl=3600",
            "--local=/test/",
        ]
        if getuid() == 0 { arguments.append("--user=root") }
        for (domain, port) in [(TestBed.home, homePort), (TestBed.abroad, abroadPort)] {
            arguments.append("--srv-host=_wsemail._tcp.\(domain),mail.\(domain),\(port),0,0")
            arguments.append("--host-record=mail.\(domain),127.0.0.1")
        }
        let process = try ChildProcess(program, arguments, folder: options.folder, name: "dns")
        try process.wait(for: "started, version")
        return process
    }
}

/// A TCP port of 127.0.0.1 that is free at this moment.
private func freePort() throws -> Int {
    let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(socket) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let status = withUnsafeMutablePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
            bind(socket, pointer, size) == 0 ? getsockname(socket, pointer, &size) : -1
        }
    }
    guard status == 0 else { throw Failure("no free port") }
    return Int(UInt16(bigEndian: address.sin_port))
}
