import Identity
import PluginAPI

/// What the sending processors have made of a submission so far.
struct SendingChain: Sendable {
    /// Addresses that one recipient can become over all plug-ins.
    static let targetsPerRecipient = 100

    enum Step: Sendable {
        case goOn(SendingChain)
        case refuse(reason: String, isTransient: Bool)
    }

    private let original: SubmissionEvent
    /// Whom each recipient goes to by now.
    private var targets: [Address: [Address]]
    private var dropped: [DroppedAttachment] = []
    private var kept: [KeptFile] = []

    init(_ event: SubmissionEvent) {
        original = event
        targets = Dictionary(event.recipients.map { ($0, [$0]) }, uniquingKeysWith: { first, _ in first })
    }

    /// The event as the next plug-in sees it: with the recipients and attachments that are left. The signed octets stay.
    var current: SubmissionEvent {
        let recipients = Self.unique(original.recipients.flatMap { targets[$0] ?? [] })
        let gone = Set(dropped.map(\.digest))
        let full = original.message
        let message = MessageFacts(
            id: full.id, from: full.from, to: full.to, cc: full.cc, date: full.date, inReplyTo: full.inReplyTo,
            replaces: full.replaces, size: full.size, isAutomatic: full.isAutomatic, hasForm: full.hasForm,
            attachments: full.attachments.filter { !gone.contains($0.digest) }, content: full.content, octets: full.octets)
        return SubmissionEvent(
            message: message, recipients: recipients, identity: original.identity, files: original.files.subtracting(gone),
            options: original.options)
    }

    var outcome: SendingOutcome {
        .accepted(recipients: targets.filter { $0.value != [$0.key] }, dropped: dropped, kept: kept)
    }

    /// - Throws: ``PluginError`` `.invalid` when it replaces somebody who is no recipient, `.limitExceeded`.
    func applying(_ verdict: SendingVerdict, by plugin: PluginIdentifier) throws(PluginError) -> Step {
        var next = self
        switch verdict {
        case .proceed: break
        case .refuse(let reason, let isTransient): return .refuse(reason: reason, isTransient: isTransient)
        case .dropAttachments(let digests):
            // Digests that the message does not have, or not any more, say nothing.
            if let file = kept.first(where: { digests.contains($0.digest) }) {
                // Who fetches it would get it all the same.
                throw PluginError(.invalid, "it takes out a file that \(file.plugin) keeps: let it run before that")
            }
            var seen: Set<[UInt8]> = []
            for attachment in current.message.attachments
            where digests.contains(attachment.digest) && seen.insert(attachment.digest).inserted {
                next.dropped.append(DroppedAttachment(digest: attachment.digest, plugin: plugin))
            }
        case .keep(let guids): try next.keep(guids, by: plugin)
        case .redirect(let replacements): try next.replace(replacements)
        }
        return .goOn(next)
    }

    private mutating func keep(_ guids: [[UInt8]: String], by plugin: PluginIdentifier) throws(PluginError) {
        let event = current
        let here = event.files.intersection(event.message.attachments.map(\.digest))
        for (digest, guid) in guids.sorted(by: { $0.value < $1.value }) {
            guard here.contains(digest) else { throw PluginError(.invalid, "it keeps a file that is not here") }
            guard !kept.contains(where: { $0.digest == digest || $0.guid == guid }) else {
                throw PluginError(.invalid, "it keeps a file that is kept already, or names it as another")
            }
            kept.append(KeptFile(digest: digest, guid: guid, plugin: plugin))
        }
    }

    private mutating func replace(_ replacements: [Address: [Address]]) throws(PluginError) {
        let recipients = Set(current.recipients)
        if let stranger = replacements.keys.sorted().first(where: { !recipients.contains($0) }) {
            throw PluginError(.invalid, "it replaces \(stranger), which is no recipient")
        }
        for (recipient, addresses) in targets {
            let replaced = Self.unique(addresses.flatMap { replacements[$0] ?? [$0] })
            guard replaced.count <= Self.targetsPerRecipient else {
                throw PluginError(.limitExceeded, "\(recipient) would go to more than \(Self.targetsPerRecipient) addresses")
            }
            targets[recipient] = replaced
        }
    }

    private static func unique(_ addresses: [Address]) -> [Address] {
        var seen: Set<Address> = []
        return addresses.filter { seen.insert($0).inserted }
    }
}
