import XMLCore

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// A SOAP 1.2 fault (SOAP 1.2 Part 1 §5.4) with a stable subcode and no internals.
///
/// `reason` goes over the wire: what the other side may know. What only the log may know travels apart
/// (`RequestRejection.logReason` of WSSecurity), tied by `detail.reference`.
public struct SOAPFault: Error, Sendable, Equatable {
    public enum Code: String, Sendable, CaseIterable {
        case sender = "Sender"
        case receiver = "Receiver"
        case mustUnderstand = "MustUnderstand"
        case versionMismatch = "VersionMismatch"
        case dataEncodingUnknown = "DataEncodingUnknown"
    }

    /// Machine-readable extras, all optional.
    public struct Detail: Sendable, Equatable {
        /// The server's clock, with `StaleTimestamp`.
        public var serverTime: Date?
        /// The lowest sequence number that will be accepted, with `StaleSequence`.
        public var next: UInt64?
        /// Correlation id under which the server logged the event.
        public var reference: String?

        public init(serverTime: Date? = nil, next: UInt64? = nil, reference: String? = nil) {
            self.serverTime = serverTime
            self.next = next
            self.reference = reference
        }
    }

    public let code: Code
    public let subcode: FaultSubcode
    public let reason: String
    public let detail: Detail

    /// Reasons longer than this many bytes are cut on writing and reading.
    public static let maximumReason = 1024

    public init(_ subcode: FaultSubcode, _ reason: String, detail: Detail = Detail(), code: Code? = nil) {
        self.code = code ?? subcode.defaultCode
        self.subcode = subcode
        self.reason = Self.shortened(reason)
        self.detail = detail
    }

    /// May the same intent succeed later? For a subcode we do not know the code decides.
    public var isTransient: Bool { subcode == .unrecognized ? code == .receiver : subcode.isTransient }

    /// .NET and Mono read a fault only from status 500; the other stacks do not mind.
    public var httpStatus: Int { 500 }

    /// The same fault with the correlation id of the server's log.
    public func with(reference: String) -> SOAPFault {
        var detail = detail
        detail.reference = reference
        return SOAPFault(subcode, reason, detail: detail, code: code)
    }

    /// Writes `s:Fault`. The Body around it must bind prefix `w` visibly (`OutgoingEnvelope.body(isFault:)` does),
    /// or exclusive canonicalisation would leave the subcode's prefix out of the signature.
    public func write(into writer: inout XMLWriter) {
        writer.start(Tags.fault)
        writer.start(Tags.faultCode)
        writer.element(Tags.faultValue, "s:" + code.rawValue)
        writer.start(Tags.faultSubcode)
        writer.element(Tags.faultValue, "w:" + subcode.rawValue)
        _ = writer.end()
        _ = writer.end()
        writer.start(Tags.faultReason)
        writer.start(Tags.faultText)
        writer.attribute(Tags.xmlLang, "en")
        writer.text(reason)
        _ = writer.end()
        _ = writer.end()
        if detail != Detail() { writeDetail(into: &writer) }
        _ = writer.end()
    }

    private func writeDetail(into writer: inout XMLWriter) {
        writer.start(Tags.faultDetail)
        if let time = detail.serverTime { writer.element(Tags.serverTime, DateTime.format(time)) }
        if let next = detail.next { writer.element(Tags.next, String(next)) }
        if let reference = detail.reference { writer.element(Tags.faultReference, reference) }
        _ = writer.end()
    }

    private static func shortened(_ text: String) -> String {
        guard text.utf8.count > maximumReason else { return text }
        var result = ""
        var size = 0
        for scalar in text.unicodeScalars {
            size += UTF8.width(scalar)
            if size > maximumReason { break }
            result.unicodeScalars.append(scalar)
        }
        return result
    }
}

extension SOAPFault {
    /// Reads `s:Fault`. An unknown subcode becomes `.unrecognized`; a fault that is none at all throws.
    public static func parse(_ element: XMLElement) throws(SOAPFault) -> SOAPFault {
        guard element.isNamed(Names.fault) else {
            throw SOAPFault(.malformedEnvelope, "Not a SOAP 1.2 fault.")
        }
        do {
            let code = try element.only(Names.faultCode)
            let value = try code.only(Names.faultValue)
            guard let name = try qualifiedName(value), name.namespace == Namespaces.soap12,
                let parsed = Code(rawValue: name.localName)
            else { throw SOAPFault(.malformedEnvelope, "The fault's code is not one of SOAP 1.2.") }
            let reason = try element.only(Names.faultReason)
            return SOAPFault(
                try subcode(in: code), reason.first(Names.faultText)?.text ?? "", detail: try detail(in: element),
                code: parsed)
        } catch let fault as SOAPFault {
            throw fault
        } catch {
            throw SOAPFault(.malformedEnvelope, "The fault is not well formed.")
        }
    }

    private static func subcode(in code: XMLElement) throws -> FaultSubcode {
        guard let element = try code.optional(Names.faultSubcode) else { return .unrecognized }
        guard let name = try qualifiedName(try element.only(Names.faultValue)), name.namespace == Namespaces.wsemail
        else { return .unrecognized }
        return FaultSubcode(rawValue: name.localName) ?? .unrecognized
    }

    private static func detail(in fault: XMLElement) throws -> Detail {
        guard let element = try fault.optional(Names.faultDetail) else { return Detail() }
        var detail = Detail()
        if let time = element.first(DetailNames.serverTime) { detail.serverTime = DateTime.parse(time.text) }
        if let next = element.first(DetailNames.next) { detail.next = UInt64(next.text) }
        if let reference = element.first(DetailNames.reference) { detail.reference = shortened(reference.text) }
        return detail
    }

    private enum DetailNames {
        static let serverTime = Names.wsemail("ServerTime")
        static let next = Names.wsemail("Next")
        static let reference = Names.wsemail("Reference")
    }

    /// A QName in element content, resolved with the declarations in scope.
    private static func qualifiedName(_ element: XMLElement) throws -> XMLName? {
        let parts = XMLText.trimmed(try element.simpleText()).split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count <= 2, let local = parts.last else { return nil }
        let prefix = parts.count == 2 ? String(parts[0]) : ""
        return XMLName(element.namespaceURI(forPrefix: prefix) ?? "", String(local))
    }
}
