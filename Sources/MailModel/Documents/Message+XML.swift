import Foundation
import Identity
import SOAP
import XMLCore
import XMLSecurity

extension Message {
    /// The id of the root of a message that carries its author's signature.
    static let signatureID = "m"

    /// Writes the message as a document of its own: self-contained exclusive canonical form.
    /// - Parameter signed: gives the root the id that an author's enveloped signature refers to.
    /// - Throws: when a form's content is not XML.
    public func octets(signed: Bool = false) throws -> [UInt8] {
        var writer = XMLWriter(reserving: 1024 + text.utf8.count)
        writer.start(MailXML.document("Message"), selfContained: true)
        if signed { writer.attribute("Id", Message.signatureID) }
        writer.element(MailXML.document("Id"), id.description)
        write(from, as: "From", into: &writer)
        for mailbox in to { write(mailbox, as: "To", into: &writer) }
        for mailbox in cc { write(mailbox, as: "Cc", into: &writer) }
        writer.element(MailXML.document("Subject"), subject)
        writer.element(MailXML.document("Date"), DateTime.format(date))
        if let inReplyTo { writer.element(MailXML.document("InReplyTo"), inReplyTo.description) }
        if let replaces { writer.element(MailXML.document("Replaces"), replaces.description) }
        for constraint in constraints.sorted(by: { $0.rawValue < $1.rawValue }) {
            writer.element(MailXML.document("Constraint"), constraint.rawValue)
        }
        writer.start(MailXML.document("Body"))
        writer.element(MailXML.document("Text"), text)
        if let html { writer.element(MailXML.document("Html"), html) }
        writer.end()
        try writeExtras(into: &writer)
        writer.end()
        return writer.bytes
    }

    private func writeExtras(into writer: inout XMLWriter) throws {
        for attachment in attachments {
            writer.start(MailXML.document("Attachment"))
            if let description = attachment.description { writer.attribute("description", description) }
            writer.attribute("name", attachment.name)
            writer.attribute("sha256", Base64.encodeToString(attachment.digest))
            writer.attribute("size", String(attachment.size))
            writer.attribute("type", attachment.mediaType)
            writer.end()
        }
        for form in forms {
            writer.start(MailXML.document("Form"))
            if let locator = form.locator { writer.attribute("locator", locator) }
            writer.attribute("type", form.type)
            writer.attribute("version", form.version)
            try writer.embed(canonical: form.content)
            writer.end()
        }
        if let bounce {
            writer.start(MailXML.document("Bounce"))
            writer.element(MailXML.document("MessageId"), bounce.messageID.description)
            writer.element(MailXML.document("MessageDigest"), Base64.encodeToString(bounce.digest))
            for status in bounce.recipients { status.write(into: &writer) }
            writer.end()
        }
    }

    private func write(_ mailbox: Mailbox, as localName: String, into writer: inout XMLWriter) {
        writer.start(MailXML.document(localName))
        if let name = mailbox.name { writer.attribute("name", name) }
        writer.text(mailbox.address.description)
        writer.end()
    }
}

extension Message {
    private static let parts: Set<String> = [
        "Id", "From", "To", "Cc", "Subject", "Date", "InReplyTo", "Replaces", "Constraint", "Body", "Attachment", "Form",
        "Bounce",
    ]

    /// Reads a message from its element. Every child must be known: nothing is carried unseen.
    /// - Throws: `malformed`, `invalidValue`, `limitExceeded`.
    public init(parsing element: XMLElement, limits: MessageLimits = .standard) throws(MailModelError) {
        guard element.isNamed(MailXML.name("Message")) else {
            throw MailModelError(.malformed, "expected Message, found \(element.localName)")
        }
        try element.allowOnly(Message.parts, foreign: [Names.signature])
        try element.allowOnlyElements(attributes: ["Id"])
        self.init(
            id: try element.requiredMessageID("Id"),
            from: try Message.mailbox(mailModel { () throws(XMLError) in try element.only(MailXML.name("From")) }),
            to: try Message.mailboxes(element.all(MailXML.name("To"))),
            cc: try Message.mailboxes(element.all(MailXML.name("Cc"))),
            subject: try element.requiredText("Subject"),
            date: try Message.date(element.requiredText("Date")),
            text: "")
        try readBody(element)
        try readReferences(element)
        attachments = try Message.attachments(element, limit: limits.maxAttachments)
        forms = try Message.forms(element, limit: limits.maxForms)
        bounce = try Message.bounce(element)
        try check(limits)
    }

