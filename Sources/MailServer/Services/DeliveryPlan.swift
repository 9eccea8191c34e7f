import Identity
import MailModel
import MailStore

/// Which recipients share a Postmark: the visible ones of each destination together, each Bcc recipient alone, so that
/// no Postmark tells one recipient of a blind copy to another (design §4).
struct DeliveryPlan: Sendable {
    struct Group: Sendable {
        let domain: MailDomain
        let recipients: [Address]
    }

    /// Octets that a Postmark takes at most in the quota's estimate.
    static let postmarkSize = 2_048

    let groups: [Group]
    let local: [Address]
    let remote: [Address]

    init(request: SendOperation.Request, home: MailDomain) {
        let message = request.message.message
        var seen: Set<Address> = []
        var domains: [MailDomain] = []
        var visible: [MailDomain: [Address]] = [:]
        for address in (message.to + message.cc).map(\.address) where seen.insert(address).inserted {
            if visible[address.domain] == nil { domains.append(address.domain) }
            visible[address.domain, default: []].append(address)
        }
        var groups = domains.map { Group(domain: $0, recipients: visible[$0] ?? []) }
        for address in request.bcc where seen.insert(address).inserted {
            groups.append(Group(domain: address.domain, recipients: [address]))
        }
        self.groups = groups
        local = groups.flatMap { $0.domain == home ? $0.recipients : [] }
        remote = groups.flatMap { $0.domain == home ? [] : $0.recipients }
    }
}

/// The store's verdicts sorted into what is done about each recipient.
struct RecipientVerdicts: Sendable {
    private(set) var open: Set<Address> = []
    private(set) var repeated: [Address] = []
    private(set) var refusals: [Refusal] = []
    private var order: [(Address, RecipientVerdict)] = []

    init(_ recipients: [Address], _ examination: IntentExamination) {
        for recipient in recipients {
            let verdict = examination.verdicts[recipient] ?? .unknown
            order.append((recipient, verdict))
            switch verdict {
            case .deliverable: open.insert(recipient)
            case .handled: repeated.append(recipient)
            case .unknown:
                refusals.append(Refusal(recipient: recipient, reason: "there is no such mailbox", isTemporary: false))
            case .disabled:
                refusals.append(Refusal(recipient: recipient, reason: "the mailbox is disabled", isTemporary: false))
            case .overQuota:
                refusals.append(Refusal(recipient: recipient, reason: "the mailbox is full", isTemporary: true))
            }
        }
    }

    /// What the Receipt says of each recipient.
    /// - Parameter home: local recipients are delivered by the same commit; others are only queued by it.
    func statuses(home: MailDomain) -> [MailModel.RecipientStatus] {
        order.map { recipient, verdict in
            switch verdict {
            case .deliverable:
                MailModel.RecipientStatus(recipient, recipient.domain == home ? .delivered : .accepted)
            case .unknown:
                MailModel.RecipientStatus(
                    recipient, .refused, code: "UnknownRecipient", reason: "there is no such mailbox")
            case .disabled:
                MailModel.RecipientStatus(recipient, .refused, code: "Forbidden", reason: "the mailbox is disabled")
            case .overQuota:
                MailModel.RecipientStatus(recipient, .refused, code: "QuotaExceeded", reason: "the mailbox is full")
            case .handled(let state):
                MailModel.RecipientStatus(recipient, .init(state, isLocal: recipient.domain == home))
            }
        }
    }
}

extension MailModel.RecipientStatus.State {
    /// What an earlier acceptance of the same message came to, in a Receipt's words.
    init(_ state: RecipientState, isLocal: Bool) {
        switch state {
        case .queued, .accepted: self = isLocal ? .delivered : .accepted
        case .delivered: self = .delivered
        case .refused, .bounced, .expired: self = .refused
        case .unknown: self = .unknown
        }
    }
}

extension MessageRecord {
    init(_ sealed: SealedMessage) {
        let message = sealed.message
        var traits: MessageTraits = []
        if !message.forms.isEmpty { traits.insert(.form) }
        if message.constraints.contains(.instant) { traits.insert(.instant) }
        if message.constraints.contains(.encrypted) { traits.insert(.encrypted) }
        if !message.attachments.isEmpty { traits.insert(.attachments) }
        if message.bounce != nil { traits.insert(.bounce) }
        self.init(
            id: message.id.description, digest: sealed.digest, octets: sealed.octets,
            summary: MessageSummary(
                from: message.from.address.description, to: message.to.map(\.address.description),
                cc: message.cc.map(\.address.description), subject: message.subject, date: message.date,
                inReplyTo: message.inReplyTo?.description, traits: traits))
    }
}
