import XMLCore

/// Writes an envelope front to back. Parts that will be signed are self-contained, so the bytes written are the
/// bytes to hash: nothing is canonicalised again. The signature is inserted last, at the end of `wsse:Security`.
public struct OutgoingEnvelope: Sendable {
    /// A part to be signed: its id and where it stands in `bytes`.
    public struct Part: Sendable {
        public let id: String
        public let range: Range<Int>

        public init(id: String, range: Range<Int>) {
            self.id = id
            self.range = range
        }
    }

    public private(set) var parts: [Part] = []
    private var writer: XMLWriter
    private var signatureOffset: Int?
    private var isHeaderOpen = true

    public init(reserving: Int = 4096) {
        writer = XMLWriter(reserving: reserving)
        writer.start(Tags.envelope)
        writer.start(Tags.header)
    }

    /// What has been written so far.
    public var bytes: [UInt8] { writer.bytes }

    /// A header with text; with an id it becomes a part to sign.
    public mutating func header(_ tag: XMLTag, _ text: String, id: String?) {
        writer.start(tag, selfContained: id != nil)
        if let id { writer.attribute(Tags.wsuId, id) }
        writer.text(text)
        let range = writer.end()
        if let id { parts.append(Part(id: id, range: range)) }
    }

    /// A header written by the caller; it is not signed.
    public mutating func header(_ write: (inout XMLWriter) -> Void) {
        write(&writer)
    }

    /// `wsse:Security`. The closure writes the tokens and may add parts; the signature goes behind them.
    public mutating func security(_ write: (inout XMLWriter, inout [Part]) -> Void) {
        writer.start(Tags.security)
        writer.attribute(Tags.mustUnderstand, "1")
        write(&writer, &parts)
        // `</o:Security>`: the signature belongs directly before the end tag.
        let range = writer.end()
        signatureOffset = range.upperBound - "</o:Security>".utf8.count
    }

    /// The Body, after all headers. `isFault` binds prefix `w` on it, see `SOAPFault.write`.
    public mutating func body(
        id: String?, isFault: Bool = false, _ write: (inout XMLWriter) throws -> Void
    ) rethrows {
        closeHeader()
        writer.start(Tags.body, selfContained: id != nil)
        if let id { writer.attribute(Tags.wsuId, id) }
        if isFault { writer.attribute(Tags.faultAttribute, "1") }
        try write(&writer)
        let range = writer.end()
        if let id { parts.append(Part(id: id, range: range)) }
    }

    /// Ends the envelope and inserts the signature. Call once, after `body`.
    public mutating func finish(signature: [UInt8]?) -> [UInt8] {
        closeHeader()
        _ = writer.end()
        if let signature, let signatureOffset { writer.insert(signature, at: signatureOffset) }
        return writer.bytes
    }

    private mutating func closeHeader() {
        guard isHeaderOpen else { return }
        isHeaderOpen = false
        _ = writer.end()
    }
}
