import HTTPTypes
import Hummingbird
import NIOCore
import XMLCore

/// Files beside SOAP: appending to uploads and reading ranges of downloads (docs/protocol.md, "Files").
///
/// The octets stream in pieces, so that a transfer costs the same memory whatever its size. Tickets are in headers, which
/// nothing here logs.
struct FileTransfers: Sendable {
    /// What moves octets, for counters.
    enum Direction: Sendable { case received, sent }

    let gateway: any FileGateway
    /// How long no octet may move.
    let idleLimit: Duration
    /// Transfers at a time; each has two pieces in memory.
    var maxTransfers = 256
    /// Of these, transfers of one holder of tickets: nobody keeps all others out.
    var maxTransfersOfHolder = 16
    /// Larger ones gain nothing, smaller ones cost a thread change each too often (docs/performance.md).
    var pieceSize = 512 << 10
    /// How long a transfer may still take when the server shuts down.
    var shutdownGrace = Duration.seconds(3)
    /// Told of octets moved.
    var count: @Sendable (Direction, Int) -> Void = { _, _ in }
    private let slots = TransferSlots()

    static let uploadsPath = "/wsemail/uploads/"
    static let filesPath = "/wsemail/files/"

    init(gateway: any FileGateway, idleLimit: Duration) {
        self.gateway = gateway
        self.idleLimit = idleLimit
    }

    /// Transfers that have not ended.
    var underWay: Int { slots.count }

    /// Nil if the path is none of a transfer.
    func response(to request: Request, context: ConnectionContext) async -> Response? {
        let path = request.uri.path
        if path.hasPrefix(FileTransfers.uploadsPath) {
            return await upload(String(path.dropFirst(FileTransfers.uploadsPath.count)), request, context)
        }
        if path.hasPrefix(FileTransfers.filesPath) {
            return await file(String(path.dropFirst(FileTransfers.filesPath.count)), request, context)
        }
        return nil
    }

    private func upload(_ identifier: String, _ request: Request, _ context: ConnectionContext) async -> Response {
        guard request.method == .patch || request.method == .head else { return notAllowed(request, context, "PATCH, HEAD") }
        guard FileTransfers.isIdentifier(identifier), let ticket = FileTransfers.ticket(request) else {
            return answer(.notFound, request, context)
        }
        guard request.method == .patch else { return await progress(identifier, ticket, request, context) }
        return await append(identifier, ticket, request, context)
    }

    private func file(_ guid: String, _ request: Request, _ context: ConnectionContext) async -> Response {
        guard request.method == .get || request.method == .head else { return notAllowed(request, context, "GET, HEAD") }
        guard FileTransfers.isGUID(guid), let ticket = FileTransfers.ticket(request) else { return answer(.notFound, request, context) }
        let source: any FileSource
        do { source = try await gateway.open(guid: guid, ticket: ticket) } catch { return answer(error, request, context) }
        guard let slot = slot(of: source.holder) else { return answer(.unavailable, request, context) }
        return download(source, slot, request, context)
    }

    /// A place for a transfer; nil where there is none.
    func slot(of holder: String) -> TransferSlots.Slot? {
        slots.take(by: holder, atMost: maxTransfersOfHolder, ofAll: maxTransfers)
    }

    // MARK: What a request must have

    /// The ticket of `Authorization: WSEmail-Ticket <base64url>`.
    static func ticket(_ request: Request) -> [UInt8]? {
        guard let value = request.headers[.authorization] else { return nil }
        let words = value.split(separator: " ")
        guard words.count == 2, words[0].lowercased() == "wsemail-ticket", (16...128).contains(words[1].utf8.count) else { return nil }
        guard !words[1].utf8.contains(where: { $0 == UInt8(ascii: "+") || $0 == UInt8(ascii: "/") }) else { return nil }
        var text = String(words[1]).replacing("-", with: "+").replacing("_", with: "/")
        while !text.utf8.count.isMultiple(of: 4) { text.append("=") }
        return Base64.decode(text)
    }

    static func isIdentifier(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x5F: true
                default: false
                }
            }
    }

    static func isGUID(_ text: String) -> Bool {
        text.utf8.count == 32 && text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
    }
}
