import FoundationEssentials
import XMLCore
import XMLSecurity

/// The document: one `DomainMetadata` element of `urn:wsemail:2` in canonical form, with an enveloped signature.
///
/// ```xml
/// <DomainMetadata xmlns="urn:wsemail:2" Id="metadata" Version="7">
///   <Domain>capicom.test</Domain><Issued>…Z</Issued><NextUpdate>…Z</NextUpdate><Endpoint>/wsemail</Endpoint>
///   <Root>base64 DER</Root><Intermediate/><Server>base64 DER</Server>
///   <Revoked At="…Z">serial</Revoked><Limits Batch="32" MessageSize="…" Recipients="…"/><Capability>…</Capability>
///   <ds:Signature/>
/// </DomainMetadata>
/// ```
/// (without the white space shown here). Elements come in this order; unknown ones are ignored, so that later versions
/// can add some.
extension DomainMetadata {
    static let namespace = "urn:wsemail:2"
    static let signatureNamespace = "http://www.w3.org/2000/09/xmldsig#"
    static let documentID = "metadata"

    private static func tag(_ name: String) -> XMLTag { XMLTag("", namespace, name) }
    private static func name(_ name: String) -> XMLName { XMLName(namespace, name) }

    /// The canonical octets without a signature.
    func unsignedOctets() throws(IdentityError) -> [UInt8] {
        try checkConsistency()
        var writer = XMLWriter(reserving: 8192)
        writer.start(Self.tag("DomainMetadata"), selfContained: true)
        writer.attribute("Id", Self.documentID)
        writer.attribute("Version", String(version))
        writer.element(Self.tag("Domain"), domain.ascii)
        writer.element(Self.tag("Issued"), UTCSeconds.format(issued))
        writer.element(Self.tag("NextUpdate"), UTCSeconds.format(nextUpdate))
        writer.element(Self.tag("Endpoint"), endpoint)
        for (name, certificates) in [("Root", roots), ("Intermediate", intermediates), ("Server", servers)] {
            for certificate in certificates {
                writer.start(Self.tag(name))
                writer.base64(certificate.der)
                _ = writer.end()
            }
        }
        for entry in revoked.sorted {
            writer.start(Self.tag("Revoked"))
            writer.attribute("At", UTCSeconds.format(entry.time))
            writer.text(entry.serial)
            _ = writer.end()
        }
        writer.start(Self.tag("Limits"))
        writer.attribute("Batch", String(limits.maximumBatch))
        writer.attribute("MessageSize", String(limits.maximumMessageSize))
        writer.attribute("Recipients", String(limits.maximumRecipients))
        _ = writer.end()
        for capability in capabilities.sorted() { writer.element(Self.tag("Capability"), capability) }
        _ = writer.end()
        return writer.bytes
    }

    /// The signed document. `certificate` is the one of ``servers`` that belongs to `key`.
    /// - Throws: ``IdentityError`` `.malformedMetadata`, `.keyMismatch`, `.cryptography`, `.limitExceeded`.
    public func signed(by key: SigningKey, certificate: MailCertificate) throws(IdentityError) -> [UInt8] {
        guard key.matches(certificate) else {
            throw IdentityError(.keyMismatch, "the signing key does not belong to the server's certificate")
        }
        guard servers.contains(certificate) else {
            throw Self.malformed("it does not list the certificate that signs it")
        }
        let octets = try unsignedOctets()
        let signed = try IdentityError.wrap(.cryptography, "signing the domain metadata") {
            let signer = SignatureSigner(key: key, keyInfo: .thumbprintSHA256(certificate.thumbprintSHA256))
            return try signer.signEnveloped(octets, id: Self.documentID)
        }
        guard signed.count <= Self.maximumSize else {
            throw IdentityError(.limitExceeded, "the domain metadata has \(signed.count) octets")
        }
        return signed
    }

    /// Reads the content; says nothing about who wrote it.
    init(element root: XMLElement) throws(IdentityError) {
        do {
            try self.init(reading: root)
        } catch let error as IdentityError {
            throw error
        } catch {
            throw Self.malformed(String(describing: error))
        }
        try checkConsistency()
    }

    /// The roots that a document offers, unverified: for showing their fingerprints to a person who compares them.
    /// - Throws: `malformedMetadata` when it is no metadata document of that domain.
    public static func offeredRoots(_ octets: [UInt8], of domain: MailDomain) throws(IdentityError) -> [MailCertificate] {
        do {
            guard octets.count <= maximumSize else { throw malformed("too large") }
            let metadata = try DomainMetadata(reading: XMLDocument.parse(octets).root)
            guard metadata.domain == domain else { throw malformed("it is of \(metadata.domain)") }
            return metadata.roots
        } catch let error as IdentityError {
            throw error
        } catch {
            throw malformed(String(describing: error))
        }
    }

    private init(reading root: XMLElement) throws {
        guard root.isNamed(Self.name("DomainMetadata")) else { throw Self.malformed("another root element") }
        let limits = try root.only(Self.name("Limits"))
        self.init(
            domain: try MailDomain(canonical: root.only(Self.name("Domain")).simpleText()),
            version: try Self.number(root, "Version"),
            issued: try Self.date(root.only(Self.name("Issued")).simpleText()),
            nextUpdate: try Self.date(root.only(Self.name("NextUpdate")).simpleText()),
            endpoint: try root.only(Self.name("Endpoint")).simpleText(),
            roots: try Self.certificates(root, "Root"), servers: try Self.certificates(root, "Server"),
            limits: Limits(
                maximumMessageSize: try Self.number(limits, "MessageSize"),
                maximumRecipients: try Self.number(limits, "Recipients"),
                maximumBatch: try Self.number(limits, "Batch")))
        intermediates = try Self.certificates(root, "Intermediate")
        for entry in root.all(Self.name("Revoked")) {
            guard let time = entry.attribute("At") else { throw Self.malformed("a revocation without a time") }
            let serial = try entry.simpleText()
            guard (2...64).contains(serial.utf8.count), let octets = Hex.decode(serial.utf8) else {
                throw Self.malformed("a serial number")
            }
            revoked.insert(Hex.encode(octets), at: try Self.date(time))
        }
        capabilities = Set(try root.all(Self.name("Capability")).map { try $0.simpleText() })
    }

    private static func certificates(_ root: XMLElement, _ element: String) throws -> [MailCertificate] {
        let elements = root.all(name(element))
        guard elements.count <= maximumCertificates else { throw malformed("too many certificates") }
        return try elements.map { try MailCertificate(der: $0.base64Bytes(limit: MailCertificate.maximumSize)) }
    }

    /// Decimal digits only: no sign, no leading zero.
    private static func number<T: FixedWidthInteger>(_ element: XMLElement, _ attribute: String) throws -> T {
        guard let text = element.attribute(attribute), let value = T(text), String(value) == text, value >= 0 else {
            throw malformed("the attribute \(attribute)")
        }
        return value
    }

    private static func date(_ text: String) throws -> Date {
        guard let date = UTCSeconds.parse(text) else { throw malformed("a time") }
        return date
    }
}

extension MailDomain {
    /// For our own documents: the text must be in canonical form already.
    init(canonical text: String) throws(IdentityError) {
        try self.init(text)
        guard Normalization.sameScalars(ascii, text) else {
            throw IdentityError(.invalidDomain, "the domain is not in canonical form")
        }
    }
}
