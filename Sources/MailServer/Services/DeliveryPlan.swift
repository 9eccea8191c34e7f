import Identity
import MailModel
import MailStore
import SOAP

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

    /// - Parameter replaced: recipients that a plug-in redirects, with whom it goes to instead.
    init(request: SendOperation.Request, home: MailDomain, replaced: [Address: [Address]] = [:]) {
        let message = request.message.message
        var seen: Set<Address> = []
        var domains: [MailDomain] = []
        var visible: [MailDomain: [Address]] = [:]
        for address in (message.to + message.cc).map(\.address) where replaced[address] == nil && seen.insert(address).inserted {
            if visible[address.domain] == nil { domains.append(address.domain) }
            visible[address.domain, default: []].append(address)
        }
        var groups = domains.map { Group(domain: $0, recipients: visible[$0] ?? []) }
        // Those whom a plug-in put in are nobody's business either.
        let targets = replaced.sorted { $0.key < $1.key }.flatMap(\.value)
        for address in request.bcc.filter({ replaced[$0] == nil }) + targets where seen.insert(address).inserted {
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
    /// Recipients dealt with by passing the message on.
    private(set) var settled: [RecipientOutcome] = []
    private var order: [(Address, RecipientVerdict)] = []
    private let routing: LocalRouting

    init(_ recipients: [Address], _ examination: IntentExamination, _ routing: LocalRouting) {
        self.routing = routing
        for recipient in recipients {
            let verdict = examination.verdicts[recipient] ?? .unknown
            order.append((recipient, verdict))
            switch verdict {
            case .deliverable: open.insert(recipient)
            case .handled: repeated.append(recipient)
            case .unknown where isPassedOn(recipient):
                open.insert(recipient)
                settled.append(RecipientOutcome(recipient: recipient, state: .accepted, reason: "passed on by a plug-in"))
            case .unknown, .disabled, .overQuota:
                let (_, reason, isTemporary) = Self.refusal(verdict, of: recipient, routing)
                refusals.append(Refusal(recipient: recipient, reason: reason, isTemporary: isTemporary))
            }
        }
    }

    private func isPassedOn(_ recipient: Address) -> Bool { routing.aliases[recipient] != nil && routing.obstacle == nil }

    private static func refusal(
        _ verdict: RecipientVerdict, of recipient: Address, _ routing: LocalRouting
    ) -> (code: FaultSubcode, reason: String, isTemporary: Bool) {
        switch verdict {
        case .disabled: return (.forbidden, "the mailbox is disabled", false)
        case .overQuota: return (.quotaExceeded, "the mailbox is full", true)
        default: break
        }
        if routing.unavailable[recipient] != nil {
            return (.pluginUnavailable, "whose address this is cannot be said now; try again later", true)
        }
        if routing.aliases[recipient] != nil, let obstacle = routing.obstacle {
            return (obstacle == .hops ? .loop : .tooLarge, obstacle.reason, false)
        }
        if routing.circles.contains(recipient) { return (.loop, PluginMailer.Obstacle.hops.reason, false) }
        return (.unknownRecipient, "there is no such mailbox", false)
    }

    /// The fault for a message that nobody can get.
    var fault: SOAPFault? {
        guard open.isEmpty, repeated.isEmpty, let first = refusals.first else { return nil }
        let verdict = order.first { $0.0 == first.recipient }?.1 ?? .unknown
        let code = Self.refusal(verdict, of: first.recipient, routing).code
        return SOAPFault(code == .forbidden ? .unknownRecipient : code, "\(first.recipient): \(first.reason)")
    }

    /// What the Receipt says of each recipient: those delivered by the same commit are "delivered", others are queued by it.
    func statuses() -> [MailModel.RecipientStatus] {
        order.map { recipient, verdict in
            switch verdict {
            case .deliverable:
                return MailModel.RecipientStatus(
                    recipient, recipient.domain == routing.home && !routing.waits ? .delivered : .accepted)
            case .handled(let state): return MailModel.RecipientStatus(recipient, .init(state))
            case .unknown where isPassedOn(recipient): return MailModel.RecipientStatus(recipient, .accepted)
            case .unknown, .disabled, .overQuota:
                let (code, reason, _) = Self.refusal(verdict, of: recipient, routing)
                return MailModel.RecipientStatus(recipient, .refused, code: code.rawValue, reason: reason)
            }
        }
    }
}

extension MailModel.RecipientStatus.State {
    /// What an earlier acceptance of the same message came to, in a Receipt's words.
    init(_ state: RecipientState) {
        switch state {
        case .queued, .accepted: self = .accepted
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
