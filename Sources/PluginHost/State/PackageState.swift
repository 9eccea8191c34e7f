import Foundation
import PluginAPI
import PluginPackage

/// What is kept about a package beside its octets: `PluginPackageRecord.state`, as JSON.
struct PackageState: Codable, Sendable {
    /// Of this layout. A later layout is refused: an older server must not drop what it does not understand.
    static let currentFormat = 1
    /// The store's limit.
    static let maximumSize = 256 << 10

    var format = currentFormat
    var title: String
    /// nil: compiled in.
    var publisher: PublisherIdentity?
    /// Whether only this publisher may install it: until it is removed together with all its values.
    var isPinned = true
    /// When the certificates were judged.
    var verified: Date?
    var installedBy: String
    /// The highest version ever installed.
    var highest: PluginVersion
    /// What the package's plug-ins are, known also when its octets are not readable.
    var members: [Member]
    /// By name.
    var plugins: [String: PluginState]

    struct Member: Codable, Sendable {
        var descriptor: PluginDescriptor
        /// False for kinds that servers do not run.
        var runsHere: Bool
    }

    /// - Throws: ``PluginError`` `.storage`.
    init(octets: [UInt8]) throws(PluginError) {
        do {
            self = try JSONDecoder().decode(PackageState.self, from: Data(octets))
        } catch {
            throw PluginError(.storage, "what is kept about it is unreadable")
        }
        guard format <= Self.currentFormat else { throw PluginError(.storage, "it was installed by a newer version of the server") }
    }

    init(title: String, installedBy: String, highest: PluginVersion, members: [Member]) {
        self.title = title
        self.installedBy = installedBy
        self.highest = highest
        self.members = members
        plugins = [:]
    }

    /// - Throws: ``PluginError`` `.limitExceeded`.
    func encoded() throws(PluginError) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let data: Data
        do { data = try encoder.encode(self) } catch { throw PluginError(.invalid, "its state cannot be written") }
        guard data.count <= Self.maximumSize else {
            throw PluginError(.limitExceeded, "its descriptions and settings take more than 256 KiB")
        }
        return Array(data)
    }
}

/// What the administrator said of one plug-in.
struct PluginState: Codable, Sendable {
    /// nil: nothing; the configuration decides.
    var isLoaded: Bool?
    var isEnabled = true
    /// By role, instead of the manifest's.
    var priorities: [String: Int] = [:]
    /// nil: the manifest's.
    var policy: FailurePolicy?
    var limits = PluginLimits()
    /// Over the manifest's presets.
    var settings: [String: String] = [:]
    var granted: Set<PluginCapability> = []
}
