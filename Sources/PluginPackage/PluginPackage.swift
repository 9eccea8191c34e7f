import Crypto
import PluginAPI

/// A package of plug-ins (`.wsep`) as a file says it is, not yet believed: see ``PackageVerifier``.
///
/// One XML document in exclusive canonical form (docs/plugins.md, "Packages"), shown here with white space that it must
/// not have:
/// ```xml
/// <PluginPackage xmlns="urn:wsemail:2" Id="package">
///   <Manifest>
///     <Identifier>org.example.vacation</Identifier><Version>1.4.0</Version><Title>Vacation</Title>
///     <Summary>…</Summary><Publisher>Example Ltd</Publisher>
///     <MinimumServer>0.3.0</MinimumServer>?  <Location>https://…</Location>?
///   </Manifest>
///   <Plugin kind="server" name="vacation">+
///     <Summary>…</Summary>
///     <Role name="delivery" priority="500"/>+                         by name
///     <Extension callers="peer user" identifier="urn:…"/>*
///     <Capability>key-value</Capability>*                              by name
///     <FailurePolicy>open</FailurePolicy>
///     <Setting name="reply" preset="Away">what it is for</Setting>*
///     <Module mediaType="application/wasm" sha256="base64">base64</Module>
///   </Plugin>
///   <Certificate>base64 DER</Certificate>*                             the publisher's, then intermediates; not the anchor
///   <ds:Signature>…</ds:Signature>?                                    enveloped, by the first certificate
/// </PluginPackage>
/// ```
/// A document has one spelling: what is read, written again, must give the same octets. So there is nothing in a package
/// that is not seen here, and nothing outside the signature that anybody could change.
///
/// `kind="client"` is for forms that mail programs show; servers keep and list them and never run them. Its content is
/// settled now, so that packages with forms need no other format:
/// ```xml
///   <Plugin kind="client" name="leave-form">
///     <Title>…</Title><Summary>…</Summary>
///     <Form type="urn:…"/>*                                            types of Forms in messages that it shows
///     <Capability>…</Capability>*                                      names that mail programs define
///     <Resource mediaType="text/html" name="form.html" sha256="base64">base64</Resource>+
///   </Plugin>
/// ```
public struct PluginPackage: Sendable {
    let content: PackageContent
    /// The file.
    public let octets: [UInt8]
    /// SHA-256 of ``octets``.
    public let digest: [UInt8]

    /// Reads a package, signed or not. Says nothing about who made it.
    /// - Throws: ``PluginError`` `.refused` if it is not exactly of the form above, or exceeds ``PackageLimits``.
    public init(octets: [UInt8]) throws(PluginError) {
        let envelope = try PackageEnvelope(octets)
        let content = try PackageReader().content(envelope.document.root)
        try envelope.requireExactForm(of: content)
        self.init(content, octets)
    }

    init(_ content: PackageContent, _ octets: [UInt8]) {
        self.content = content
        self.octets = octets
        digest = Array(SHA256.hash(data: octets))
    }

    /// Such as `org.example.vacation`.
    public var identifier: String { content.identifier }
    public var version: PluginVersion { content.version }
    /// One line for people.
    public var title: String { content.title }
    /// One line for people.
    public var summary: String { content.summary }
    /// The name it claims; ``PackageVerifier`` sees to it that it is the certificate's.
    public var publisher: String { content.publisher }
    /// The first version of the server that it runs on.
    public var minimumServer: PluginVersion? { content.minimumServer }
    /// Where newer versions are to be had (https). Shown to people; a server never fetches it of its own accord.
    public var location: String? { content.location }
    /// At least one.
    public var members: [Member] { content.members }
    /// The publisher's certificate and intermediates (DER); empty if the package is not signed.
    public var certificates: [[UInt8]] { content.certificates }
    /// Whether there is a signature; whether it is good is another question.
    public var isSigned: Bool { !content.certificates.isEmpty }

    /// One plug-in of the package.
    public struct Member: Sendable, Hashable {
        public enum Kind: Sendable, Hashable {
            /// Runs on servers: a WebAssembly module.
            case server(module: [UInt8])
            /// Runs in mail programs: kept and listed, not run.
            case client(ClientForm)
        }

        /// For a client's form without roles, extensions and settings; its capabilities are those of ``ClientForm``.
        public let descriptor: PluginDescriptor
        public let kind: Kind
        /// SHA-256 of the module; empty for a client's form, whose resources have digests of their own.
        public let moduleDigest: [UInt8]

        public var name: String { descriptor.identifier.name }
    }

    /// A form that mail programs show.
    public struct ClientForm: Sendable, Hashable {
        public let title: String
        /// Types of Forms in messages that it shows: absolute URIs.
        public let formTypes: [String]
        /// Names that mail programs define; this version of the server knows none.
        public let capabilities: [String]
        /// At least one; names differ.
        public let resources: [Resource]
    }

    /// A file of a client's form.
    public struct Resource: Sendable, Hashable {
        /// A relative path such as `form.html` or `images/logo.png`.
        public let name: String
        public let mediaType: String
        public let data: [UInt8]
        /// SHA-256 of ``data``.
        public let digest: [UInt8]
    }
}

/// What a package says, without its signature.
struct PackageContent: Sendable, Hashable {
    var identifier: String
    var version: PluginVersion
    var title: String
    var summary: String
    var publisher: String
    var minimumServer: PluginVersion?
    var location: String?
    var members: [PluginPackage.Member]
    var certificates: [[UInt8]]
}
