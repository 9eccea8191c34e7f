import Hummingbird
import HummingbirdCore
import HummingbirdHTTP2
import HummingbirdTLS
import Identity
import Logging
import NIOCore
import NIOSSL
import ServiceLifecycle

/// Builds the listeners of a server from its configuration.
enum HTTPListeners {
    /// The HTTPS listener.
    /// - Parameter onRunning: told the port that is really listened on.
    static func secure(
        _ configuration: ServerConfiguration, tls: TLSConfiguration, front: HTTPFront, group: any EventLoopGroup,
        logger: Logger, onRunning: @escaping @Sendable (Int) async -> Void
    ) throws -> any Service {
        let rules = ConnectionRules(
            idleTimeoutSeconds: configuration.idleTimeoutSeconds, maxHeaderBytes: configuration.maxHeaderBytes,
            connectionsPerAddress: configuration.maxConnectionsPerAddress, http2: configuration.http2)
        let application = Application(
            responder: front, server: rules.server(tls: tls),
            configuration: .init(
                address: .hostname(configuration.listenAddress, port: configuration.listenPort), serverName: nil,
                backlog: 1_024,
                availableConnectionsDelegate: MaximumAvailableConnections(configuration.maxConnections, logger: logger)),
            onServerRunning: { await onRunning($0.localAddress?.port ?? configuration.listenPort) },
            eventLoopGroupProvider: .shared(group), logger: logger)
        return Listener(
            kind: "listen", address: configuration.listenAddress, port: configuration.listenPort, application: application)
    }

    /// The plain listener for metrics and health, meant for this machine.
    static func metrics(
        _ configuration: ServerConfiguration, front: HTTPFront, group: any EventLoopGroup, logger: Logger,
        onRunning: @escaping @Sendable () async -> Void
    ) -> any Service {
        let application = Application(
            responder: front, server: .http1(),
            configuration: .init(address: .hostname(configuration.metricsAddress, port: configuration.metricsPort)),
            onServerRunning: { _ in await onRunning() }, eventLoopGroupProvider: .shared(group), logger: logger)
        return Listener(
            kind: "metrics", address: configuration.metricsAddress, port: configuration.metricsPort, application: application)
    }

    /// TLS 1.2 and newer with the domain's own certificate, or the one that the configuration names.
    static func tls(_ configuration: ServerConfiguration, keys: DomainKeys) throws -> TLSConfiguration {
        let chain: [NIOSSLCertificateSource]
        let key: NIOSSLPrivateKey
        if configuration.tlsCertificateFile.isEmpty {
            chain = try [keys.tlsCertificate.der, keys.authority.certificate.der].map {
                .certificate(try NIOSSLCertificate(bytes: $0, format: .der))
            }
            key = try NIOSSLPrivateKey(bytes: Array(keys.tlsKeyPEM.utf8), format: .pem)
        } else {
            (chain, key) = try foreign(configuration)
        }
        var tls = TLSConfiguration.makeServerConfiguration(certificateChain: chain, privateKey: .privateKey(key))
        tls.minimumTLSVersion = .tlsv12
        // How long a connection that we close stays for the peer's own close_notify. Nobody needs it (RFC 8446 §6.1), and as the
        // HTTP library no longer reads by then, every idle connection would hold up a shutdown for the whole time.
        tls.shutdownTimeout = .milliseconds(500)
        // Building a context compares key and certificate: better now than at the first caller.
        do { _ = try NIOSSLContext(configuration: tls) } catch {
            throw AdminError(
                .file, "the TLS key does not belong to the TLS certificate",
                hint: configuration.tlsCertificateFile.isEmpty
                    ? "restore tls.key and tls.pem in \(configuration.keyDirectory) from a backup"
                    : "name a pair in tls_certificate_file and tls_key_file; the server's own certificate comes first in its file")
        }
        return tls
    }

    /// The pair that the configuration names.
    private static func foreign(
        _ configuration: ServerConfiguration
    ) throws -> (chain: [NIOSSLCertificateSource], key: NIOSSLPrivateKey) {
        let (file, keyFile) = (configuration.tlsCertificateFile, configuration.tlsKeyFile)
        let chain: [NIOSSLCertificateSource]
        do {
            let text = try PlainFile.text(file)
            chain = try NIOSSLCertificate.fromPEMBytes(Array(text.utf8)).map { .certificate($0) }
        } catch let error as AdminError {
            throw AdminError(.file, "tls_certificate_file: \(error.reason)", hint: error.hint)
        } catch {
            throw AdminError(.file, "tls_certificate_file: \(file) holds no certificate in PEM form", hint: "")
        }
        guard !chain.isEmpty else { throw AdminError(.file, "tls_certificate_file: \(file) holds no certificate in PEM form") }
        do {
            return (chain, try NIOSSLPrivateKey(bytes: PrivateFile.read(keyFile), format: .pem))
        } catch let error as IdentityError {
            throw AdminError(.file, "tls_key_file: \(error.reason)")
        } catch {
            throw AdminError(
                .file, "tls_key_file: \(keyFile) holds no private key in PEM form", hint: "a key with a password cannot be used")
        }
    }
}
