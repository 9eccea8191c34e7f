import Console
import Foundation
import Identity
import MailClient
import MailModel

/// Attachments in people's words.
enum AttachmentText {
    static func size(_ octets: UInt64) -> String { HumanText.bytes(Int64(clamping: octets)) }

    /// `report.pdf (application/pdf, 3.4 MB)`.
    static func file(_ reference: AttachmentReference) -> String {
        "\(PrintableText.clean(reference.name)) (\(PrintableText.clean(reference.mediaType)), \(size(reference.size)))"
    }

    /// "until 2026-07-01 12:00, at most 5 fetches, asks you before it is passed on".
    static func terms(_ terms: AttachmentTerms) -> String {
        let until = terms.expires.map { "until \(MailText.date($0))" } ?? "as long as your domain keeps it"
        let often = terms.maxFetches.map { $0 == 1 ? "once" : "at most \($0) times" } ?? "any number of times"
        let forward: String
        switch terms.onForward {
        case .allow: forward = "recipients may pass it on"
        case .forbid: forward = "nobody may pass it on"
        case .ask, nil: forward = "you are asked before it is passed on"
        }
        return "\(until), \(often); \(forward)"
    }

    static func event(_ event: AttachmentAnswer.Event) -> String {
        let who = event.who?.unicode ?? "somebody"
        let by = event.by?.unicode ?? "somebody"
        switch event.kind {
        case .fetched: return "\(who) fetched it"
        case .resumed: return "\(who) went on with a fetch"
        case .revoked: return event.who.map { "taken back from \($0.unicode)" } ?? "taken back from everybody"
        case .granted: return "\(who) may fetch it too, by \(by)"
        case .asked: return "\(by) wishes that \(who) may fetch it too"
        case .refused: return "you said no to \(who)"
        case .expired: return "its time was over"
        }
    }

    static func state(_ listed: AttachmentAnswer.Listed, now: Date) -> String {
        if listed.isRevoked { return "revoked" }
        if let expires = listed.expires { return expires <= now ? "expired" : "until \(MailText.date(expires))" }
        return "kept"
    }

    /// "until 2026-07-01 12:00, 2 more fetches, the sender is asked before it is passed on", for those who received it.
    static func state(_ known: AttachmentAnswer.Describe) -> String {
        let until = known.facts.expires.map { "until \(MailText.date($0))" } ?? "there"
        let left = known.facts.remaining.map { ", \($0) more \($0 == 1 ? "fetch" : "fetches")" } ?? ""
        let forward: String
        switch known.onForward {
        case .allow: forward = ", may be passed on"
        case .forbid: forward = ", not to be passed on"
        case .ask: forward = ", its sender is asked before it is passed on"
        }
        return until + left + forward
    }

    static func fetches(_ listed: AttachmentAnswer.Listed) -> String {
        listed.maxFetches.map { "\(listed.fetches) of \($0)" } ?? "\(listed.fetches)"
    }
}

/// An attachment of a message, for scripts.
struct AttachmentJSON: Encodable {
    let number: Int
    let name: String
    let mediaType: String
    let size: UInt64
    let sha256: String
    let description: String?
    /// Nil: there is nothing to fetch.
    let guid: String?
    let removedBy: String?
    let from: Address
    let messageID: MessageID

    init(_ attachment: ReceivedAttachment) {
        let reference = attachment.reference
        number = attachment.number
        name = reference.name
        mediaType = reference.mediaType
        size = reference.size
        sha256 = MailText.hex(reference.digest)
        description = reference.description
        guid = attachment.guid
        removedBy = attachment.removedBy
        from = attachment.from
        messageID = attachment.messageID
    }
}
