import Foundation
import Identity
import PluginAPI
import Synchronization
import Testing

@testable import Plugins

/// An environment without any effects: it keeps what is logged.
final class LoggingEnvironment: PluginEnvironment {
    private let state = Mutex<[String]>([])
    let isGranted: Bool

    init(granted: Bool = true) { isGranted = granted }

    var lines: [String] { state.withLock { $0 } }
    var settings: [String: String] { [:] }

    func log(_ level: PluginLogLevel, _ text: String) throws(PluginError) {
        guard isGranted else { throw PluginError(.notGranted, "log") }
        state.withLock { $0.append(text) }
    }

    func now() throws(PluginError) -> Date { throw PluginError(.notGranted, "clock") }
    func value(for key: [UInt8]) async throws(PluginError) -> [UInt8]? { throw PluginError(.notGranted, "key-value") }
    func setValue(_ value: [UInt8]?, for key: [UInt8]) async throws(PluginError) { throw PluginError(.notGranted, "key-value") }
    func keys(withPrefix prefix: [UInt8], after cursor: [UInt8]?, limit: Int) async throws(PluginError) -> [[UInt8]] {
        throw PluginError(.notGranted, "key-value")
    }
    func send(_ message: OutgoingMessage) async throws(PluginError) { throw PluginError(.notGranted, "send") }
    func lookUp(_ address: Address) async throws(PluginError) -> AddressStanding { throw PluginError(.notGranted, "look-up") }
}

/// A clock that stands still until somebody turns it.
final class HandClock: Sendable {
    private let state = Mutex(ContinuousClock.now)
    var now: ContinuousClock.Instant { state.withLock { $0 } }
    func turn(_ duration: Duration) { state.withLock { $0 += duration } }
}

enum Fixture {
    static let python = ["/usr/bin/python3", "/usr/local/bin/python3", "/opt/homebrew/bin/python3"]
        .first { FileManager.default.isExecutableFile(atPath: $0) }

    static func settings(_ mode: String, _ arguments: [String] = [], _ more: [String: String] = [:]) throws -> [String: String] {
        let python = try #require(Fixture.python, "no python3")
        let program = try #require(Bundle.module.url(forResource: "program", withExtension: "py", subdirectory: "Programs"))
        // Isolated and without site packages: it starts in a third of the time.
        var settings = ["command": python, "argument.1": "-IS", "argument.2": program.path, "argument.3": mode]
        for (index, argument) in arguments.enumerated() { settings["argument.\(index + 4)"] = argument }
        settings["timeout-ms"] = "60000"
        settings["restart-ms"] = "0"
        settings["roles"] = "delivery, sending, extension"
        return settings.merging(more) { $1 }
    }

    static func bridge(
        _ mode: String, _ arguments: [String] = [], _ more: [String: String] = [:], clock: HandClock = HandClock()
    ) throws -> SubprocessBridge {
        SubprocessBridge(try BridgeSettings(settings(mode, arguments, more)), now: { clock.now })
    }

    static func message(text: String = "hello") throws -> MessageFacts {
        MessageFacts(
            id: "urn:uuid:6f3c1f5e-6c38-4d6a-9f0e-111111111111", from: try Address("eve@far.example"),
            to: [try Address("bob@here.example")],
            cc: [], date: Date(timeIntervalSince1970: 1_790_000_000), inReplyTo: nil, size: 2000, isAutomatic: false, hasForm: false,
            attachments: [], content: MessageFacts.Content(subject: "Tea", text: text, html: nil), octets: nil)
    }

    static func delivery(text: String = "hello") throws -> DeliveryEvent {
        DeliveryEvent(
            eventID: "e1", message: try message(text: text), recipient: try Address("bob@here.example"), hops: 0,
            domain: try MailDomain("far.example"), postmark: nil)
    }

    static func submission() throws -> SubmissionEvent {
        SubmissionEvent(message: try message(), recipients: [try Address("bob@here.example")], identity: nil)
    }

    static func call(_ request: String) -> ExtensionEvent {
        ExtensionEvent(
            identifier: "urn:wsemail:bridge", request: Array(request.utf8),
            caller: CallerIdentity(principal: "bob@here.example", method: "session"))
    }

    /// A file that is not there yet.
    static func file() -> URL { FileManager.default.temporaryDirectory.appendingPathComponent("bridge-\(UUID().uuidString)") }

    static func lines(of file: URL) throws -> [String] {
        try String(contentsOf: file, encoding: .utf8).split(separator: "\n").map(String.init)
    }
}

extension SubprocessBridge {
    func deliver(_ environment: any PluginEnvironment = LoggingEnvironment()) async throws -> DeliveryVerdict {
        try await process(Fixture.delivery(), environment)
    }

    /// The folder that the program files into: how it tells what it knows.
    func said() async throws -> String {
        guard case .file(let folder, _) = try await deliver() else { throw PluginError(.failed, "no folder") }
        return folder
    }
}

extension LoggingEnvironment {
    func readFile(_ digest: [UInt8], at offset: UInt64, count: Int) async throws(PluginError) -> [UInt8] {
        throw PluginError(.notGranted, "files")
    }
    func openUpload(_ digest: [UInt8], size: UInt64) async throws(PluginError) -> UploadOffer {
        throw PluginError(.notGranted, "blobs")
    }
    func readBlob(_ blob: KeptBlob, at offset: UInt64, count: Int) async throws(PluginError) -> [UInt8] {
        throw PluginError(.notGranted, "blobs")
    }
    func offerDownload(_ blob: KeptBlob, to reader: Address, until: Date) async throws(PluginError) -> DownloadOffer {
        throw PluginError(.notGranted, "blobs")
    }
    func withdrawDownloads(of guid: String, reader: Address?) async throws(PluginError) { throw PluginError(.notGranted, "blobs") }
    func releaseBlob(_ blob: KeptBlob) async throws(PluginError) { throw PluginError(.notGranted, "blobs") }
}
