import Foundation
import PluginAPI
import PluginPackage

/// A package that was found good.
struct ReadPackage: Sendable {
    let identifier: String
    let version: PluginVersion
    let title: String
    let minimumServer: PluginVersion?
    let digest: [UInt8]
    let publisher: PublisherIdentity
    let members: [Member]

    struct Member: Sendable {
        let descriptor: PluginDescriptor
        /// nil: a kind that servers do not run.
        let module: [UInt8]?
        let moduleDigest: [UInt8]
    }
}

/// Reads and verifies packages. A seam: tests of the host need no certificates.
protocol PackageSource: Sendable {
    /// - Throws: ``PluginError`` `.refused` and others, with a reason for the administrator.
    func read(_ octets: [UInt8], trust: PackageTrust, at: Date) async throws(PluginError) -> ReadPackage
}

/// The real thing: `.wsep` files.
struct SignedPackageSource: PackageSource {
    func read(_ octets: [UInt8], trust: PackageTrust, at date: Date) async throws(PluginError) -> ReadPackage {
        var anchors: [PublisherAnchor] = []
        for anchor in trust.anchors where anchor.count == 2 {
            anchors.append(try PublisherAnchor(pem: anchor[0], label: anchor[1]))
        }
        let verifier = PackageVerifier(PublisherAnchors(anchors: anchors, revoked: trust.revoked))
        let verified = try await verifier.verify(octets, at: date)
        let package = verified.package
        return ReadPackage(
            identifier: package.identifier, version: package.version, title: package.title, minimumServer: package.minimumServer,
            digest: package.digest, publisher: verified.publisher,
            members: package.members.map { member in
                var module: [UInt8]?
                if case .server(let octets) = member.kind { module = octets }
                return ReadPackage.Member(descriptor: member.descriptor, module: module, moduleDigest: member.moduleDigest)
            })
    }
}
