import Crypto
import Foundation
import PluginAPI
import Testing
import XMLCore
import XMLSecurity

@testable import Identity
@testable import PluginPackage

@Suite struct PackageTests {
    @Test func `A manifest becomes a package that says the same`() throws {
        let package = try PluginPackage(octets: World.unsigned())
        #expect(package.identifier == "org.example.vacation")
        #expect(package.version == PluginVersion(1, 4, 0))
        #expect(package.title == "Vacation")
        #expect(package.summary == "Answers mail while its reader is away.")
        #expect(package.publisher == "Example Ltd")
        #expect(package.minimumServer == PluginVersion(0, 3, 0))
        #expect(package.location == "https://plugins.example.org/vacation")
        #expect(!package.isSigned)
        let member = try #require(package.members.first)
        #expect(package.members.count == 1)
        #expect(member.descriptor.identifier.description == "org.example.vacation/vacation")
        #expect(member.descriptor.version == package.version)
        #expect(member.descriptor.roles == [.delivery: 400, .extension: 500])
        #expect(member.descriptor.extensions == [ExtensionDeclaration(identifier: "urn:example:vacation")])
        #expect(member.descriptor.capabilities == [.send, .keyValue])
        #expect(member.descriptor.failurePolicy == .open)
        #expect(member.descriptor.settings.map(\.name) == ["reply", "user.*"])
        #expect(member.descriptor.settings.map(\.preset) == ["Away & gone", ""])
        #expect(member.kind == .server(module: World.module))
        #expect(member.moduleDigest == Array(SHA256.hash(data: World.module)))
        #expect(package.digest == Array(SHA256.hash(data: package.octets)))
    }

    @Test(arguments: ["p256", "p384", "rsa"])
    func `A signed package is verified and names its publisher`(_ type: String) async throws {
        let key: SigningKey =
            switch type {
            case "p384": .p384(P384.Signing.PrivateKey())
            case "rsa": try .generateRSA()
            default: .generateP256()
            }
        let publisher = try Publisher(key: key)
        let octets = try publisher.signed(World.unsigned())
        let verified = try await publisher.verify(octets)
        #expect(verified.package.octets == octets)
        #expect(verified.package.identifier == "org.example.vacation")
        #expect(verified.package.members == (try PluginPackage(octets: World.unsigned()).members))
        #expect(verified.publisher.name == "Example Ltd")
        #expect(verified.publisher.certificate == Hex.encode(publisher.certificate.thumbprintSHA256))
        #expect(verified.publisher.anchor == (try publisher.anchors().anchors[0].fingerprint))
        #expect(verified.publisher.chain == [verified.publisher.certificate, verified.publisher.anchor])
        #expect(verified.publisher.notAfter == publisher.certificate.notAfter)
        let json = try JSONEncoder().encode(verified.publisher)
        #expect(try JSONDecoder().decode(PublisherIdentity.self, from: json) == verified.publisher)
    }

    @Test func `A package of an organisation with three intermediates is verified`() async throws {
        let authorities = try World.authorities(3)
        let key = SigningKey.generateP256()
        let leaf = try World.forge(authorities[3], "Example Ltd", key: key.publicKey)
        // As people have it: the whole chain with the root, from the leaf upwards.
        let chain = [leaf] + authorities.reversed().map(\.certificate)
        let octets = try PackageBuilder.sign(
            World.unsigned(), certificatePEM: chain.map(\.pem).joined(), keyPEM: key.pemRepresentation ?? "", now: World.now)
        #expect(try PluginPackage(octets: octets).certificates == chain.dropLast().map(\.der))
        let anchor = try PublisherAnchor(pem: authorities[0].certificate.pem, label: "organisation")
        let verified = try await PackageVerifier(PublisherAnchors(anchors: [anchor])).verify(octets, at: World.now)
        #expect(verified.publisher.chain == chain.map { Hex.encode($0.thumbprintSHA256) })
    }

    @Test func `Signing anew replaces the certificate and the signature`() async throws {
        let (first, second) = (try Publisher(), try Publisher())
        let octets = try second.signed(first.signed(World.unsigned()))
        let package = try PluginPackage(octets: octets)
        #expect(package.certificates == [second.certificate.der])
        #expect(try await second.verify(octets).publisher.certificate == Hex.encode(second.certificate.thumbprintSHA256))
        await expectRefusal("not trusted") { try await first.verify(octets) }
    }

