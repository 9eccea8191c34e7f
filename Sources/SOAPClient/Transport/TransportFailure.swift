import NIOCore
import NIOHTTP1
import NIOSSL

/// One place that turns the errors of NIO and NIOSSL into ours.
enum TransportFailure {
    static func translate(_ error: any Error) -> SOAPClientError {
        switch error {
        case let error as SOAPClientError: error
        case let error as LostBeforeReply: error.cause
        case let error as NIOSSLError: translate(tls: error)
        case is NIOSSLExtraError: SOAPClientError(.tlsFailed, "\(error)")
        case HTTPParserError.invalidEOFState: SOAPClientError(.connectionLost, "the reply was cut short")
        case is HTTPParserError: SOAPClientError(.malformedReply, "not an HTTP reply: \(error)")
        case ChannelError.connectTimeout: SOAPClientError(.connectTimeout, "no answer to the connection request")
        case is CancellationError: SOAPClientError(.cancelled, "cancelled")
        case is ChannelError, is IOError: SOAPClientError(.connectionLost, "\(error)")
        default: SOAPClientError(.connectionLost, "\(error)")
        }
    }

    private static func translate(tls error: NIOSSLError) -> SOAPClientError {
        switch error {
        case .uncleanShutdown:
            // A truncation may cut a reply that ends with the connection: never take it for complete.
            return SOAPClientError(.connectionLost, "the peer closed without ending TLS")
        case .handshakeFailed(let detail):
            let text = "\(detail)"
            let untrusted = text.uppercased().contains("CERTIFICATE_VERIFY_FAILED")
            return SOAPClientError(
                untrusted ? .tlsUntrusted : .tlsFailed,
                untrusted ? "the certificate chain is not trusted for this domain" : "TLS handshake: \(text)")
        default:
            return SOAPClientError(.tlsFailed, "TLS: \(error)")
        }
    }
}
