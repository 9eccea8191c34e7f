import Identity
import MailModel

/// A file of ours that our server keeps, and where it stands in its message.
public struct OwnedAttachment: Sendable {
    public let listed: AttachmentAnswer.Listed
    /// From 1, in the order of the message: several where it has the same content several times; none where our copy has gone.
    public let numbers: [Int]

    public init(listed: AttachmentAnswer.Listed, numbers: [Int]) {
        self.listed = listed
        self.numbers = numbers
    }

    /// In the order of the message.
    static func inOrder(_ kept: [AttachmentAnswer.Listed], _ references: [AttachmentReference]) -> [OwnedAttachment] {
        let owned = kept.map { listed in
            OwnedAttachment(
                listed: listed, numbers: references.indices.filter { references[$0].digest == listed.digest }.map { $0 + 1 })
        }
        return owned.enumerated().sorted { one, other in
            (one.element.numbers.first ?? .max, one.offset) < (other.element.numbers.first ?? .max, other.offset)
        }.map(\.element)
    }
}

extension MailClient {
    /// What our server keeps of a message that we sent, numbered as in the message.
    public func ownedAttachments(of location: MessageLocation) async throws(MailClientError) -> [OwnedAttachment] {
        let kept = try await sentAttachments(of: location.id)
        guard !kept.isEmpty else { return [] }
        do throws(MailClientError) {
            let copy = try await retrieve(location)
            return OwnedAttachment.inOrder(kept, copy.message.message.attachments)
        } catch  where error.code == .noSuchMessage {
            return OwnedAttachment.inOrder(kept, [])
        }
    }

    /// The numbers under which lists show messages. Where one is not known here, the newest of the Sent folder are looked through.
    public func numbers(of ids: Set<MessageID>) async throws(MailClientError) -> [MessageID: UInt64] {
        let known = try numbers.numbers(of: ids)
        guard known.count < ids.count else { return known }
        _ = try await list(folder: Self.sent, limit: 500)
        return try numbers.numbers(of: ids)
    }
}
