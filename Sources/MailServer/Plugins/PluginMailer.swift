import Foundation
import Identity
import MailModel
import MailStore
import PluginAPI
import PluginHost

/// Writes the messages that plug-ins cause: those they send themselves, and those they pass on to others.
///
/// All are signed by this domain, say in their Postmark that a plug-in wrote them, and count one hop more than what caused
/// them, so that two machines that answer each other come to an end.
struct PluginMailer: Sendable {
    let signer: DomainSigner
    let configuration: ServerConfiguration

    var home: MailDomain { configuration.domain }

    /// Why something cannot be passed on.
    enum Obstacle: Error, Sendable, Hashable {
        case hops
        case size
    }

    /// The address of plug-ins that act for nobody.
    static func service(of domain: MailDomain) throws -> Address { try Address(local: "plugins", domain: domain) }

    /// What a run of plug-ins read, wrote and sent.
    /// - Parameter hops: of the message that caused it; 0 if none did.
    func effects(of run: PluginRun, hops: Int, now: Date) throws -> PluginEffects {
        PluginEffects(checks: run.checks, writes: run.writes, messages: try acceptances(of: run.messages, hops: hops, now: now))
    }

    private func acceptances(of messages: [PluginMessage], hops: Int, now: Date) throws -> [Acceptance] {
        // What was answered by machines all the way is not answered once more.
        guard hops < configuration.maxHops else { return [] }
        return try messages.map { sent in
            let outgoing = sent.message
            var author = try PluginMailer.service(of: home)
            if outgoing.sender == .principal, let principal = sent.principal, principal.domain == home { author = principal }
            var message = Message(
                id: .random(), from: Mailbox(author), to: outgoing.to.map { Mailbox($0) }, subject: outgoing.subject, date: now,
                text: outgoing.text)
            message.inReplyTo = try outgoing.inReplyTo.map { try MessageID($0) }
            let sealed = try SealedMessage(message)
            return try acceptance(
                of: sealed, author: author, groups: Dictionary(grouping: outgoing.to, by: \.domain).map(\.value), hops: hops + 1,
                now: now)
        }
    }

    /// Why a message cannot be passed on, before it is written.
    /// - Parameter size: octets of the message and its Postmark, which travel as base64 inside.
    func obstacle(size: Int, hops: Int) -> Obstacle? {
        if hops >= configuration.maxHops { return .hops }
        return size / 3 * 4 + PluginMailer.envelopeSize > configuration.maxMessageBytes ? .size : nil
    }

    /// Addresses that have passed a message on, as it says itself. They are no targets any more: where one address stands for
    /// several, a circle would not only go on until its hops are used up, but grow with every round.
    /// - Parameter method: of the message's Postmark: in one that no server passed on, an author may have enclosed anything.
    static func redirectors(of message: Message, method: Postmark.AuthenticationMethod) -> Set<Address> {
        guard method == .plugin, let chain = try? RedirectedMail.chain(in: message), !chain.isEmpty else { return [] }
        return Set(chain.dropLast().map(\.message.message.from.address) + [message.from.address])
    }

    /// Octets of a message that passes another on, beside that one.
    private static let envelopeSize = 8_192

    /// Passes a message on: a new message to each target, with the original and its proof inside. Its To names the address
    /// that passes it on, so that targets do not learn of each other.
    func redirect(
        _ original: SealedMessage, _ postmark: SealedPostmark, by redirector: Address, to targets: [Address], now: Date
    ) throws -> Acceptance {
        let hops = postmark.postmark.hops
        if let obstacle = obstacle(size: original.octets.count + postmark.octets.count, hops: hops) { throw obstacle }
        let redirectors = PluginMailer.redirectors(of: original.message, method: postmark.postmark.method)
        let targets = targets.filter { !redirectors.contains($0) }
        guard !targets.isEmpty else { throw Obstacle.hops }
        var message = Message(
            id: .random(), from: Mailbox(redirector), to: [Mailbox(redirector)], subject: original.message.subject, date: now,
            text: "\(redirector) passes on a message from \(original.message.from.address). It is enclosed, with its proof.")
        message.inReplyTo = original.message.id
        message.forms = [try RedirectedMail(message: original, postmark: postmark).form()]
        let sealed = try SealedMessage(message)
        var seen: Set<Address> = []
        let groups = targets.filter { seen.insert($0).inserted }.map { [$0] }
        return try acceptance(of: sealed, author: redirector, groups: groups, hops: hops + 1, now: now)
    }

    /// - Parameter groups: recipients that share a Postmark, each of one domain.
    private func acceptance(
        of sealed: SealedMessage, author: Address, groups: [[Address]], hops: Int, now: Date
    ) throws -> Acceptance {
        var acceptance = Acceptance(origin: .server, message: MessageRecord(sealed), receipt: [])
        let expires = now.addingTimeInterval(Double(configuration.queueDays) * 86_400)
        for recipients in groups.sorted(by: { $0.lexicographicallyPrecedes($1) }) {
            guard let destination = recipients.first?.domain else { continue }
            let postmark = try Postmark(
                message: sealed, signer: signer, destination: destination, recipients: recipients, sender: author, method: .plugin,
                time: now, hops: hops
            ).sealed(by: signer)
            if destination != home {
                acceptance.remote.append(
                    RemoteDelivery(destination: destination, recipients: recipients, postmark: postmark, expires: expires))
            } else {
                // Always in a transaction of its own: whether the recipient has a mailbox, an alias or nothing is judged there.
                acceptance.remote += recipients.map {
                    RemoteDelivery(destination: home, recipients: [$0], postmark: postmark, expires: expires)
                }
            }
        }
        return acceptance
    }
}
