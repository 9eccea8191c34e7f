import Identity

extension OutgoingMessage {
    /// Recipients of one message.
    public static let recipientBounds = 1...20
    /// Characters of a subject.
    public static let subjectLength = 998
    /// Octets of a text.
    public static let textLength = 65_536

    /// Reads the argument of `send`. Throws ``PluginError`` `.invalid`, `.limitExceeded`.
    public init(frame octets: [UInt8]) throws(PluginError) {
        let reader = try FrameReader(octets, allowed: [.sender, .to, .subject, .text, .inReplyTo])
        let sender: Sender
        switch try reader.text(.sender) {
        case "principal": sender = .principal
        case "service": sender = .service
        default: throw PluginError(.invalid, "\"sender\" is principal or service")
        }
        self.init(
            sender: sender, to: try reader.addresses(.to), subject: try reader.text(.subject), text: try reader.text(.text),
            inReplyTo: try reader.optionalText(.inReplyTo))
        try check()
    }

    /// The argument of `send`.
    public var frame: [UInt8] {
        var frame = PluginFrame()
        frame.add(.sender, sender == .principal ? "principal" : "service")
        for address in to { frame.add(.to, address.description) }
        frame.add(.subject, subject)
        frame.add(.text, text)
        if let inReplyTo { frame.add(.inReplyTo, inReplyTo) }
        return frame.octets
    }

    /// Whether it can be sent. Throws ``PluginError`` `.limitExceeded` when something is too much, `.invalid` for characters
    /// that no message may hold and for an `inReplyTo` that is no message id.
    public func check() throws(PluginError) {
        guard Self.recipientBounds.contains(to.count) else {
            throw PluginError(.limitExceeded, "a message goes to 1 to \(Self.recipientBounds.upperBound) addresses")
        }
        // Unicode scalars, as the Message counts them: a letter with a thousand marks is one `Character`.
        guard subject.unicodeScalars.count <= Self.subjectLength else {
            throw PluginError(.limitExceeded, "a subject has at most \(Self.subjectLength) characters")
        }
        guard text.utf8.count <= Self.textLength else { throw PluginError(.limitExceeded, "a text has at most 64 KiB") }
        guard !subject.unicodeScalars.contains(where: VerdictRules.isControl) else {
            throw PluginError(.invalid, "a subject holds a control character")
        }
        // XML 1.0 §2.2: tab, line feed and carriage return are the only controls that text can hold.
        let isForbidden = { (scalar: Unicode.Scalar) in
            scalar.value < 0x20 && !["\t", "\n", "\r"].contains(scalar) || scalar.value == 0xFFFE || scalar.value == 0xFFFF
        }
        guard !text.unicodeScalars.contains(where: isForbidden) else {
            throw PluginError(.invalid, "a text holds a control character")
        }
        if let inReplyTo {
            do { _ = try MessageID(inReplyTo) } catch { throw PluginError(.invalid, "\"inReplyTo\" is no message id") }
        }
    }
}
