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
        let limiter = ConnectionLimiter(limit: configuration.maxConnectionsPerAddress)
        let channel = HTTP1Channel.Configuration(
            additionalChannelHandlers: [limiter.handler()],
            idleTimeout: .seconds(Int64(configuration.idleTimeoutSeconds)),
            httpDecoderConfiguration: .init(
                maxHeaderFieldSize: configuration.maxHeaderBytes, maxHeaderListSize: configuration.maxHeaderBytes,
                maxHeaderFieldCount: 100))
        let server: HTTPServerBuilder =
            if configuration.http2 {
                try .http2Upgrade(
                    tlsConfiguration: tls,
                    configuration: .init(
                        idleTimeout: .seconds(configuration.idleTimeoutSeconds), gracefulCloseTimeout: .seconds(10),
                        streamConfiguration: channel))
            } else {
                try .tls(.http1(configuration: channel), tlsConfiguration: tls)
            }
        return Application(
            responder: front, server: server,
            configuration: .init(
                address: .hostname(configuration.listenAddress, port: configuration.listenPort), serverName: nil,
                backlog: 1_024,
                availableConnectionsDelegate: MaximumAvailableConnections(configuration.maxConnections, logger: logger)),
            onServerRunning: { await onRunning($0.localAddress?.port ?? configuration.listenPort) },
            eventLoopGroupProvider: .shared(group), logger: logger)
    }

    /// The plain listener for metrics and health, meant for this machine.
    static func metrics(
        _ configuration: ServerConfiguration, front: HTTPFront, group: any EventLoopGroup, logger: Logger
    ) -> any Service {
        Application(
            responder: front, server: .http1(),
            configuration: .init(address: .hostname(configuration.metricsAddress, port: configuration.metricsPort)),
            eventLoopGroupProvider: .shared(group), logger: logger)
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
            chain = try NIOSSLCertificate.fromPEMFile(configuration.tlsCertificateFile).map { .certificate($0) }
            key = try NIOSSLPrivateKey(
                bytes: PrivateFile.read(configuration.tlsKeyFile), format: .pem)
        }
        var tls = TLSConfiguration.makeServerConfiguration(certificateChain: chain, privateKey: .privateKey(key))
        tls.minimumTLSVersion = .tlsv12
        return tls
    }
}
