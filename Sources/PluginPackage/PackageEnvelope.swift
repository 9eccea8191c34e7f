import Crypto
import Identity
import PluginAPI
import XMLCore
import XMLSecurity

/// The outside of a package file: the parsed document, the certificates it brings and its one signature, if any.
struct PackageEnvelope {
    let document: XMLDocument
    let certificates: [[UInt8]]
    let signature: XMLElement?

    private static let signatureTag = XMLTag("ds", SecurityNamespace.ds, "Signature")
    private static let valueTag = XMLTag("ds", SecurityNamespace.ds, "SignatureValue")

    init(_ octets: [UInt8]) throws(PluginError) {
        guard octets.count <= PackageLimits.size else {
            throw .refused("the package is larger than \(PackageLimits.size >> 20) MiB")
        }
        do {
            document = try XMLDocument.parse(octets, limits: PackageLimits.xml)
        } catch {
            throw .refused("the package is no acceptable XML: \(error.reason) (byte \(error.offset))")
        }
        let root = document.root
        guard root.isNamed(PackageXML.name("PluginPackage")) else {
            throw .refused("this is no plug-in package: its root is \(root.name.description.prefix(150))")
        }
        guard root.attribute("Id") == PackageXML.id else { throw .refused("the package's Id is not \"\(PackageXML.id)\"") }
        let signatures = root.all(PackageReader.signature)
        guard signatures.count <= 1 else { throw .refused("the package has more than one signature") }
        signature = signatures.first
        certificates = try Self.certificates(root)
        guard certificates.isEmpty || signature != nil else {
            throw .refused("the package names a publisher's certificate, but its signature is missing")
        }
        guard signature == nil || !certificates.isEmpty else {
            throw .refused("the package is signed, but holds no publisher's certificate")
        }
    }

    static func certificates(_ root: XMLElement) throws(PluginError) -> [[UInt8]] {
        var result: [[UInt8]] = []
        for element in root.all(PackageXML.name("Certificate")) {
            guard result.count < PackageLimits.certificates else {
                throw .refused("the package holds more than \(PackageLimits.certificates) certificates")
            }
            try element.allowOnlyAttributes([])
            let der = try readingXML { () throws(XMLError) in try element.base64Bytes(limit: MailCertificate.maximumSize) }
            guard !result.contains(der) else { throw .refused("the package holds a certificate twice") }
            result.append(der)
        }
        return result
    }

    /// The leaf first.
    func chain() throws(PluginError) -> [MailCertificate] {
        var result: [MailCertificate] = []
        for der in certificates {
            do { result.append(try MailCertificate(der: der)) } catch {
                throw .refused("a certificate of the package is unacceptable: \(error.reason)")
            }
        }
        return result
    }

    /// Refuses every other spelling of `content`, and everything in the signature that the signature itself does not
    /// cover: two files with the same meaning would have different digests, and a reader could see what nobody signed.
    func requireExactForm(of content: PackageContent) throws(PluginError) {
        let octets = document.bytes
        let expected = PackageWriter.octets(content)
        guard let signature else {
            guard octets == expected else { throw Self.spelling }
            return
        }
        let range = signature.sourceRange
        let end = expected.count - "</PluginPackage>".utf8.count
        guard octets.count - range.count == expected.count, range.lowerBound == end,
            octets[..<end] == expected[..<end], octets[range.upperBound...] == expected[end...]
        else { throw Self.spelling }
        try requireExactSignature(signature)
    }

    private func requireExactSignature(_ signature: XMLElement) throws(PluginError) {
        let octets = document.bytes
        let (info, value, hint) = try Self.parts(signature)
        let thumbprint = certificates.first.map { Array(SHA256.hash(data: $0)) }
        guard let thumbprint, hint == .thumbprintSHA256(thumbprint) else {
            throw .refused("the signature names another certificate than the package's first")
        }
        var writer = XMLWriter(reserving: signature.sourceRange.count)
        writer.start(Self.signatureTag, selfContained: true)
        writer.append(canonicalContent: octets[info.sourceRange])
        writer.start(Self.valueTag)
        writer.base64(value)
        writer.end()
        hint.write(into: &writer)
        writer.end()
        let actual = octets[signature.sourceRange]
        guard actual == writer.bytes[...], actual == signature.canonicalBytes()[...] else { throw Self.spelling }
    }

    private static func parts(
        _ signature: XMLElement
    ) throws(PluginError) -> (info: XMLElement, value: [UInt8], hint: KeyHint) {
        let name = { (local: String) in XMLName(SecurityNamespace.ds, local) }
        let (info, value, keyInfo) = try readingXML { () throws(XMLError) in
            (
                try signature.only(name("SignedInfo")),
                try signature.only(name("SignatureValue")).base64Bytes(limit: SignatureLimits.standard.maxSignatureLength),
                try signature.only(name("KeyInfo"))
            )
        }
        do { return (info, value, try KeyHint.parse(keyInfo)) } catch {
            throw .refused("the signature does not name its certificate: \(error.reason)")
        }
    }

    private static var spelling: PluginError {
        .refused("the package is not in canonical form: it was not written by a packing tool, or was changed since")
    }
}
