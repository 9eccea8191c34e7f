import Foundation

/// Two domains with a real server process each and a DNS server, in a folder of their own.
package final class TestBed {
    package static let password = "correct horse battery staple"
    package static let home = "capicom.test"
    package static let abroad = "scopio.test"

    package let homePort: Int
    package let abroadPort: Int
    package let dnsPort: Int
    package let homeUsers: [String]
    package let abroadUsers: [String]
    package let passwordFile: String
    /// Of the server that is measured.
    package var serverProcess: pid_t { servers[0].id }

    private let folder: String
    private let server: String
    private var dns: ChildProcess?
    private var servers: [ChildProcess] = []

    /// - Parameters:
    ///   - folder: of databases and keys; goes with `stop`.
    ///   - server: the program wsemaild.
    ///   - users: of capicom.test, of scopio.test.
    ///   - settings: beyond those that every measurement needs.
    package init(folder: String, server: String, users: (home: [String], abroad: [String]), settings: [String] = []) throws {
        self.folder = folder
        self.server = server
        (homeUsers, abroadUsers) = users
        passwordFile = folder + "/password"
        homePort = try freePort()
        abroadPort = try freePort()
        dnsPort = try freePort()
        guard FileManager.default.isExecutableFile(atPath: server) else {
            throw Failure("there is no \(server): build it, or name it by --server")
        }
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        do {
            try Data((TestBed.password + "\n").utf8).write(to: URL(fileURLWithPath: passwordFile))
            chmod(passwordFile, 0o600)
            dns = try startDNS(port: dnsPort)
            say("setting up two domains in \(folder)")
            try set(up: TestBed.home, port: homePort, users: homeUsers, settings)
            try set(up: TestBed.abroad, port: abroadPort, users: abroadUsers, settings)
            try trust(TestBed.abroad, at: TestBed.home)
            try trust(TestBed.home, at: TestBed.abroad)
            servers = [try serve(TestBed.home), try serve(TestBed.abroad)]
        } catch {
            stop()
            throw error
        }
    }

    /// The domain's root certificate, PEM.
    package func root(of domain: String) throws -> String {
        try String(contentsOfFile: data(domain) + "/keys/root.pem", encoding: .utf8)
    }

    /// Jobs in the queue of the server that is measured.
    package func queueLength() throws -> Int {
        let output = try command(["queue", "list", "--json"], domain: TestBed.home)
        return output.components(separatedBy: TestBed.abroad).count - 1
    }

    /// The last lines of the servers' logs.
    package var logs: String {
        servers.map { $0.errors.split(separator: "\n").suffix(5).joined(separator: "\n") }.joined(separator: "\n")
    }

    /// Ends all processes and removes the folder.
    package func stop() {
        // Nothing of theirs is to be kept.
        for process in servers + [dns].compactMap({ $0 }) { process.end(SIGKILL) }
        try? FileManager.default.removeItem(atPath: folder)
    }

    // MARK: Parts

    package func data(_ domain: String) -> String { folder + "/" + domain }
    private func configuration(_ domain: String) -> String { folder + "/" + domain + ".conf" }

    private func set(up domain: String, port: Int, users: [String], _ more: [String]) throws {
        let settings =
            [
                "listen_address=127.0.0.1", "dns_servers=127.0.0.1@\(dnsPort)", "dns_insecure_zones=test",
                "allow_private_targets=yes", "requests_per_second=1000000", "quota_megabytes=0",
            ] + more
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

    /// Runs wsemaild for one of the domains.
    @discardableResult
    package func command(_ arguments: [String], domain: String) throws -> String {
        let process = try ChildProcess(
            server, arguments + ["--config", configuration(domain)], folder: folder, name: "command")
        guard process.wait() else {
            throw Failure("wsemaild \(arguments.prefix(2).joined(separator: " ")) failed: \(process.errors)\(process.output)")
        }
        return process.output
    }

    private func serve(_ domain: String) throws -> ChildProcess {
        let process = try ChildProcess(
            server, ["serve", "--config", configuration(domain)], folder: folder, name: domain)
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
        let process = try ChildProcess(program, arguments, folder: folder, name: "dns")
        try process.wait(for: "started, version")
        return process
    }
}

/// A TCP port of 127.0.0.1 that is free at this moment.
package func freePort() throws -> Int {
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
