import BenchSupport
import Foundation

/// nginx with the certificate of our own server, and curl as its client.
final class WebServer {
    private let folder: String
    private let file: SampleFile
    private let port: Int
    private let root: String
    private let process: ChildProcess

    /// - Parameter keys: the folder of our server's keys.
    init(folder: String, keys: String, file: SampleFile) throws {
        self.folder = folder
        self.file = file
        port = try freePort()
        root = keys + "/root.pem"
        let path = folder + "/nginx.conf"
        try Data(WebServer.configuration(folder: folder, keys: keys, port: port).utf8).write(to: URL(fileURLWithPath: path))
        // Debian's is not on the path of users.
        let program = ["/usr/sbin/nginx", "/usr/local/sbin/nginx"].first { FileManager.default.isExecutableFile(atPath: $0) }
        guard let program else { throw Failure("nginx is not installed (apt install nginx-light)") }
        process = try ChildProcess(program, ["-p", folder, "-c", path, "-e", "stderr"], folder: folder, name: "nginx")
        try waitUntilReady()
    }

    func stop() { process.end(SIGTERM) }

    /// One process; the rest as nginx comes.
    private static func configuration(folder: String, keys: String, port: Int) -> String {
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map { "\($0)_temp_path \(folder)/nginx-temp;" }
        return """
            daemon off;
            master_process off;
            pid \(folder)/nginx-own.pid;
            events { worker_connections 64; }
            http {
                access_log off;
                sendfile on;
                \(temporary.joined(separator: " "))
                server {
                    listen 127.0.0.1:\(port) ssl;
                    ssl_certificate \(keys)/tls.pem;
                    ssl_certificate_key \(keys)/tls.key;
                    ssl_protocols TLSv1.3;
                    # What our server and client agree on.
                    ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;
                    root \(folder);
                    location / { deny all; }
                    location = /sample.bin { }
                }
            }
            """
    }

    private func curl(_ arguments: String) -> String {
        let place = "\(TestBed.home):\(port)"
        return "curl -sS --fail --cacert '\(root)' --resolve \(place):127.0.0.1 \(arguments) https://\(place)/sample.bin"
    }

    private func waitUntilReady() throws {
        let script = "for i in $(seq 100); do \(curl("-r 0-0 -o /dev/null")) 2>/dev/null && exit 0; sleep 0.1; done; exit 1"
        let waiting = try ChildProcess("sh", ["-c", script], folder: folder, name: "curl")
        guard waiting.wait() else {
            stop()
            throw Failure("nginx does not answer: \(process.errors)")
        }
    }

    /// What curl says of the connection.
    func cipher() throws -> String {
        let process = try ChildProcess(
            "sh", ["-c", curl("-v -r 0-0 -o /dev/null") + " 2>&1 | grep 'SSL connection'"], folder: folder, name: "curl")
        process.wait()
        return process.output.trimmingCharacters(in: CharacterSet(charactersIn: "* \n"))
    }

    /// - Parameter judge: the program that computes SHA-256 of its input.
    func fetch(into judge: String) throws -> Transfer {
        let digest = try file.digest()
        let server = try ServerMeter(process: process.id)
        let start = ContinuousClock.now
        let client = try ChildProcess("sh", ["-c", curl("") + " | \(judge)"], folder: folder, name: "curl")
        guard client.wait(), client.output.hasPrefix(digest) else { throw Failure("curl failed: \(client.errors)") }
        return try Transfer(seconds: (ContinuousClock.now - start) / .seconds(1), client: client.usage, server: server)
    }
}
