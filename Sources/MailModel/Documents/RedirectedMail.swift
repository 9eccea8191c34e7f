import XMLCore

/// A message that the server of a recipient passed on, whole, with the Postmark that brought it there (docs/protocol.md §2.5).
///
/// It travels as a Form of a new message From the address that passes it on. Both documents are base64: each stays a document
/// and an id scope of its own, and its octets stay as they were signed.
public struct RedirectedMail: Sendable {
    /// `Form/@type` and `@version`.
    public static let formType = "urn:wsemail:2:redirected"
    public static let formVersion = "1"
    /// How often a message may have been passed on.
    public static let maxDepth = 10

    public let message: SealedMessage
    /// As it brought the message to the address that passed it on. Not believed yet: `SealedPostmark.verify`.
    public let postmark: SealedPostmark

    public init(message: SealedMessage, postmark: SealedPostmark) {
        self.message = message
        self.postmark = postmark
    }

    /// What a message carries that passes this one on.
    /// - Throws: `limitExceeded` when the message was passed on too often.
    public func form() throws(MailModelError) -> Form {
        try checkDepth()
        var writer = XMLWriter(reserving: 256 + (message.octets.count + postmark.octets.count) * 4 / 3)
        writer.start(MailXML.document("Redirected"), selfContained: true)
        Self.write("MessageOctets", message.octets, into: &writer)
        Self.write("PostmarkOctets", postmark.octets, into: &writer)
        writer.end()
        return Form(type: Self.formType, version: Self.formVersion, content: writer.bytes)
    }

    /// Reads what `form()` wrote. Nothing in it is believed by that.
    /// - Throws: `malformed`, also where the Postmark is about another message; `limitExceeded` when it was passed on too often.
    public init(form: Form) throws(MailModelError) {
        try self.init(outermost: form)
        try checkDepth()
    }

    /// The message that `message` passes on; nil where it passes none on.
    /// - Throws: what `init(form:)` throws; `malformed` for more than one, which would leave open what was passed on.
    public static func find(in message: Message) throws(MailModelError) -> RedirectedMail? {
        try chain(in: message).first
    }

    /// All that was passed on, the outermost first; the last is the original. Empty where `message` passes nothing on.
    /// - Throws: what `find(in:)` throws.
    public static func chain(in message: Message) throws(MailModelError) -> [RedirectedMail] {
        guard let first = try outermost(in: message) else { return [] }
        var chain = [first]
        // Whoever wrote the original may have put anything in it: what no server passed on is its content.
        while let last = chain.last, last.postmark.postmark.method == .plugin, let next = try? outermost(in: last.message.message) {
            guard chain.count < maxDepth else {
                throw MailModelError(.limitExceeded, "the message was passed on more than \(maxDepth) times")
            }
            chain.append(next)
        }
        return chain
    }

    private func checkDepth() throws(MailModelError) {
        let isPassedOn = postmark.postmark.method == .plugin && (try? Self.outermost(in: message.message)) != nil
        let inside = isPassedOn ? try Self.chain(in: message.message).count : 0
        guard inside < Self.maxDepth else {
            throw MailModelError(.limitExceeded, "the message was passed on more than \(Self.maxDepth) times")
        }
    }

    private static func outermost(in message: Message) throws(MailModelError) -> RedirectedMail? {
        let forms = message.forms.filter { $0.type == formType }
        guard let form = forms.first else { return nil }
        guard forms.count == 1 else { throw MailModelError(.malformed, "a message passes on one message at most") }
        return try RedirectedMail(outermost: form)
    }

    private init(outermost form: Form) throws(MailModelError) {
        guard form.type == Self.formType, form.version == Self.formVersion else {
            throw MailModelError(.malformed, "it is no Form of type \(Self.formType), version \(Self.formVersion)")
        }
        let document = try mailModel { () throws(XMLError) in try XMLDocument.parse(form.content) }
        let root = document.root
        guard root.isNamed(MailXML.name("Redirected")) else {
            throw MailModelError(.malformed, "expected Redirected, found \(root.localName)")
        }
        try root.allowOnly(["MessageOctets", "PostmarkOctets"])
        try root.allowOnlyElements()
        message = try SealedMessage(octets: Self.read("MessageOctets", in: root))
        postmark = try SealedPostmark(octets: Self.read("PostmarkOctets", in: root))
        guard postmark.postmark.messageID == message.message.id, postmark.postmark.digest == message.digest else {
            throw MailModelError(.malformed, "the Postmark inside is about another message")
        }
    }

    private static func write(_ name: String, _ octets: [UInt8], into writer: inout XMLWriter) {
        writer.start(MailXML.document(name))
        writer.base64(octets)
        writer.end()
    }

    private static func read(_ name: String, in root: XMLElement) throws(MailModelError) -> [UInt8] {
        try mailModel { () throws(XMLError) in
            try root.only(MailXML.name(name)).base64Bytes(limit: XMLLimits.standard.maxBytes)
        }
    }
}
