import Foundation
import Identity
import PluginAPI
import XMLCore
import XMLSecurity

/// Makes packages, for developers: from a manifest that they write by hand and the files that it names.
///
/// The source has the vocabulary of ``PluginPackage`` with these differences: white space, comments and the order of
/// elements are free, texts may be broken into lines, `FailurePolicy` (open), `preset` (empty) and a module's `mediaType`
/// may be left out, and a Module or Resource names a `file` instead of holding it. The root needs no `Id`.
/// ```xml
/// <PluginPackage xmlns="urn:wsemail:2">
///   <Manifest>
///     <Identifier>org.example.vacation</Identifier> <Version>1.0.0</Version> <Title>Vacation</Title>
///     <Summary>Answers mail while its reader is away.</Summary> <Publisher>Example Ltd</Publisher>
///   </Manifest>
///   <Plugin name="vacation" kind="server">
///     <Summary>Answers each sender once.</Summary>
///     <Role name="delivery" priority="500"/>
///     <Capability>key-value</Capability> <Capability>send</Capability>
///     <Module file="vacation.wasm"/>
///   </Plugin>
/// </PluginPackage>
/// ```
public struct PackageBuilder: Sendable {
    private let content: PackageContent

    /// Reads a manifest source.
    /// - Parameters:
    ///   - manifest: XML, at most 1 MiB.
    ///   - file: gives the content of a file that the manifest names, by its relative path. The path has no `..`, no empty
    ///     part and no part that begins with "."; see also ``folder(_:)``.
    /// - Throws: ``PluginError`` `.refused`: what is wrong with the manifest or a file.
    public init(manifest: [UInt8], file: (String) throws -> [UInt8]) throws(PluginError) {
        var limits = PackageLimits.xml
        limits.maxBytes = 1 << 20
        let root: XMLElement
        do {
            root = try XMLDocument.parse(manifest, limits: limits).root
        } catch {
            throw .refused("the manifest is no acceptable XML: \(error.reason) (byte \(error.offset))")
        }
        content = try withoutActuallyEscaping(file) { file throws(PluginError) in
            try PackageReader(file: file).content(root)
        }
    }

    /// The package without signature: in its one spelling, for ``sign(_:certificatePEM:keyPEM:now:)``.
    /// - Throws: ``PluginError`` `.refused` if it is too large.
    public func unsigned() throws(PluginError) -> [UInt8] { try Self.checked(PackageWriter.octets(content)) }

    /// Signs a package, or signs it anew: earlier certificates and the earlier signature are replaced.
    /// - Parameters:
    ///   - octets: a package, signed or not.
    ///   - certificatePEM: the publisher's certificate, then the intermediates, if any. A root at the end is left out:
    ///     whoever verifies has it already.
    ///   - keyPEM: the publisher's private key.
    ///   - now: when the certificate must be valid.
    /// - Throws: ``PluginError`` `.refused`: no package, the key or the Publisher's name is not the certificate's, the
    ///   certificate is not for code signing or not valid.
    public static func sign(
        _ octets: [UInt8], certificatePEM: String, keyPEM: String, now: Date
    ) throws(PluginError) -> [UInt8] {
        var content = try PluginPackage(octets: octets).content
        let chain: [MailCertificate]
        let name: String
        do {
            chain = try MailCertificate.chain(pem: certificatePEM)
            guard let leaf = chain.first else { throw PluginError.refused("there is no certificate to sign with") }
            name = try PublisherTrust.requireLeaf(leaf, at: now)
        } catch let error as PluginError {
            throw error
        } catch let error as IdentityError {
            throw .refused(error.reason)
        } catch { throw .refused("\(error)") }
        guard content.publisher.utf8.elementsEqual(name.utf8) else {
            throw .refused("the manifest's publisher is \"\(content.publisher)\", but the certificate is \"\(name)\"'s")
        }
        content.certificates = withoutRoot(chain).map(\.der)
        guard content.certificates.count <= PackageLimits.certificates else {
            throw .refused("the chain has more than \(PackageLimits.certificates) certificates")
        }
        return try checked(signed(content, by: chain[0], keyPEM))
    }

    private static func signed(
        _ content: PackageContent, by leaf: MailCertificate, _ keyPEM: String
    ) throws(PluginError) -> [UInt8] {
        guard let key = try? SigningKey(pem: keyPEM) else { throw .refused("the key is no private key that can sign (PEM)") }
        guard key.matches(leaf) else { throw .refused("the private key does not belong to the publisher's certificate") }
        do {
            let signer = SignatureSigner(key: key, keyInfo: .thumbprintSHA256(leaf.thumbprintSHA256))
            return try signer.signEnveloped(PackageWriter.octets(content), id: PackageXML.id)
        } catch { throw .refused("signing failed: \(error.reason)") }
    }

    /// A certificate that issued itself, at the end of a chain file, is the anchor.
    private static func withoutRoot(_ chain: [MailCertificate]) -> ArraySlice<MailCertificate> {
        guard chain.count > 1, let last = chain.last, last.x509.issuer == last.x509.subject else { return chain[...] }
        return chain.dropLast()
    }

    /// What is handed out can be read again.
    private static func checked(_ octets: [UInt8]) throws(PluginError) -> [UInt8] { try PluginPackage(octets: octets).octets }
}
