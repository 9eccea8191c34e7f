/// Limits and times of a ``TLSTransport``.
public struct TransportConfiguration: Sendable {
    /// For TCP and TLS together, per address.
    public var connectTimeout: Duration = .seconds(10)
    /// A kept connection is closed after so long without a call. Below the server's own idle timeout, so that it is
    /// rarely the server who closes under a request.
    public var idleTimeout: Duration = .seconds(45)
    /// Connections to one destination, busy ones included; further calls wait their turn.
    public var maxConnectionsPerDestination = 8
    /// Idle connections kept over all destinations.
    public var maxIdleConnections = 256
    /// Shorter bodies are never compressed: the gain is below the cost.
    public var minBytesToCompress = 512
    /// When request bodies are compressed.
    public var compression: Compression = .whenAccepted

    public enum Compression: Sendable {
        case never
        /// After the peer said `Accept-Encoding: gzip` in a reply (RFC 7694 §3).
        case whenAccepted
    }

    public init() {}
}
