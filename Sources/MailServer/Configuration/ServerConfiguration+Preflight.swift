import Delivery
import Foundation
import Identity
import NIOPosix

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

extension ServerConfiguration {
    /// Looks whether `serve` could start with these settings on this machine as this user: folders, keys, TLS files and DNS.
    /// Changes nothing. `serve` runs it first.
    /// - Throws: what is in the way, with advice.
    public func checkUsable() throws(AdminError) {
        do {
            for folder in [dataDirectory, keyDirectory] { try checkFolder(folder) }
            var status = stat()
            guard stat(databasePath, &status) == 0 else {
                throw AdminError(
                    .file, "there is no database at \(databasePath)",
                    hint: "is the data folder mounted? `wsemaild init \(domain)` makes a new one")
            }
            _ = try HTTPListeners.tls(self, keys: DomainKeys(folder: keyDirectory, domain: domain))
            if !dnsTrustAnchorFile.isEmpty { try checkTrustAnchor() }
            try MailServer.makeResolver(self).close()
        } catch {
            throw AdminError.from(error)
        }
    }

    /// Looks whether the ports are free; not asked while a server of this configuration runs.
    public func checkPorts() async throws(AdminError) {
        do {
            guard try SocketFile.state(of: adminSocketPath) != .answering else { return }
            try await probe("listen", listenAddress, listenPort)
            if metricsPort != 0 { try await probe("metrics", metricsAddress, metricsPort) }
        } catch {
            throw AdminError.from(error)
        }
    }

    private func probe(_ kind: String, _ address: String, _ port: Int) async throws {
        do {
            let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1).bind(host: address, port: port).get()
            try await channel.close()
        } catch {
            throw Listener.explain(error, kind: kind, address: address, port: port)
        }
    }

    private func checkFolder(_ path: String) throws {
        var status = stat()
        guard stat(path, &status) == 0 else {
            guard errno == ENOENT else { throw SocketFile.failure("reach", path) }
            throw AdminError(
                .file, "there is no folder \(path)",
                hint: "is it mounted? look at data_directory, or make a new domain with `wsemaild init \(domain)`")
        }
        guard status.st_mode & S_IFMT == S_IFDIR else { throw AdminError(.file, "\(path) is not a folder") }
        guard status.st_uid == geteuid() else {
            let owner = UserNames.text(status.st_uid)
            throw AdminError(
                .forbidden, "\(path) belongs to \(owner), and this is \(UserNames.text(geteuid()))",
                hint: "run it as that user: sudo -u \(owner) wsemaild …")
        }
        // The socket and the keys in it rest on this.
        guard status.st_mode & 0o077 == 0 else {
            throw AdminError(.file, "others may look into \(path)", hint: "run: chmod 700 \(path)")
        }
    }

    private func checkTrustAnchor() throws {
        do { _ = try PlainFile.text(dnsTrustAnchorFile) } catch {
            throw AdminError(
                .file, "dns_trust_anchor_file: \(error.reason)",
                hint: "install the package dns-root-data, or name the file; empty: DNSSEC is not validated")
        }
    }
}
