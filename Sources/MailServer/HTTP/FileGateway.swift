import NIOCore

/// What the HTTP side asks of whoever keeps the files. A ticket is a secret: whoever shows it may, nobody else.
protocol FileGateway: Sendable {
    /// How far an upload has come.
    func status(upload identifier: String, ticket: [UInt8]) async throws(FileRefusal) -> UploadStatus
    /// Goes on with an upload at `offset`, one at a time.
    /// - Throws: `wrongOffset` if so many octets are not there, `busy` if another request goes on with it.
    func append(upload identifier: String, ticket: [UInt8], offset: UInt64) async throws(FileRefusal) -> any FileSink
    /// A file to download.
    /// - Parameter guid: 32 lower-case hexadecimal digits.
    func open(guid: String, ticket: [UInt8]) async throws(FileRefusal) -> any FileSource
}

/// How far an upload has come.
struct UploadStatus: Sendable, Equatable {
    /// Octets that are kept.
    var offset: UInt64
    /// Octets that the file will have.
    var size: UInt64
}

/// Takes the octets of one request, in order. After `finish` or `abandon` it is not used any more; one of them is always called.
protocol FileSink: Sendable {
    /// Octets that the file lacked when the sink was made.
    var remaining: UInt64 { get }
    /// To whom the ticket was given: their transfers are counted together.
    var holder: String { get }
    /// Keeps octets. Calls do not overlap.
    /// - Throws: `tooLarge` for more than the file has.
    func write(_ octets: ByteBuffer) async throws(FileRefusal)
    /// The request is over: what was written lasts, and if it is all, it is what was announced.
    /// - Throws: `digestMismatch` if not; the upload is thrown away then.
    func finish() async throws(FileRefusal) -> FileProgress
    /// The connection broke, or something was refused: what was written is kept.
    func abandon() async
}

/// What an upload has come to.
enum FileProgress: Sendable, Equatable {
    /// So many octets are kept; more are to come.
    case partial(offset: UInt64)
    /// All octets are here for good, and have the digest that was announced.
    case complete(size: UInt64)
}

/// A file that is being downloaded. It stays readable as long as somebody has the source.
protocol FileSource: Sendable {
    var size: UInt64 { get }
    /// SHA-256 of the whole.
    var digest: [UInt8] { get }
    /// To whom the ticket was given: their transfers are counted together.
    var holder: String { get }
    /// As many octets as asked for: less only at the end.
    func read(at offset: UInt64, count: Int) async throws(FileRefusal) -> ByteBuffer
}

/// Why a transfer is refused.
enum FileRefusal: Error, Sendable, Equatable {
    /// No such upload or file, or the ticket is not for it: nobody is told which.
    case notFound
    /// The upload has so many octets.
    case wrongOffset(UInt64)
    /// Another request goes on with the upload.
    case busy
    /// More octets than were announced.
    case tooLarge
    /// The octets are not those that were announced; they are thrown away.
    case digestMismatch
    case storageFull
    /// Something failed here; it may go better later.
    case unavailable
}
