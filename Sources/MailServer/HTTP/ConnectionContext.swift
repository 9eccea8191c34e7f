import Hummingbird
import NIOCore

/// What the HTTP library tells of a request's connection.
struct ConnectionContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    /// Network address of the caller, without port.
    let peerAddress: String
    /// The connection, or the stream of one.
    let channel: any Channel
    /// Whether requests share the connection (HTTP/2): the channel is that of one request then.
    var isMultiplexed: Bool { channel.parent?.parent != nil }

    init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
        channel = source.channel
        peerAddress = (source.channel.remoteAddress ?? source.channel.parent?.remoteAddress)?.ipAddress ?? "unknown"
    }
}
