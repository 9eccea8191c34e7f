import XMLCore

/// Why a package was refused.
public struct MTOMError: Error, Sendable, Equatable, CustomStringConvertible {
    public enum Code: String, Sendable, CaseIterable {
        /// The Content-Type is not that of a package with a SOAP 1.2 envelope.
        case unsupported
        /// Not a well-formed multipart document.
        case malformed
        /// Read by different rules, the octets would have different parts.
        case ambiguous
        /// A limit of ``MTOMLimits`` was passed.
        case limitExceeded
        /// An Include, or the Content-Type, names a part that is not there.
        case missingPart
        /// A second Include names the same part.
        case partRepeated
        /// An Include that XOP does not allow: not the only content of its element, not empty, no `cid:`.
        case badInclude
        /// The root part is not XML that we read.
        case badEnvelope
    }

    public let code: Code
    /// For logs; says nothing of the content.
    public let reason: String

    public init(_ code: Code, _ reason: String) {
        self.code = code
        self.reason = reason
    }

    /// The same octets will always be refused.
    public var isTransient: Bool { false }

    public var description: String { "\(code.rawValue): \(reason)" }
}

/// What a package may cost. Every limit is inclusive.
public struct MTOMLimits: Sendable, Hashable {
    /// The root part counts.
    public var maxParts: Int
    /// Octets of one part's header fields.
    public var maxPartHeaderBytes: Int
    /// Header fields of one part.
    public var maxPartHeaderFields: Int
    /// Octets of the envelope with every part in its place, as base64.
    public var maxEnvelopeBytes: Int
    /// For reading the root part. Its `maxBytes` is what ``maxEnvelopeBytes`` says.
    public var xml: XMLLimits

    public init(
        maxParts: Int = 64, maxPartHeaderBytes: Int = 8 << 10, maxPartHeaderFields: Int = 32, maxEnvelopeBytes: Int,
        xml: XMLLimits = .standard
    ) {
        self.maxParts = maxParts
        self.maxPartHeaderBytes = maxPartHeaderBytes
        self.maxPartHeaderFields = maxPartHeaderFields
        self.maxEnvelopeBytes = maxEnvelopeBytes
        self.xml = xml
        self.xml.maxBytes = maxEnvelopeBytes
    }
}

/// SOAP envelopes whose binary data travels beside them (MTOM 1.0, XOP 1.0, RFC 2387): between the octets of a package
/// and those of the envelope that it stands for. No I/O, no trust: signatures cover the envelope with its base64 in
/// place, so they are verified and made on that, by the same code as without packages.
public enum MTOM {
    /// RFC 2046 §5.1.1.
    public static let maximumBoundaryLength = 70
    static let xopType = "application/xop+xml"
    static let includeName = XMLName("http://www.w3.org/2004/08/xop/include", "Include")

    /// Whether a body of this type is a package: `multipart/related; type="application/xop+xml"`.
    public static func isPackage(_ type: MediaType) -> Bool {
        type.type == "multipart/related" && type.parameters["type"]?.lowercased() == xopType
    }

    /// A package taken apart.
    public struct Unpacked: Sendable, Equatable {
        /// With the base64 of its part in place of every Include, as the sender signed it.
        public var envelope: [UInt8]
        /// The SOAP action that the Content-Type of package or root part names.
        public var action: String?
    }

    /// The envelope that a package stands for.
    ///
    /// Parts that nothing includes are ignored, as is what stands before the first part and after the last.
    /// - Parameter type: the package's Content-Type.
    public static func unpack(_ package: [UInt8], type: MediaType, limits: MTOMLimits) throws(MTOMError) -> Unpacked {
        guard isPackage(type), let boundary = type.parameters["boundary"] else {
            throw MTOMError(.unsupported, "not multipart/related of application/xop+xml with a boundary")
        }
        // Absent in the wild; SOAP 1.1 has text/xml.
        let startInfo = type.parameters["start-info"].map { MediaType(parsing: $0) }
        if let startInfo, startInfo?.isSOAP12 != true { throw MTOMError(.unsupported, "start-info is not application/soap+xml") }
        let parts = try MultipartReader(boundary: boundary, limits: limits).parts(of: package)
        let root = try rootIndex(parts, start: type.parameters["start"])
        let rootType = parts[root].contentType
        guard rootType?.isUTF8 != false else { throw MTOMError(.unsupported, "the root part is not UTF-8") }
        let inner = rootType?.parameters["type"].map { MediaType(parsing: $0) }
        if let inner, inner?.isSOAP12 != true { throw MTOMError(.unsupported, "the root part is no SOAP 1.2 envelope") }
        let envelope = try EnvelopeBuilder(package: package, parts: parts, root: root, limits: limits).envelope()
        let action = type.action ?? startInfo??.action ?? rootType?.action ?? inner??.action
        return Unpacked(envelope: envelope, action: action)
    }

    // RFC 2387 §3.2: without `start` it is the first. Some leave `start` out although it is not.
    private static func rootIndex(_ parts: [PackagePart], start: String?) throws(MTOMError) -> Int {
        if let start {
            guard let found = try PackagePart.index(of: PackagePart.identifier(start), isEscaped: false, in: parts) else {
                throw MTOMError(.missingPart, "there is no part that start names")
            }
            guard parts[found].contentType?.type == xopType else {
                throw MTOMError(.unsupported, "the root part is not application/xop+xml")
            }
            return found
        }
        let candidates = parts.indices.filter { parts[$0].contentType?.type == xopType }
        guard let first = candidates.first, first == 0 || candidates.count == 1 else {
            throw MTOMError(.unsupported, "no part is clearly the root")
        }
        return first
    }
}
