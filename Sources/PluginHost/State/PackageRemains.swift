import Foundation
import MailStore
import PluginAPI
import PluginPackage

/// What can still be read of a package's state that is damaged, or of a layout to come: enough to know whose work mail must not
/// do without.
struct PackageRemains {
    let damage: PluginError
    /// A later layout: whole, but not to be overwritten.
    let isNewer: Bool
    let title: String?
    let publisher: PublisherIdentity?
    let verified: Date?
    let highest: PluginVersion?
    let members: [PackageState.Member]
    /// There were members that cannot be read any more, or nobody can say.
    let hasLost: Bool
    private let plugins: [String: Maybe<PluginState>]

    private struct Maybe<Value: Decodable>: Decodable {
        let value: Value?
        init(from decoder: any Decoder) { value = try? Value(from: decoder) }
    }

    private struct Layout: Decodable {
        var format: Maybe<Int>?
        var title: Maybe<String>?
        var publisher: Maybe<PublisherIdentity>?
        var verified: Maybe<Date>?
        var highest: Maybe<PluginVersion>?
        var members: Maybe<[Maybe<PackageState.Member>]>?
        var plugins: Maybe<[String: Maybe<PluginState>]>?
    }

    init(_ octets: [UInt8], _ damage: PluginError) {
        self.damage = damage
        let layout = try? JSONDecoder().decode(Layout.self, from: Data(octets))
        let found = layout?.members?.value ?? []
        isNewer = (layout?.format?.value ?? 0) > PackageState.currentFormat
        title = layout?.title?.value
        publisher = layout?.publisher?.value
        verified = layout?.verified?.value
        highest = layout?.highest?.value
        members = found.compactMap(\.value)
        hasLost = found.isEmpty || found.count > members.count
        plugins = layout?.plugins?.value ?? [:]
    }

    /// What the administrator said of a plug-in; to be loaded, where that is lost.
    func state(of name: String) -> PluginState { plugins[name]?.value ?? PluginState(isLoaded: true) }

    /// Stands for plug-ins of which nothing is known: mail waits for them in every role.
    static func unknown(in package: String) throws(PluginError) -> PluginDescriptor {
        let identifier =
            PluginIdentifier.isPackage(package)
            ? try PluginIdentifier(package: package, name: "unreadable")
            : try PluginIdentifier(package: "org.wsemail.damaged", name: "unreadable")
        return PluginDescriptor(
            identifier: identifier, version: PluginVersion(0, 0, 0), summary: "What is kept about this package is unreadable.",
            roles: [.sending: 0, .delivery: 0, .resolver: 0], failurePolicy: .closed)
    }
}
