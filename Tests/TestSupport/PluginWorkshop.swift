import Foundation
import Identity
import PluginPackage

/// A publisher who builds, signs and installs packages as a developer and an administrator would: real modules of
/// Examples/plugins, real signatures, the admin socket.
public struct PluginWorkshop: Sendable {
    public let authority: PublisherAuthority
    public let certificatePEM: String
    public let keyPEM: String

    public static let publisher = "Example Publisher"

    /// When it signs.
    private let signing: Date?

    /// - Parameter signsNow: false: it signs at `now`, whatever the time is by then.
    public init(now: Date = Date(), signsNow: Bool = true) throws {
        signing = signsNow ? nil : now
        authority = try PublisherAuthority.create(name: PluginWorkshop.publisher, now: now)
        let key = PublisherKey()
        certificatePEM = try authority.issueCodeSigningCertificate(
            publicKey: key.publicKey, publisher: PluginWorkshop.publisher, now: now
        ).pem
        keyPEM = key.pem
    }

    /// Where Examples/plugins/build puts its modules; scripts/test builds them.
    public static var folder: String {
        ProcessInfo.processInfo.environment["WSEMAIL_PLUGINS"] ?? projectRoot + "/.build-plugins"
    }

    /// The sources of the examples.
    public static var examples: String { projectRoot + "/Examples/plugins" }

    /// The engine that scripts/test fetches.
    public static var engine: String {
        ProcessInfo.processInfo.environment["WSEMAIL_WASMTIME"] ?? projectRoot + "/.build-wasmtime/libwasmtime.so"
    }

    private static let projectRoot = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path

    /// A signed package of an example.
    /// - Parameter changes: texts of the manifest to replace; each must occur.
    public func package(_ name: String, _ changes: [(String, String)] = []) throws -> [UInt8] {
        var manifest = try String(contentsOfFile: PluginWorkshop.folder + "/\(name).xml", encoding: .utf8)
        for (old, new) in changes {
            guard manifest.contains(old) else { throw WorkshopError(description: "the manifest of \(name) has no \(old)") }
            manifest = manifest.replacingOccurrences(of: old, with: new)
        }
        return try sign(PackageBuilder(manifest: Array(manifest.utf8), file: PackageBuilder.folder(PluginWorkshop.folder)).unsigned())
    }

    public func version(_ name: String, _ version: String, _ changes: [(String, String)] = []) throws -> [UInt8] {
        try package(name, [("<Version>1.0.0</Version>", "<Version>\(version)</Version>")] + changes)
    }

    /// A signed package of a module that is given as octets.
    public func package(manifest: String, module: [UInt8]) throws -> [UInt8] {
        try sign(PackageBuilder(manifest: Array(manifest.utf8), file: { _ in module }).unsigned())
    }

    public func sign(_ octets: [UInt8]) throws -> [UInt8] {
        try PackageBuilder.sign(octets, certificatePEM: certificatePEM, keyPEM: keyPEM, now: signing ?? Date())
    }
}

/// A test's own mistake.
struct WorkshopError: Error, CustomStringConvertible {
    let description: String
}
