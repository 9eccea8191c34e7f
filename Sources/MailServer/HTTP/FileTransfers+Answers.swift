import HTTPTypes
import Hummingbird
import NIOCore
import Synchronization

/// Answers that carry no file.
extension FileTransfers {
    /// The answer to what is refused before, or while, a body arrives.
    func answer(_ refusal: FileRefusal, _ request: Request, _ context: ConnectionContext) -> Response {
        switch refusal {
        case .notFound: refuse(.notFound, "there is no such file, or the ticket is not for it", request, context)
        case .wrongOffset(let offset):
            refuse(.conflict, "the upload goes on at Upload-Offset", request, context, [.uploadOffset: String(offset)])
        case .busy: refuse(.conflict, "another request goes on with this upload", request, context)
        case .tooLarge: refuse(.contentTooLarge, "more than was announced", request, context)
        case .digestMismatch: refuse(.unprocessableContent, "not the file that was announced", request, context)
        case .storageFull: refuse(.init(code: 507, reasonPhrase: "Insufficient Storage"), "no room left", request, context)
        case .unavailable: refuse(.serviceUnavailable, "try again later", request, context, [.retryAfter: "10"])
        }
    }

    func notAllowed(_ request: Request, _ context: ConnectionContext, _ methods: String) -> Response {
        refuse(.methodNotAllowed, "methods: \(methods)", request, context, [.allow: methods])
    }

    /// Ends the connection as well if the request has a body: there may be gigabytes on the way that nobody wants. Not at
    /// once, though: the peer reads its answer only if what it sends is still taken for a moment (RFC 9112 §9.6).
    func refuse(
        _ status: HTTPResponse.Status, _ text: String, _ request: Request, _ context: ConnectionContext, _ fields: HTTPFields = [:]
    ) -> Response {
        var fields = fields
        fields[.contentType] = "text/plain; charset=utf-8"
        let text = ByteBuffer(string: text + "\n")
        if request.method == .head { return FileTransfers.bodyless(status, fields, length: text.readableBytes) }
        guard request.method != .get else { return Response(status: status, headers: fields, body: ResponseBody(byteBuffer: text)) }
        if !context.isMultiplexed { fields[.connection] = "close" }
        return Response(
            status: status, headers: fields,
            body: ResponseBody(contentLength: text.readableBytes) { writer in
                try await writer.write(text)
                try await writer.finish(nil)
                let channel = context.channel
                channel.eventLoop.scheduleTask(in: .seconds(1)) { channel.close(promise: nil) }
            })
    }

    /// The answer to HEAD: the fields that GET would have.
    static func bodyless(_ status: HTTPResponse.Status, _ fields: HTTPFields, length: Int) -> Response {
        Response(status: status, headers: fields, body: ResponseBody(contentLength: length) { try await $0.finish(nil) })
    }
}

extension HTTPField.Name {
    static let uploadOffset = HTTPField.Name("Upload-Offset")!
    static let uploadLength = HTTPField.Name("Upload-Length")!
}

/// Counts transfers under way, of all and of each holder.
final class TransferSlots: Sendable {
    private struct Taken {
        var count = 0
        var byHolder: [String: Int] = [:]
    }

    private let taken = Mutex(Taken())

    var count: Int { taken.withLock { $0.count } }

    /// One transfer; it ends with the last reference.
    final class Slot: Sendable {
        private let slots: TransferSlots
        private let holder: String

        fileprivate init(_ slots: TransferSlots, _ holder: String) {
            self.slots = slots
            self.holder = holder
        }

        deinit {
            slots.taken.withLock { taken in
                taken.count -= 1
                let left = taken.byHolder[holder, default: 1] - 1
                taken.byHolder[holder] = left > 0 ? left : nil
            }
        }
    }

    /// Nil if the holder has `share` already, or all together have `limit`.
    func take(by holder: String, atMost share: Int, ofAll limit: Int) -> Slot? {
        let isFree = taken.withLock { taken in
            guard taken.count < limit, taken.byHolder[holder, default: 0] < share else { return false }
            taken.count += 1
            taken.byHolder[holder, default: 0] += 1
            return true
        }
        return isFree ? Slot(self, holder) : nil
    }
}
