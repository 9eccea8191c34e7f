import HTTPTypes
import Hummingbird
import Identity
import NIOCore

/// Downloads: `GET` and `HEAD` with one range (RFC 9110 §14).
extension FileTransfers {
    func download(
        _ source: any FileSource, _ slot: TransferSlots.Slot, _ request: Request, _ context: ConnectionContext
    ) -> Response {
        let tag = "\"\(Hex.encode(source.digest))\""
        var fields: HTTPFields = [
            .contentType: "application/octet-stream", .contentDisposition: "attachment", .xContentTypeOptions: "nosniff",
            .acceptRanges: "bytes", .eTag: tag,
        ]
        // RFC 9110 §14.2: ranges are for GET alone.
        guard request.method == .get else { return FileTransfers.bodyless(.ok, fields, length: Int(clamping: source.size)) }
        // §13.1.5: of another file the whole is asked for. A date is never what we gave.
        let applies = request.headers[.ifRange].map { $0 == tag } ?? true
        switch ByteRange(parsing: applies ? request.headers[.range] : nil, size: source.size) {
        case .whole:
            return Response(status: .ok, headers: fields, body: body(source, 0..<source.size, slot, context))
        case .part(let range):
            fields[.contentRange] = "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(source.size)"
            return Response(status: .partialContent, headers: fields, body: body(source, range, slot, context))
        case .unsatisfiable:
            return refuse(.rangeNotSatisfiable, "no such range", request, context, [.contentRange: "bytes */\(source.size)"])
        }
    }

    private func body(
        _ source: any FileSource, _ range: Range<UInt64>, _ slot: TransferSlots.Slot, _ context: ConnectionContext
    ) -> ResponseBody {
        ResponseBody(contentLength: Int(clamping: range.count)) { writer in
            let keeper = TransferGuard(channel: context.channel, idleLimit: idleLimit, shutdownGrace: shutdownGrace)
            async let _: Void = keeper.watch()
            try await send(source, range, to: &writer, keeper)
            try await writer.finish(nil)
            withExtendedLifetime(slot) {}
        }
    }

    /// One piece is read while the one before it goes out. When reading fails the connection ends: what the caller has is
    /// a beginning, and it can ask for the rest.
    private func send(
        _ source: any FileSource, _ range: Range<UInt64>, to writer: inout any ResponseBodyWriter, _ keeper: TransferGuard
    ) async throws {
        var position = range.lowerBound
        guard position < range.upperBound else { return }
        var piece = try await piece(of: source, at: position, end: range.upperBound)
        while true {
            position += UInt64(piece.readableBytes)
            let next = position
            guard next < range.upperBound else { break }
            async let following = self.piece(of: source, at: next, end: range.upperBound)
            try await writer.write(piece)
            try await keeper.settle()
            guard !keeper.isClosed else { throw FileRefusal.unavailable }
            keeper.touch()
            count(.sent, piece.readableBytes)
            piece = try await following
        }
        try await writer.write(piece)
        keeper.touch()
        count(.sent, piece.readableBytes)
    }

    private func piece(of source: any FileSource, at position: UInt64, end: UInt64) async throws -> ByteBuffer {
        let length = Int(min(UInt64(pieceSize), end - position))
        let piece = try await source.read(at: position, count: length)
        guard (1...length).contains(piece.readableBytes) else { throw FileRefusal.unavailable }
        return piece
    }
}
