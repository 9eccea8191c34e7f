import HTTPTypes
import Hummingbird
import NIOCore

/// Uploads: `HEAD` says how far one has come, `PATCH` goes on with it.
extension FileTransfers {
    func progress(_ identifier: String, _ ticket: [UInt8], _ request: Request, _ context: ConnectionContext) async -> Response {
        do {
            let status = try await gateway.status(upload: identifier, ticket: ticket)
            let fields: HTTPFields = [
                .uploadOffset: String(status.offset), .uploadLength: String(status.size), .cacheControl: "no-store",
            ]
            return Response(status: .ok, headers: fields)
        } catch {
            return answer(error, request, context)
        }
    }

    func append(_ identifier: String, _ ticket: [UInt8], _ request: Request, _ context: ConnectionContext) async -> Response {
        guard let offset = request.headers[.uploadOffset].flatMap({ ByteRange.number($0) }) else {
            return refuse(.badRequest, "Upload-Offset says where the octets belong", request, context)
        }
        guard request.headers[.contentEncoding].map({ $0.lowercased() == "identity" }) ?? true else {
            return refuse(.unsupportedMediaType, "a file is sent as it is", request, context)
        }
        let sink: any FileSink
        do { sink = try await gateway.append(upload: identifier, ticket: ticket, offset: offset) } catch {
            return await refused(error, identifier, ticket, request, context)
        }
        guard let slot = slot(of: sink.holder) else {
            await sink.abandon()
            return answer(.unavailable, request, context)
        }
        defer { withExtendedLifetime(slot) {} }
        if let length = request.headers[.contentLength].flatMap({ ByteRange.number($0) }), length > sink.remaining {
            await sink.abandon()
            return answer(.tooLarge, request, context)
        }
        do { return FileTransfers.response(to: try await receive(request, into: sink, context)) } catch {
            return answer(error, request, context)
        }
    }

    /// Whoever is told to wait for another request is told how far that one is.
    private func refused(
        _ refusal: FileRefusal, _ identifier: String, _ ticket: [UInt8], _ request: Request, _ context: ConnectionContext
    ) async -> Response {
        var response = answer(refusal, request, context)
        guard refusal == .busy else { return response }
        if let status = try? await gateway.status(upload: identifier, ticket: ticket) {
            response.headers[.uploadOffset] = String(status.offset)
        }
        return response
    }

    private static func response(to progress: FileProgress) -> Response {
        switch progress {
        case .partial(let offset): Response(status: .noContent, headers: [.uploadOffset: String(offset)])
        case .complete(let size): Response(status: .created, headers: [.uploadOffset: String(size)])
        }
    }

    /// One piece is kept while the next arrives: with the connection's own buffers that is what a transfer has in memory.
    private func receive(
        _ request: Request, into sink: any FileSink, _ context: ConnectionContext
    ) async throws(FileRefusal) -> FileProgress {
        let keeper = TransferGuard(channel: context.channel, idleLimit: idleLimit, shutdownGrace: shutdownGrace)
        async let _: Void = keeper.watch()
        var body = IncomingPieces(request.body, size: pieceSize, announced: request.headers[.contentLength])
        do {
            var piece = await body.next(keeper)
            while let present = piece {
                async let kept: Void = sink.write(present)
                let following = await body.next(keeper)
                try await kept
                count(.received, present.readableBytes)
                piece = following
            }
        } catch {
            await sink.abandon()
            throw error as? FileRefusal ?? .unavailable
        }
        guard body.isWhole else {
            await sink.abandon()
            throw .unavailable
        }
        return try await sink.finish()
    }
}

/// A request's body in larger pieces than the network has them.
struct IncomingPieces {
    private var iterator: RequestBody.AsyncIterator
    private let size: Int
    private let announced: UInt64?
    private var received: UInt64 = 0
    private var isAtEnd = false
    private var isBroken = false

    /// - Parameter announced: the Content-Length.
    init(_ body: RequestBody, size: Int, announced: String?) {
        iterator = body.makeAsyncIterator()
        self.size = size
        self.announced = announced.flatMap { ByteRange.number($0) }
    }

    /// Whether the body came to its end, rather than the connection. The HTTP library does not always tell them apart.
    var isWhole: Bool { isAtEnd && !isBroken && (announced ?? received) == received }

    /// Nil when there is no more. What had arrived when a connection broke is a piece, too.
    mutating func next(_ keeper: TransferGuard) async -> ByteBuffer? {
        var piece = ByteBuffer()
        while !isAtEnd, piece.readableBytes < size {
            do {
                guard var octets = try await iterator.next() else {
                    isAtEnd = true
                    break
                }
                keeper.touch()
                received += UInt64(octets.readableBytes)
                if piece.capacity == 0 { piece.reserveCapacity(min(size, max(octets.readableBytes * 4, Int(clamping: announced ?? 0)))) }
                piece.writeBuffer(&octets)
            } catch {
                (isAtEnd, isBroken) = (true, true)
            }
        }
        return piece.readableBytes > 0 ? piece : nil
    }
}
