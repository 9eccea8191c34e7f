import Foundation
import Identity
import MailModel

/// What is asked of the servers about attachments: of the home server in the session, of others by token.
extension MailClient {
    func requireNetwork() throws(MailClientError) -> any AttachmentNetwork {
        guard let network else { throw MailClientError(.internal, "there is no way to transfer files") }
        return network
    }

    /// Asks the attachment plug-in of the home server.
    func atHome<Answer: AttachmentElement>(
        _ call: AttachmentCall, _ type: Answer.Type
    ) async throws(MailClientError) -> Answer {
        let octets: [UInt8]
        do throws(MailClientError) {
            octets = try await callExtension(AttachmentsXML.namespace, call.octets())
        } catch  where error.fault == "UnknownExtension" {
            throw MailClientError(
                .refused, "your server has no plug-in for attachments", advice: "Ask your domain's administrator for it.",
                fault: error.fault)
        }
        return try Self.read(octets, type)
    }

    static func read<Answer: AttachmentElement>(_ octets: [UInt8], _ type: Answer.Type) throws(MailClientError) -> Answer {
        do { return try Answer(octets: octets) } catch {
            throw MailClientError(.untrustedServer, "the server's answer cannot be read: \(error.reason)")
        }
    }

    /// Asks the server that keeps an attachment.
    /// - Parameter owner: who sent it, and can help where it is not to be had.
    func ask<Answer: AttachmentElement>(
        _ domain: MailDomain, _ call: AttachmentCall, about guid: String, of owner: Address, _ type: Answer.Type
    ) async throws(MailClientError) -> Answer {
        do throws(MailClientError) {
            guard domain != account.address.domain else {
                let answer = try await atHome(call, type)
                return answer
            }
            let octets = try await callAbroad(domain, call, about: guid)
            return try Self.read(octets, type)
        } catch  where Self.helped.contains(error.reason) && error.advice == nil && owner != account.address {
            throw MailClientError(
                error.code, error.reason, advice: "Ask \(owner) for it.", fault: error.fault, isTransient: error.isTransient)
        }
    }

    private static let helped: Set<String> = [AttachmentsXML.refusal, AttachmentsXML.expired, AttachmentsXML.exhausted]

    // MARK: Those who read

    /// What the keeper says of an attachment, without fetching it: checked against the message.
    public func describe(_ attachment: ReceivedAttachment) async throws(MailClientError) -> AttachmentAnswer.Describe {
        let (domain, guid) = try attachment.origin()
        let answer = try await ask(domain, .describe(.init(guid: guid)), about: guid, of: attachment.from, AttachmentAnswer.Describe.self)
        try check(answer.facts, guid: guid, attachment)
        return answer
    }

    /// Asks that others may fetch it too.
    public func share(
        _ attachment: ReceivedAttachment, with readers: [Address]
    ) async throws(MailClientError) -> AttachmentAnswer.Share {
        let (domain, guid) = try attachment.origin()
        return try await ask(
            domain, .share(.init(guid: guid, readers: readers)), about: guid, of: attachment.from, AttachmentAnswer.Share.self)
    }

    /// The answer must be about this very attachment, and for us: its signature alone does not say so.
    func check(
        _ facts: AttachmentAnswer.Facts, guid: String, _ attachment: ReceivedAttachment
    ) throws(MailClientError) {
        let reference = attachment.reference
        let isRight =
            facts.guid == guid && facts.from == attachment.from && facts.to == account.address
            && facts.digest == reference.digest && facts.size == reference.size
        guard isRight else {  // model: respsig
            throw MailClientError(
                .untrustedServer, "the server of \(attachment.from.domain) answered about another attachment, or for somebody else",
                advice: "Nothing was fetched. Tell the domain's operator.")
        }
    }

    // MARK: Those who sent

    /// Attachments that we sent, all or those of one message.
    public func sentAttachments(of id: MessageID? = nil) async throws(MailClientError) -> [AttachmentAnswer.Listed] {
        var found: [AttachmentAnswer.Listed] = []
        var last: String?
        // A server that never ends must not fill our memory.
        while found.count < 100_000 {
            let page = try await atHome(
                .list(.init(messageID: id, after: last, limit: AttachmentsXML.maxPage)), AttachmentAnswer.List.self)
            found += page.attachments
            guard page.more, let next = page.attachments.last?.guid, next != last else { break }
            last = next
        }
        return found
    }

    /// What happened to an attachment of ours.
    public func log(of guid: String) async throws(MailClientError) -> [AttachmentAnswer.Event] {
        try await atHome(.log(.init(guid: guid)), AttachmentAnswer.Log.self).events
    }

    /// Takes an attachment back.
    /// - Parameter readers: none: from all, for good.
    /// - Returns: how many could read it before and cannot any more.
    public func revoke(_ guid: String, from readers: [Address] = []) async throws(MailClientError) -> Int {
        try await atHome(.revoke(.init(guid: guid, readers: readers)), AttachmentAnswer.Revoke.self).count
    }

    /// Decides whether a reader may pass an attachment of ours on.
    public func answer(_ guid: String, request: String, grant: Bool) async throws(MailClientError) {
        guard AttachmentsXML.isGUID(guid), AttachmentsXML.isGUID(request) else {
            throw MailClientError(
                .invalidInput, "an attachment and a request are named by 32 hexadecimal digits each",
                advice: "The message that asked you names both.")
        }
        _ = try await atHome(
            .answer(.init(guid: guid, request: request, grant: grant)), AttachmentAnswer.Answer.self)
    }

    /// A new version of a file in a message of ours, for the same recipients.
    /// - Parameters:
    ///   - copy: the sent message, with its receipt (that knows the blind copies).
    ///   - name: the file's name in it, or its number.
    public func replacement(
        for copy: ReceivedMessage, name: String, by file: String, terms: AttachmentTerms = AttachmentTerms()
    ) throws(MailClientError) -> Draft {
        let message = copy.message.message
        guard message.from.address == account.address else {
            throw MailClientError(.invalidInput, "only files of messages that you sent can be replaced")
        }
        let old = try Self.file(name, of: message)
        var draft = Draft(
            to: message.to, cc: message.cc, bcc: copy.blindCopies, subject: message.subject,
            text: "A new version of \(old.name).\n", isSigned: account.identity != nil)
        draft.replaces = message.id
        draft.files = [DraftFile(file, name: old.name, mediaType: old.mediaType, description: old.description)]
        draft.terms = terms
        return draft
    }

    /// The one file of a message that a person means: a name goes before a number.
    private static func file(_ text: String, of message: Message) throws(MailClientError) -> AttachmentReference {
        let named = message.attachments.filter { $0.name == text }
        guard named.count < 2 else {
            throw MailClientError(
                .invalidInput, "that message has \(named.count) files \(text)",
                advice: "Name it by its number: `wsemail attachments list` shows them.")
        }
        if let only = named.first { return only }
        guard let number = Int(text), message.attachments.indices.contains(number - 1) else {
            throw MailClientError(.invalidInput, "there is no file \(text) in that message")
        }
        return message.attachments[number - 1]
    }
}
