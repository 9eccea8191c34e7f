import NIOConcurrencyHelpers
import NIOSSL

/// TLS client settings per set of roots; building one parses the roots, so they are kept.
final class TLSContexts: Sendable {
    private let contexts = NIOLockedValueBox<[HTTPDestination.TrustRoots: NIOSSLContext]>([:])
    /// Roots change seldom; when there are more sets than this, all are built anew.
    private static let capacity = 512

    func context(for roots: HTTPDestination.TrustRoots) throws(SOAPClientError) -> NIOSSLContext {
        if let known = contexts.withLockedValue({ $0[roots] }) { return known }
        let context: NIOSSLContext
        do {
            context = try Self.make(roots)
        } catch {
            throw SOAPClientError(.invalidDestination, "unusable trust roots: \(error)")
        }
        contexts.withLockedValue { contexts in
            if contexts.count >= Self.capacity { contexts.removeAll() }
            contexts[roots] = context
        }
        return context
    }

    private static func make(_ roots: HTTPDestination.TrustRoots) throws -> NIOSSLContext {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = ["http/1.1"]
        // The chain is verified; the name is checked by HTTPConnectionHandler before a byte of ours is sent.
        configuration.certificateVerification = .noHostnameVerification
        switch roots {
        case .unproven:
            configuration.certificateVerification = .none
        case .system:
            configuration.trustRoots = .default
        case .certificates(let list):
            guard !list.isEmpty else { throw SOAPClientError(.invalidDestination, "no trust root for this domain") }
            configuration.trustRoots = .certificates(try list.map { try NIOSSLCertificate(bytes: $0, format: .der) })
        }
        return try NIOSSLContext(configuration: configuration)
    }
}
