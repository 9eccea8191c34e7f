import Foundation
import Identity
import MailStore
import PluginAPI
import Synchronization

@testable import PluginHost

/// Files of two owners in memory.
final class MemoryFiles: HostFiles {
    private let files: Mutex<[String: [UInt8]]>

    init(_ files: [(owner: Address, digest: [UInt8], octets: [UInt8])]) {
        self.files = Mutex(Dictionary(uniqueKeysWithValues: files.map { (Self.key($0.owner, $0.digest), $0.octets) }))
    }

    private static func key(_ owner: Address, _ digest: [UInt8]) -> String { "\(owner) \(digest)" }
    private func file(_ owner: Address, _ digest: [UInt8]) -> [UInt8]? { files.withLock { $0[Self.key(owner, digest)] } }

    func size(of digest: [UInt8], owner: Address) async -> UInt64? { file(owner, digest).map { UInt64($0.count) } }

    func read(_ digest: [UInt8], owner: Address, at offset: UInt64, count: Int) async throws(PluginError) -> [UInt8] {
        guard let file = file(owner, digest) else { throw PluginError(.unavailable, "no such file") }
        return Array(file.dropFirst(Int(offset)).prefix(count))
    }

    func openUpload(_ digest: [UInt8], size: UInt64, owner: Address) async throws(PluginError) -> UploadOffer {
        guard size <= 100 else { throw PluginError(.limitExceeded, "no room") }
        return file(owner, digest) == nil ? .open(id: "\(owner)", ticket: [1], offset: 0, expires: HostWorld.now) : .complete
    }
}

extension HostWorld {
    /// Ann has handed in the files 1 and 2 of the sample message, eve has 3; file 2 is larger than the message says.
    static let files = MemoryFiles([
        (Sample.ann, Sample.digest(1), [1]), (Sample.ann, Sample.digest(2), [2, 2]), (Sample.eve, Sample.digest(3), [3]),
    ])
}

extension Sample {
    static let guid = "0123456789abcdef0123456789abcdef"
    static func guid(_ digit: Int) -> String { String(repeating: String(digit), count: 32) }
    static let blob = KeptBlob(owner: ann, digest: digest(1), size: 1, guid: guid)

    /// The sample submission, all of whose files are said to be here.
    static func submission(
        _ options: [SubmissionOption] = [], files: Set<[UInt8]> = [digest(1), digest(2), digest(3)]
    ) -> SubmissionEvent {
        SubmissionEvent(message: message, recipients: [bob, eve], identity: caller, files: files, options: options)
    }

    /// A compiled-in plug-in with capabilities from the start.
    static func keeper(
        _ name: String, roles: [PluginRole: Int] = [.sending: 1], extensions: [ExtensionDeclaration] = [],
        capabilities: Set<PluginCapability> = [.blobs, .keyValue, .clock], policy: FailurePolicy = .closed, _ script: PluginScript,
        tidy: (@Sendable (any PluginEnvironment) async throws -> Bool)? = nil,
        removed: (@Sendable (Address, any PluginEnvironment) async throws -> Bool)? = nil
    ) -> BuiltInPlugin {
        let descriptor = PluginDescriptor(
            identifier: plugin(name), version: PluginVersion(1, 0, 0), summary: "a test", roles: roles, extensions: extensions,
            capabilities: capabilities, failurePolicy: policy)
        return BuiltInPlugin(descriptor: descriptor, grants: capabilities) { _ throws(PluginError) in
            let plugin = ScriptedPlugin(script, CallLog(), name)
            if let removed { return WatchingPlugin(plugin: plugin, removed: removed) }
            guard let tidy else { return plugin }
            return KeepingPlugin(plugin: plugin, tidying: tidy)
        }
    }
}

/// A scripted plug-in that also tidies up.
struct KeepingPlugin: SendingProcessor, DeliveryProcessor, Housekeeper {
    let plugin: ScriptedPlugin
    let tidying: @Sendable (any PluginEnvironment) async throws -> Bool

    func process(_ submission: SubmissionEvent, _ environment: any PluginEnvironment) async throws -> SendingVerdict {
        try await plugin.process(submission, environment)
    }
    func process(_ delivery: DeliveryEvent, _ environment: any PluginEnvironment) async throws -> DeliveryVerdict {
        try await plugin.process(delivery, environment)
    }
    func tidy(_ environment: any PluginEnvironment) async throws -> Bool { try await tidying(environment) }
}

/// A scripted plug-in that learns of accounts that go.
struct WatchingPlugin: SendingProcessor, AccountObserver {
    let plugin: ScriptedPlugin
    let removed: @Sendable (Address, any PluginEnvironment) async throws -> Bool

    func process(_ submission: SubmissionEvent, _ environment: any PluginEnvironment) async throws -> SendingVerdict {
        try await plugin.process(submission, environment)
    }
    func accountRemoved(_ address: Address, _ environment: any PluginEnvironment) async throws -> Bool {
        try await removed(address, environment)
    }
}

extension PluginRun {
    var effects: PluginEffects { PluginEffects(checks: checks, writes: writes) }
}
