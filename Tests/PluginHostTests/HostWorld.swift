import Crypto
import Foundation
import Identity
import Logging
import MailStore
import PluginAPI
import PluginEngine
import PluginPackage
import Synchronization

@testable import PluginHost

/// A host with its store, and plug-ins to put into it.
final class HostWorld: Sendable {
    static let now = Date(timeIntervalSince1970: 1_780_315_200)
    let store = MemoryPluginStore()
    let engine = FakeEngine()
    let configuration: PluginHostConfiguration
    let builtIns: [BuiltInPlugin]
    let host: PluginHost
    let manager: PluginManager

    /// - Parameter builtIns: are loaded, if the configuration names them.
    init(_ builtIns: [BuiltInPlugin] = [], change: (inout PluginHostConfiguration) -> Void = { _ in }) throws {
        var configuration = PluginHostConfiguration(
            serverVersion: PluginVersion(1, 0, 0), domain: try MailDomain("example.org"), defaultLimits: CallLimits(seconds: 30))
        if !builtIns.isEmpty { configuration.loadAtStart = builtIns.map(\.descriptor.identifier.description) }
        change(&configuration)
        self.configuration = configuration
        self.builtIns = builtIns
        host = Self.host(configuration, store, engine, builtIns)
        let engine = engine
        manager = PluginManager(
            configuration: configuration, store: store, engine: { () throws(PluginError) in engine }, builtIns: builtIns,
            logger: Self.quiet, clock: { HostWorld.now }, source: FakePackages())
    }

    /// Another process on the same store.
    func restarted() -> PluginHost { Self.host(configuration, store, engine, builtIns) }

    private static func host(
        _ configuration: PluginHostConfiguration, _ store: MemoryPluginStore, _ engine: FakeEngine, _ builtIns: [BuiltInPlugin]
    ) -> PluginHost {
        let services = HostServices(
            lookUp: { address throws(PluginError) in
                address.domain != configuration.domain ? .foreign : address.local == "ann" ? .mailbox : .unknown
            }, files: files)
        let parts = HostParts(configuration, store: store, services: services, logger: quiet, clock: { HostWorld.now })
        return PluginHost(parts, engine: { () throws(PluginError) in engine }, builtIns: builtIns, source: FakePackages())
    }

    static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    /// The state of a plug-in after a reconciliation.
    func state(_ plugin: String) async throws -> PluginStatus.State? {
        try await host.reconcile().first { $0.identifier.description == plugin }?.state
    }
}

/// Short ways to events and names.
enum Sample {
    static func address(_ text: String) -> Address {
        do { return try Address(text) } catch { fatalError("no address: \(text)") }
    }
    static func plugin(_ text: String) -> PluginIdentifier {
        do { return try PluginIdentifier(text) } catch { fatalError("no plug-in: \(text)") }
    }

    static let ann = address("ann@example.org")
    static let bob = address("bob@example.org")
    static let eve = address("eve@elsewhere.example")
    static func digest(_ byte: UInt8) -> [UInt8] { [UInt8](repeating: byte, count: 32) }

    static let message = MessageFacts(
        id: "urn:uuid:0b1f0a52-0000-4000-8000-000000000001", from: ann, to: [bob], cc: [], date: HostWorld.now, inReplyTo: nil,
        size: 100, isAutomatic: false, hasForm: false,
        attachments: (1...3).map { .init(name: "\($0)", mediaType: "text/plain", size: 1, digest: digest($0)) },
        content: .init(subject: "s", text: "t", html: nil), octets: [1, 2, 3])
    static let caller = CallerIdentity(principal: "ann@example.org", method: "x509", token: [9])
    static let submission = SubmissionEvent(message: message, recipients: [bob, eve], identity: caller)

    static func delivery() throws -> DeliveryEvent {
        DeliveryEvent(
            eventID: "e", message: message, recipient: bob, hops: 1, domain: try MailDomain("example.org"), postmark: [4, 5])
    }

    static func call(_ identifier: String = "urn:x", _ request: String = "<a/>") -> ExtensionEvent {
        ExtensionEvent(identifier: identifier, request: Array(request.utf8), caller: caller)
    }

