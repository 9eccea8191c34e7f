import Foundation
import Identity
import NIOCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

extension ServerConfiguration {
    /// Where `wsemaild` looks without `--config`.
    public static let defaultPath = "/etc/wsemail/wsemaild.conf"

    /// Reads a configuration file: one `name = value` a line, `#` begins a comment. Unknown and repeated names are errors.
    /// - Throws: `ConfigurationError` that names the file and line; `AdminError` when the file cannot be read.
    public init(path: String) throws {
        var status = stat()
        guard stat(path, &status) == 0 || errno != ENOENT else {
            throw AdminError(
                .file, "there is no configuration file \(path)",
                hint: "make one with `wsemaild init DOMAIN --config \(path)`, or name yours with --config")
        }
        try self.init(parsing: try PlainFile.text(path), file: path)
    }

    /// Parses the text of a configuration file.
    public init(parsing text: String, file: String = "configuration") throws {
        var values: [String: (value: String, line: Int)] = [:]
        for (index, raw) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let line = raw.trimmingCharacters(in: .whitespaces)
            if line.isEmpty || line.hasPrefix("#") { continue }
            guard let equals = line.firstIndex(of: "=") else {
                throw ConfigurationError("\(file):\(index + 1): expected NAME = VALUE")
            }
            let name = line[..<equals].trimmingCharacters(in: .whitespaces)
            guard ConfigurationField.all.contains(where: { $0.name == name }) else {
                throw ConfigurationError(
                    "\(file):\(index + 1): there is no setting \"\(name)\"; `wsemaild config describe` lists them")
            }
            guard values[name] == nil else {
                throw ConfigurationError("\(file):\(index + 1): \(name) is set twice")
            }
            values[name] = (line[line.index(after: equals)...].trimmingCharacters(in: .whitespaces), index + 1)
        }
        guard let domain = values["domain"] else { throw ConfigurationError("\(file): domain is not set") }
        self.init(domain: try Self.locate(file, domain.line) { try MailDomain(domain.value) }, hostName: "")
        hostName = "mail.\(self.domain)"
        for field in ConfigurationField.all {
            guard let (value, line) = values[field.name] else { continue }
            try Self.locate(file, line) { try field.set(&self, value) }
        }
        try check(file)
    }

    private static func locate<T>(_ file: String, _ line: Int, _ body: () throws -> T) throws -> T {
        do { return try body() } catch { throw ConfigurationError("\(file):\(line): \(error)") }
    }

    private func check(_ file: String) throws {
        guard tlsCertificateFile.isEmpty == tlsKeyFile.isEmpty else {
            throw ConfigurationError("\(file): tls_certificate_file and tls_key_file go together")
        }
        guard maxMessageBytes <= maxBodyBytes else {
            throw ConfigurationError("\(file): max_message_bytes may not exceed max_body_bytes")
        }
        guard (try? MailDomain(hostName)) != nil else {
            throw ConfigurationError("\(file): host_name: \"\(hostName)\" is no host name, such as mail.\(domain)")
        }
        try checkAddresses(file)
    }

    private func checkAddresses(_ file: String) throws {
        for (name, address) in [("listen_address", listenAddress), ("metrics_address", metricsAddress)] {
            guard Self.isIP(address) else {
                throw ConfigurationError("\(file): \(name): \"\(address)\" is no IP address, such as 0.0.0.0, 127.0.0.1 or ::")
            }
        }
        for server in dnsServers {
            let parts = server.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
            let port = parts.count == 2 ? Int(parts[1]) : 53
            guard Self.isIP(String(parts[0])), let port, (1...65_535).contains(port) else {
                throw ConfigurationError("\(file): dns_servers: \"\(server)\" is no ADDRESS or ADDRESS@PORT, such as 192.0.2.53@5353")
            }
        }
        guard metricsPort == 0 || metricsPort != listenPort else {
            throw ConfigurationError("\(file): listen_port and metrics_port are the same: each listener needs its own")
        }
    }

    private static func isIP(_ text: String) -> Bool { (try? SocketAddress(ipAddress: text, port: 0)) != nil }

    /// The file text with every setting that differs from its default, and the others as comments.
    public func fileText() -> String {
        let defaults = ServerConfiguration(domain: domain, hostName: "mail.\(domain)")
        var lines = ["# WSEmail server of \(domain). `wsemaild config describe` explains every setting.", ""]
        for field in ConfigurationField.all {
            let value = field.value(in: self)
            let isRequired = field.name == "domain" || field.name == "host_name"
            let isDefault = value == field.value(in: defaults)
            lines.append("\(isDefault && !isRequired ? "#" : "")\(field.name) = \(value)")
        }
        return lines.joined(separator: "\n") + "\n"
    }
}
