/// Moves files of any size between a disk and a server, in constant memory; knows nothing of mail.
///
/// Beside ``HTTPTransport``, whose calls and replies lie in memory whole. The server is proved in the same way: TLS under the given
/// roots, and a certificate for the mail domain. Tests pass their own.
public protocol FileTransport: Sendable {
    /// Sends a part of a file as the body of a request.
    ///
    /// Reading waits for the network: never more than a few chunks are in memory. A reply that comes before the body has been sent
    /// ends the sending.
    /// - Returns: the head of the reply, whatever its status.
    /// - Throws: `timeout` after `idleTimeout` without any progress; `cancelled`; what prevented a reply; `invalidRequest` when the
    ///   source cannot be read or is shorter than it said.
    func upload(_ call: FileCall, from source: any FileSource) async throws(SOAPClientError) -> FileReply

    /// Receives a body as it comes. The network waits for the sink.
    ///
    /// - Returns: the head. Only with status 200 or 206 did the sink get anything; then it got the whole body.
    /// - Throws: as `upload`; `replyTooLarge` above `maxBytes`; `cancelled` when the sink refused: it knows why.
    func download(_ call: FileCall, into sink: any FileSink) async throws(SOAPClientError) -> FileReply
}

/// One transfer.
public struct FileCall: Sendable {
    public enum Method: String, Sendable { case get = "GET", head = "HEAD", patch = "PATCH" }

    public var destination: HTTPDestination
    public var method: Method
    /// Path with query, beginning with "/".
    public var path: String
    /// Extra fields; Host and Content-Length are the transport's. Never compressed.
    public var headers: [HTTPField]
    /// So long nothing may move. There is no limit for the whole: a large file over a slow line takes as long as it takes.
    public var idleTimeout: Duration
    /// Limit of the reply's body.
    public var maxBytes: UInt64

    public init(
        to destination: HTTPDestination, method: Method, path: String, headers: [HTTPField] = [],
        idleTimeout: Duration = .seconds(60), maxBytes: UInt64
    ) {
        self.destination = destination
        self.method = method
        self.path = path
        self.headers = headers
        self.idleTimeout = idleTimeout
        self.maxBytes = maxBytes
    }
}

/// The head of a reply.
public struct FileReply: Sendable {
    public let status: Int
    public let headers: [HTTPField]

    public init(status: Int, headers: [HTTPField] = []) {
        self.status = status
        self.headers = headers
    }

    /// The first field of that name (any case).
    public func header(_ name: String) -> String? {
        let wanted = name.lowercased()
        return headers.first { $0.name.lowercased() == wanted }?.value
    }
}

/// Where the body of an upload comes from. Called on a thread that may block, one call at a time, front to back.
public protocol FileSource: Sendable {
    /// Length of the body.
    var count: UInt64 { get }
    /// Fills the beginning of `buffer` with what lies at `offset` of the body.
    /// - Returns: how many bytes; 0 only at the end.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws -> Int
}

/// Where the body of a download goes. Called on a thread that may block, one call at a time, in the order of arrival.
public protocol FileSink: Sendable {
    /// The head of a reply with status 200 or 206. Throwing ends the transfer before a byte of the body is taken.
    func begin(_ head: FileReply) throws
    /// The next bytes; valid during the call only. Throwing ends the transfer.
    func write(_ bytes: UnsafeRawBufferPointer) throws
}