    static func run() -> PluginRun { PluginRun(principal: ann, now: HostWorld.now) }

    static func descriptor(
        _ name: String, version: String = "1.0.0", roles: [PluginRole: Int], extensions: [String] = [],
        capabilities: Set<PluginCapability> = [], policy: FailurePolicy = .open, settings: [SettingDeclaration] = []
    ) -> PluginDescriptor {
        let version = (try? PluginVersion(version)) ?? PluginVersion(0, 0, 0)
        return PluginDescriptor(
            identifier: plugin(name), version: version, summary: "a test", roles: roles,
            extensions: extensions.map { ExtensionDeclaration(identifier: $0) }, capabilities: capabilities, failurePolicy: policy,
            settings: settings)
    }

    static func builtIn(_ descriptor: PluginDescriptor, _ script: PluginScript = PluginScript(), log: CallLog = CallLog()) -> BuiltInPlugin
    {
        BuiltInPlugin(descriptor: descriptor) { _ throws(PluginError) in
            ScriptedPlugin(script, log, descriptor.identifier.description)
        }
    }
}

/// A package as tests write it.
struct FakePackage: Codable {
    struct Member: Codable {
        var descriptor: PluginDescriptor
        /// What a ``FakeEngine`` makes of it; nil: a kind for mail programs.
        var module: String?
    }
    var identifier = "org.example.p"
    var version = "1.0.0"
    var publisher = "Example Ltd"
    var anchor = "anchor"
    var certificate = "certificate"
    var minimumServer: String?
    /// Refused from this time on.
    var notAfter = HostWorld.now + 1_000
    var members: [Member] = []

    /// One plug-in that proceeds at delivery, unless said otherwise.
    init(
        _ plugin: String, version: String = "1.0.0", roles: [PluginRole: Int] = [.delivery: 500], extensions: [String] = [],
        capabilities: Set<PluginCapability> = [], policy: FailurePolicy = .open, settings: [SettingDeclaration] = [],
        module: String = "proceed"
    ) {
        let descriptor = Sample.descriptor(
            plugin, version: version, roles: roles, extensions: extensions, capabilities: capabilities, policy: policy,
            settings: settings)
        identifier = descriptor.identifier.package
        self.version = version
        members = [Member(descriptor: descriptor, module: module)]
    }

    var octets: [UInt8] {
        get throws {
            let encoder = JSONEncoder()
            encoder.outputFormatting = .sortedKeys
            return Array(try encoder.encode(self))
        }
    }
}

struct FakePackages: PackageSource {
    func read(_ octets: [UInt8], trust: PackageTrust, at date: Date) async throws(PluginError) -> ReadPackage {
        do {
            let package = try JSONDecoder().decode(FakePackage.self, from: Data(octets))
            guard date < package.notAfter else { throw PluginError(.refused, "the publisher's certificate expired") }
            guard !trust.revoked.contains(package.certificate) else { throw PluginError(.refused, "the certificate is revoked") }
            let publisher: [String: Any] = [
                "name": package.publisher, "certificate": package.certificate, "anchor": package.anchor,
                "chain": [package.certificate, package.anchor], "notAfter": package.notAfter.timeIntervalSinceReferenceDate,
            ]
            let identity = try JSONDecoder().decode(PublisherIdentity.self, from: JSONSerialization.data(withJSONObject: publisher))
            return ReadPackage(
                identifier: package.identifier, version: try PluginVersion(package.version), title: "A package",
                minimumServer: try package.minimumServer.map { try PluginVersion($0) },
                digest: Array(SHA256.hash(data: octets)), publisher: identity,
                members: package.members.map { member in
                    let module = member.module.map { Array($0.utf8) }
                    return ReadPackage.Member(
                        descriptor: member.descriptor, module: module, moduleDigest: Array(SHA256.hash(data: module ?? [])))
                })
        } catch let error as PluginError {
            throw error
        } catch {
            throw PluginError(.refused, "no package: \(error)")
        }
    }
}
