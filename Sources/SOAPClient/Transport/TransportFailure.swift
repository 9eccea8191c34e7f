import NIOCore
import NIOHTTP1
import NIOSSL

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// One place that turns the errors of NIO and NIOSSL into ours.
enum TransportFailure {
    static func translate(_ error: any Error) -> SOAPClientError {
        switch error {
        case let error as SOAPClientError: error
        case let error as LostBeforeReply: error.cause
        case let error as NIOSSLError: translate(tls: error)
        case is NIOSSLExtraError: SOAPClientError(.tlsFailed, "the TLS connection failed")
        case HTTPParserError.invalidEOFState: SOAPClientError(.connectionLost, "the reply was cut short")
        case is HTTPParserError: SOAPClientError(.malformedReply, "what answers there does not speak HTTP")
        case ChannelError.connectTimeout: SOAPClientError(.connectTimeout, "no answer in time")
        case is CancellationError: SOAPClientError(.cancelled, "cancelled")
        case let error as IOError: SOAPClientError(.connectionLost, words(error.errnoCode))
        default: SOAPClientError(.connectionLost, "the connection broke")
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
                untrusted ? "the certificate chain is not trusted for this domain" : "the TLS handshake failed\(cause(in: text))")
        default:
            return SOAPClientError(.tlsFailed, "the TLS connection failed")
        }
    }

    /// What the system calls an error, such as "connection refused".
    static func words(_ code: CInt) -> String {
        let text = String(cString: strerror(code))
        return text.prefix(1).lowercased() + text.dropFirst()
    }

    /// BoringSSL's own name of the cause, such as ": wrong version number".
    private static func cause(in text: String) -> String {
        if text.contains("WRONG_VERSION_NUMBER") || text.contains("HTTP_REQUEST") { return ": what answers there does not speak TLS" }
        guard let mark = text.firstRange(of: "OPENSSL_internal:") else { return "" }
        let name = text[mark.upperBound...].prefix { $0 == "_" || $0.isLetter || $0.isNumber }
        return ": " + name.lowercased().split(separator: "_").joined(separator: " ")
    }
}
