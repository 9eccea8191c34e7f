import Foundation
import MailModel
import SOAP
import XMLCore

/// Everything that proves one message, in one XML document. It proves itself: only the roots to believe are needed beside it.
///
/// ```xml
/// <Evidence xmlns="urn:wsemail:2" version="1">
///   <Exported>2026-11-23T19:25:38.120Z</Exported>
///   <MessageOctets>base64</MessageOctets>
///   <PostmarkOctets>base64</PostmarkOctets>             <!-- zero or one -->
///   <ReceiptOctets>base64</ReceiptOctets>               <!-- any number -->
///   <MetadataOctets>base64</MetadataOctets>             <!-- one for each domain that signed -->
///   <CertificateOctets>base64 DER</CertificateOctets>   <!-- the roots the exporter believed; to compare, not to trust -->
/// </Evidence>
/// ```
public struct EvidenceBundle: Sendable, Hashable {
    public static let maximumSize = 64 << 20
    static let maximumReceipts = 1_000
    static let maximumDomains = 64
    static let maximumCertificates = 64
    private static let maximumPart = 32 << 20

    /// Octets of the message, as signed.
    public var message: [UInt8]
    public var postmark: [UInt8]?
    public var receipts: [[UInt8]]
    /// Signed DomainMetadata documents.
    public var metadata: [[UInt8]]
    /// DER. They say which roots to look for; they are never believed for being here.
    public var certificates: [[UInt8]]
    /// When the bundle was made, by the exporter's word.
    public var exported: Date

    public init(message: [UInt8], exported: Date) {
        self.message = message
        self.exported = exported
        postmark = nil
        receipts = []
        metadata = []
        certificates = []
    }

    // MARK: Writing

    private static func tag(_ name: String) -> XMLTag { XMLTag("", MailXML.namespace, name) }

    /// The document. Each part ends a line, so that tools and people can look into it.
    public var document: [UInt8] {
        var writer = XMLWriter(reserving: 4096 + message.count * 3 / 2)
        writer.start(Self.tag("Evidence"), selfContained: true)
        writer.attribute("version", "1")
        writer.text("\n")
        writer.element(Self.tag("Exported"), DateTime.format(exported))
        Self.write("MessageOctets", message, into: &writer)
        if let postmark { Self.write("PostmarkOctets", postmark, into: &writer) }
        for receipt in receipts { Self.write("ReceiptOctets", receipt, into: &writer) }
        for document in metadata { Self.write("MetadataOctets", document, into: &writer) }
        for certificate in certificates { Self.write("CertificateOctets", certificate, into: &writer) }
        writer.text("\n")
        _ = writer.end()
        return writer.bytes + [UInt8(ascii: "\n")]
    }

    private static func write(_ name: String, _ octets: [UInt8], into writer: inout XMLWriter) {
        writer.text("\n")
        writer.start(tag(name))
        writer.base64(octets)
        _ = writer.end()
    }

    // MARK: Reading

    /// - Throws: `invalidInput` for what is no bundle of a version we know: there is nothing to verify.
    public init(parsing document: [UInt8]) throws(MailClientError) {
        do {
            guard !document.isEmpty else { throw Self.malformed("it is empty") }
            guard document.count <= Self.maximumSize else { throw Self.malformed("it is too large") }
            let limits = XMLLimits(maxBytes: Self.maximumSize, maxDepth: 4, maxElements: 2_048)
            try self.init(reading: XMLDocument.parse(document, limits: limits).root)
        } catch let error as XMLError {
            throw Self.malformed("it cannot be read as XML of that kind (\(error.reason))")
        } catch {
            throw MailClientError(error)
        }
    }

    private init(reading root: XMLElement) throws {
        guard root.isNamed(MailXML.name("Evidence")) else { throw Self.malformed("its root element is another one") }
        guard root.attribute("version") == "1" else {
            throw MailClientError(
                .invalidInput, "this evidence file is of another version", advice: "Use a newer wsemail to verify it.")
        }
        let known: Set<String> = [
            "Exported", "MessageOctets", "PostmarkOctets", "ReceiptOctets", "MetadataOctets", "CertificateOctets",
        ]
        for child in root.children where child.namespace != MailXML.namespace || !known.contains(child.localName) {
            throw Self.malformed("it holds the unknown part \(child.localName)")
        }
        guard let exported = DateTime.parse(try root.only(MailXML.name("Exported")).simpleText()) else {
            throw Self.malformed("Exported is no dateTime")
        }
        self.exported = exported
        message = try root.only(MailXML.name("MessageOctets")).base64Bytes(limit: Self.maximumPart)
        postmark = try root.optional(MailXML.name("PostmarkOctets"))?.base64Bytes(limit: Self.maximumPart)
        receipts = try Self.parts(root, "ReceiptOctets", limit: Self.maximumReceipts)
        metadata = try Self.parts(root, "MetadataOctets", limit: Self.maximumDomains)
        certificates = try Self.parts(root, "CertificateOctets", limit: Self.maximumCertificates)
    }

    private static func parts(_ root: XMLElement, _ name: String, limit: Int) throws -> [[UInt8]] {
        let elements = root.all(MailXML.name(name))
        guard elements.count <= limit else { throw malformed("it has more than \(limit) \(name)") }
        return try elements.map { try $0.base64Bytes(limit: maximumPart) }
    }

    private static func malformed(_ what: String) -> MailClientError {
        MailClientError(.invalidInput, "this is no evidence file: \(what)", advice: "`wsemail export` writes evidence files.")
    }
}
