import Foundation
import Identity
import MailModel
import PluginAPI
import PluginHost
import XMLSecurity

/// The core of a submission: the message is read, a Postmark and a Receipt are signed. With `empty`, what the server does for
/// plug-ins is done as well, though there are none.
struct SubmissionWork {
    enum Mode: String { case none, empty }

    let mode: Mode
    private let sample: BenchMail

    init(mode: Mode) throws {
        self.mode = mode
        sample = try BenchMail()
    }

    func run(_ count: Int) throws {
        let host = mode == .empty ? try BenchHost.empty(domain: sample.domain) : nil
        for _ in 0..<count {
            let message = try SealedMessage(octets: sample.octets)
            var checks = 0
            if let host {
                let pipeline = host.pipeline
                let run = PluginRun(principal: sample.author, now: sample.now)
                if pipeline.hasSending { checks += 1 }
                if pipeline.hasResolvers { checks += 1 }
                if pipeline.hasDelivery { checks += 1 }
                checks += run.checks.count + run.writes.count + run.messages.count
            }
            precondition(checks == 0)
            let octets = try sample.postmark(for: message) + sample.receipt(for: message)
            precondition(!octets.isEmpty)
        }
    }
}

/// A 1 KB message and the keys of its domain.
struct BenchMail {
    let domain: MailDomain
    let author: Address
    let recipient: Address
    let signer: DomainSigner
    let octets: [UInt8]
    let now = Date(timeIntervalSince1970: 1_800_000_000)

    init() throws {
        domain = try MailDomain("capicom.test")
        author = try Address("alice@capicom.test")
        recipient = try Address("bob@scopio.test")
        let authority = try DomainAuthority.create(domain: domain, now: now)
        let key = SigningKey.generateP256()
        signer = DomainSigner(
            domain: domain, key: key,
            certificate: try authority.issueServerCertificate(publicKey: key.publicKey, now: now))
        octets = try SealedMessage(
            Message(
                id: .random(), from: Mailbox(author), to: [Mailbox(recipient)], subject: "Benchmark", date: now,
                text: String(repeating: "All work and no play. ", count: 46))
        ).octets
    }

    func postmark(for message: SealedMessage) throws -> [UInt8] {
        try Postmark(
            message: message, signer: signer, destination: recipient.domain, recipients: [recipient], sender: author,
            method: .password, time: now
        ).sealed(by: signer)
    }

    func receipt(for message: SealedMessage) throws -> [UInt8] {
        try Receipt(
            messageID: message.message.id, digest: message.digest, postmarkDigest: nil, signer: signer, audience: domain,
            recipients: [RecipientStatus(recipient, .accepted)], time: now
        ).sealed(by: signer)
    }

    func facts() throws -> MessageFacts {
        let message = try SealedMessage(octets: octets).message
        return MessageFacts(
            id: message.id.description, from: author, to: [recipient], cc: [], date: now, inReplyTo: nil, size: octets.count,
            isAutomatic: false, hasForm: false, attachments: [],
            content: .init(subject: message.subject, text: message.text, html: nil), octets: octets)
    }
}