    private mutating func readBody(_ element: XMLElement) throws(MailModelError) {
        let body = try mailModel { () throws(XMLError) in try element.only(MailXML.name("Body")) }
        try body.allowOnly(["Text", "Html"])
        try body.allowOnlyElements()
        text = try body.requiredText("Text")
        html = try body.optionalText("Html")
    }

    private mutating func readReferences(_ element: XMLElement) throws(MailModelError) {
        if let value = try element.optionalText("InReplyTo") { inReplyTo = try parseMessageID(value) }
        if let value = try element.optionalText("Replaces") { replaces = try parseMessageID(value) }
        for child in element.all(MailXML.name("Constraint")) {
            let value = try mailModel { () throws(XMLError) in try child.simpleText() }
            guard let constraint = DeliveryConstraint(rawValue: value) else {
                throw MailModelError(.invalidValue, "unknown delivery constraint \"\(value.prefix(40))\"")
            }
            constraints.insert(constraint)
        }
    }

    private func check(_ limits: MessageLimits) throws(MailModelError) {
        guard to.count + cc.count <= limits.maxRecipients else {
            throw MailModelError(.limitExceeded, "more than \(limits.maxRecipients) recipients")
        }
        guard subject.unicodeScalars.count <= limits.maxSubject else {
            throw MailModelError(.limitExceeded, "the subject is longer than \(limits.maxSubject) characters")
        }
        guard !subject.contains(where: \.isNewline) else {
            throw MailModelError(.invalidValue, "the subject has a line break")
        }
    }

    private static func date(_ text: String) throws(MailModelError) -> Date {
        guard let date = DateTime.parse(text) else {
            throw MailModelError(.invalidValue, "\"\(text.prefix(40))\" is no dateTime")
        }
        return date
    }

    private static func mailbox(_ element: XMLElement) throws(MailModelError) -> Mailbox {
        try element.allowOnly(attributes: ["name"])
        let name = element.attribute("name")
        guard (name?.unicodeScalars.count ?? 0) <= 256 else {
            throw MailModelError(.limitExceeded, "a display name is longer than 256 characters")
        }
        let text = try mailModel { () throws(XMLError) in try element.simpleText() }
        return Mailbox(try parseAddress(text), name: name)
    }

    private static func mailboxes(_ elements: [XMLElement]) throws(MailModelError) -> [Mailbox] {
        var result: [Mailbox] = []
        for element in elements { result.append(try mailbox(element)) }
        return result
    }

    private static func attachments(_ element: XMLElement, limit: Int) throws(MailModelError) -> [AttachmentReference] {
        var result: [AttachmentReference] = []
        for child in element.all(MailXML.name("Attachment")) {
            guard let size = UInt64(try child.requiredAttribute("size")),
                let digest = Base64.decode(try child.requiredAttribute("sha256")), digest.count == 32
            else { throw MailModelError(.invalidValue, "an Attachment has no valid size or digest") }
            result.append(
                AttachmentReference(
                    name: try child.requiredAttribute("name"), mediaType: try child.requiredAttribute("type"), size: size,
                    digest: digest, description: child.attribute("description")))
        }
        guard result.count <= limit else { throw MailModelError(.limitExceeded, "more than \(limit) attachments") }
        return result
    }

    private static func forms(_ element: XMLElement, limit: Int) throws(MailModelError) -> [Form] {
        var result: [Form] = []
        for child in element.all(MailXML.name("Form")) {
            let content = Array(child.children)
            guard content.count == 1 else { throw MailModelError(.malformed, "a Form holds exactly one element") }
            result.append(
                Form(
                    type: try child.requiredAttribute("type"), version: try child.requiredAttribute("version"),
                    locator: child.attribute("locator"), content: content[0].canonicalBytes()))
        }
        guard result.count <= limit else { throw MailModelError(.limitExceeded, "more than \(limit) forms") }
        return result
    }

    private static func bounce(_ element: XMLElement) throws(MailModelError) -> BounceNotice? {
        guard let bounce = try mailModel({ () throws(XMLError) in try element.optional(MailXML.name("Bounce")) }) else {
            return nil
        }
        try bounce.allowOnly(["MessageId", "MessageDigest", "Recipient"])
        return BounceNotice(
            messageID: try bounce.requiredMessageID("MessageId"),
            digest: try bounce.requiredDigest("MessageDigest"),
            recipients: try RecipientStatus.parseAll(in: bounce))
    }
}
