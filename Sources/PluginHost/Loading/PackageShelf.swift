import Foundation
import MailStore
import PluginAPI

/// Packages that were verified in one reconciliation, and which ones need no second look in the next. Only the
/// host's reconciliation uses it, one at a time.
struct PackageShelf {
    private struct Check: Hashable {
        let digest: [UInt8]
        let verified: Date
    }

    private let source: any PackageSource
    private let store: any PluginStore
    private var trust = PackageTrust(anchors: [], revoked: [])
    private var good: Set<Check> = []
    /// Modules are large: they are kept for one reconciliation only.
    private var open: [String: Result<ReadPackage, PluginError>] = [:]

    init(_ source: any PackageSource, _ store: any PluginStore) {
        self.source = source
        self.store = store
    }

    mutating func begin(_ trust: PackageTrust) {
        if trust != self.trust { good = [] }
        self.trust = trust
        open = [:]
    }

    mutating func end() { open = [:] }

    /// Whether the package still counts: its publisher is believed, judged as of the day of its installation.
    mutating func check(_ id: String, digest: [UInt8], verified: Date) async throws(PluginError) {
        guard !good.contains(Check(digest: digest, verified: verified)) else { return }
        _ = try await package(id, digest: digest, verified: verified)
    }

    /// - Throws: ``PluginError`` `.refused`, `.storage`.
    mutating func package(_ id: String, digest: [UInt8], verified: Date) async throws(PluginError) -> ReadPackage {
        if let known = open[id] { return try known.get() }
        let result: Result<ReadPackage, PluginError>
        do throws(PluginError) {
            result = .success(try await read(id, digest, verified))
            good.insert(Check(digest: digest, verified: verified))
        } catch {
            result = .failure(error)
        }
        open[id] = result
        return try result.get()
    }

    private func read(_ id: String, _ digest: [UInt8], _ verified: Date) async throws(PluginError) -> ReadPackage {
        let octets: [UInt8]?
        do { octets = try await store.packageOctets(id) } catch { throw PluginError(.storage, error.reason) }
        guard let octets else { throw PluginError(.storage, "the package's file is not in the store") }
        let package = try await source.read(octets, trust: trust, at: verified)
        guard package.digest == digest, package.identifier == id else {
            throw PluginError(.refused, "the package in the store is not the one that was installed")
        }
        return package
    }
}
