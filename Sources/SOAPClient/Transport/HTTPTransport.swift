/// Sends one HTTP request and brings the whole reply, or an error; knows nothing of SOAP.
///
/// The seam between the security of calls and the network: tests and simulations pass their own.
public protocol HTTPTransport: Sendable {
    /// Sends `call` and waits for its complete reply.
    ///
    /// A reply with any HTTP status is a reply; only what prevented one is an error. Cancelling the task ends the
    /// exchange and closes its connection.
    func send(_ call: HTTPCall) async throws(SOAPClientError) -> HTTPReply

    /// What has crossed the wire so far, in both directions, as HTTP inside TLS.
    var traffic: ByteTraffic { get }
}

/// Bytes of TLS payload (HTTP heads and bodies as they travelled, so after compression).
public struct ByteTraffic: Sendable, Hashable {
    public var sent: Int
    public var received: Int

    public init(sent: Int = 0, received: Int = 0) {
        self.sent = sent
        self.received = received
    }

    public static func + (left: ByteTraffic, right: ByteTraffic) -> ByteTraffic {
        ByteTraffic(sent: left.sent + right.sent, received: left.received + right.received)
    }
}

/// One HTTP request.
public struct HTTPCall: Sendable {
    public enum Method: String, Sendable { case get = "GET", post = "POST" }

    public var destination: HTTPDestination
    public var method: Method
    /// Path with query, beginning with "/".
    public var path: String
    /// Extra fields; Host, Content-Length and the encodings are the transport's.
    public var headers: [HTTPField]
    public var body: [UInt8]
    /// From the beginning (waiting for a free connection included) to the last byte of the reply.
    public var timeout: Duration
    /// Limit of the reply's body in bytes, before and after inflation.
    public var maxReplyBytes: Int
    /// The body may be sent compressed once the peer has said that it accepts gzip. False for bodies that hold secrets.
    public var mayCompress: Bool

    public init(
        to destination: HTTPDestination, method: Method = .post, path: String = "/wsemail", headers: [HTTPField] = [],
        body: [UInt8] = [], timeout: Duration = .seconds(60), maxReplyBytes: Int = 32 << 20, mayCompress: Bool = true
    ) {
        self.destination = destination
        self.method = method
        self.path = path
        self.headers = headers
        self.body = body
        self.timeout = timeout
        self.maxReplyBytes = maxReplyBytes
        self.mayCompress = mayCompress
    }
}

/// One header field.
public struct HTTPField: Sendable, Hashable {
    public let name: String
    public let value: String

    public init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}

/// One HTTP reply, its body already inflated.
public struct HTTPReply: Sendable {
    public let status: Int
    public let headers: [HTTPField]
    public let body: [UInt8]
    /// What this exchange cost on the wire.
    public let traffic: ByteTraffic
    /// The same bytes had been sent before on a kept connection that broke without a byte of reply: the peer may have
    /// seen them twice.
    public let wasResent: Bool

    public init(
        status: Int, headers: [HTTPField] = [], body: [UInt8], traffic: ByteTraffic = ByteTraffic(),
        wasResent: Bool = false
    ) {
        self.status = status
        self.headers = headers
        self.body = body
        self.traffic = traffic
        self.wasResent = wasResent
    }

    /// The first field of that name (any case).
    public func header(_ name: String) -> String? {
        let wanted = name.lowercased()
        return headers.first { $0.name.lowercased() == wanted }?.value
    }
}
