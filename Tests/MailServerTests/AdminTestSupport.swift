import Foundation
import Identity
import Logging
import MailStore
import NIOPosix
import SQLiteStore
import Synchronization
import Testing

@testable import MailServer

/// A folder that goes with the value.
final class AdminFolder: Sendable {
    let path: String

    init() throws {
        path = "/tmp/wsemail-admin-" + RandomID.hex(6)
        try PrivateFile.createFolder(path)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func mode(_ name: String) -> Int? {
        let attributes = try? FileManager.default.attributesOfItem(atPath: path + "/" + name)
        return (attributes?[.posixPermissions] as? NSNumber)?.intValue
    }

    func exists(_ name: String) -> Bool { FileManager.default.fileExists(atPath: path + "/" + name) }
}

/// What the hooks of a service were told.
final class AdminEvents: Sendable {
    private let state = Mutex<[String]>([])
    var all: [String] { state.withLock { $0 } }
    func add(_ event: String) { state.withLock { $0.append(event) } }
}

/// A service on a real store, with hooks that write down what they are told.
struct AdminBench: Sendable {
    static let now = Date(timeIntervalSince1970: 1_780_000_000)
    static let domain = "capicom.test"

    let folder: AdminFolder
    let store: SQLiteStore
    let configuration: ServerConfiguration
    let events = AdminEvents()
    let log = AdminEvents()
    var hooks = AdminHooks()

    init() throws {
        folder = try AdminFolder()
        var configuration = ServerConfiguration(domain: try MailDomain(AdminBench.domain), hostName: "mail.capicom.test")
        configuration.dataDirectory = folder.path
        self.configuration = configuration
        store = try SQLiteStore(
            configuration: SQLiteConfiguration(path: configuration.databasePath),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let events = events
        // Hashing for real costs 50 ms and proves nothing here, except in one test.
        hooks.hashPassword = { "hash of \($0.count) characters" }
        hooks.sessionsEnded = { events.add("ended \($0.sorted().joined(separator: ","))") }
        hooks.trustChanged = { events.add("trust") }
        hooks.peerForgotten = { events.add("forgotten \($0)") }
        hooks.retryWanted = { events.add("retry \($0?.description ?? "all")") }
        hooks.publishMetadata = { events.add("published") }
        hooks.queueChanged = { events.add("queue") }
    }

    var service: AdminService {
        let log = log
        return AdminService(
            configuration: configuration, store: store, hooks: hooks,
            logger: Logger(label: "test") { _ in AdminRecordingHandler(events: log) }, clock: { AdminBench.now })
    }

    /// Performs an act as root.
    @discardableResult
    func perform(
        _ command: AdminCommand, _ arguments: [AdminArgument: String] = [:], secret: String? = nil
    ) async -> AdminReply {
        await service.perform(
            AdminRequest(command, arguments, secret: secret), by: AdminCaller(user: 0, path: .direct))
    }

    func addUser(_ address: String) async {
        let reply = await perform(.userAdd, [.address: address], secret: "correct horse")
        #expect(reply.ok)
    }
}

/// Keeps every log line with all its metadata.
struct AdminRecordingHandler: LogHandler {
    let events: AdminEvents
    var logLevel = Logger.Level.trace
    var metadata: Logger.Metadata = [:]

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let fields = (event.metadata ?? [:]).sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        events.add("\(event.level) \(event.message) \(fields.joined(separator: " "))")
    }
}

/// Runs blocking calls away from the cooperative threads.
func blocking<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
    try await NIOThreadPool.singleton.runIfActive(body)
}

/// Waits until a server listens at `path`.
func waitForSocket(_ path: String) async throws {
    for _ in 0..<500 {
        if try SocketFile.state(of: path) == .answering { return }
        try await Task.sleep(for: .milliseconds(10))
    }
    Issue.record("nobody listens at \(path)")
}