    @Test func `Parsing tells a signed package from an unsigned one, and believes neither`() async throws {
        let publisher = try Publisher()
        let signed = try publisher.signed(World.unsigned())
        #expect(try PluginPackage(octets: signed).isSigned)
        await expectRefusal("is not signed") { try await publisher.verify(World.unsigned()) }
        let stranger = try Publisher()
        #expect(try PluginPackage(octets: stranger.signed(World.unsigned())).publisher == "Example Ltd")
    }

    @Test func `Forms for clients are kept and listed beside server plug-ins`() async throws {
        let publisher = try Publisher()
        let manifest = try World.manifest.with(
            "</PluginPackage>",
            """
              <Plugin kind="client" name="leave-form">
                <Title>Leave</Title><Summary>Asks for a leave.</Summary>
                <Form type="urn:example:leave"/><Capability>address-book</Capability>
                <Resource name="form.html" mediaType="text/html" file="form.html"/>
                <Resource name="images/logo.png" mediaType="image/png" file="logo.png"/>
              </Plugin></PluginPackage>
            """)
        let unsigned = try PackageBuilder(manifest: Array(manifest.utf8)) { path in Array(path.utf8) }.unsigned()
        let package = try await publisher.verify(publisher.signed(unsigned)).package
        #expect(package.members.map(\.name) == ["vacation", "leave-form"])
        let member = try #require(package.members.last)
        #expect(member.descriptor.summary == "Asks for a leave.")
        #expect(member.descriptor.roles.isEmpty && member.moduleDigest.isEmpty)
        guard case .client(let form) = member.kind else { throw NotFound(text: "client") }
        #expect(form.title == "Leave")
        #expect(form.formTypes == ["urn:example:leave"])
        #expect(form.capabilities == ["address-book"])
        #expect(form.resources.map(\.name) == ["form.html", "images/logo.png"])
        #expect(form.resources.map(\.mediaType) == ["text/html", "image/png"])
        #expect(form.resources[1].data == Array("logo.png".utf8))
        #expect(form.resources[1].digest == Array(SHA256.hash(data: Array("logo.png".utf8))))
    }

    @Test func `Texts of any script and presets of several lines survive`() throws {
        let manifest = try World.manifest.with("Vacation</Title>", "نمی\u{200C}خواهم 休暇</Title>").with(
            "Away &amp; gone", "one&#10;two&#9;\"&lt;&#x1F334;".replacingOccurrences(of: "\"", with: "&quot;"))
        let package = try PluginPackage(octets: World.unsigned(manifest))
        #expect(package.title == "نمی\u{200C}خواهم 休暇")
        #expect(package.members[0].descriptor.settings[0].preset == "one\ntwo\t\"<🌴")
    }

    @Test func `A module of the largest size goes through, one octet more does not`() async throws {
        let publisher = try Publisher()
        let largest = [UInt8](repeating: 0x5A, count: PackageLimits.module)
        let octets = try publisher.signed(World.unsigned(module: largest))
        #expect(try await publisher.verify(octets).package.members[0].kind == .server(module: largest))
        await expectRefusal("larger than") { try World.unsigned(module: largest + [0]) }
    }

    @Test func `A package over 16 MiB is not even looked at`() async throws {
        let half = [UInt8](repeating: 0x5A, count: 6 << 20)
        let plugin = try World.manifest.passage(from: "<Plugin name", to: "</Plugin>")
        let twice = try World.manifest.with(
            plugin,
            plugin + plugin.with("\"vacation\"", "\"second\"").with("urn:example:vacation", "urn:example:second"))
        await expectRefusal("larger than 16 MiB") { try World.unsigned(twice, module: half + half.prefix(1 << 20)) }
        #expect(try World.unsigned(twice, module: half.dropLast(1 << 20)).count < PackageLimits.size)
        await expectRefusal("larger than 16 MiB") {
            try PluginPackage(octets: [UInt8](repeating: 0x20, count: PackageLimits.size + 1))
        }
    }
}
