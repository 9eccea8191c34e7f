import Identity
import PluginAPI
import Synchronization

/// A compiled-in plug-in that does what the test says.
final class ScriptedPlugin: SendingProcessor, DeliveryProcessor, ExtensionProcessor, RecipientResolver {
    private let script: PluginScript
    private let log: CallLog
    private let name: String

    init(_ script: PluginScript, _ log: CallLog, _ name: String) {
        self.script = script
        self.log = log
        self.name = name
    }

    func start(_ context: PluginContext) async throws {
        log.add("start \(name)")
        try await script.start(context)
    }
    func stop() async { log.add("stop \(name)") }

    func process(_ submission: SubmissionEvent, _ environment: any PluginEnvironment) async throws -> SendingVerdict {
        log.add("call \(name)")
        return try await script.sending(submission, environment)
    }
    func process(_ delivery: DeliveryEvent, _ environment: any PluginEnvironment) async throws -> DeliveryVerdict {
        log.add("call \(name)")
        return try await script.delivery(delivery, environment)
    }
    func answer(_ call: ExtensionEvent, _ environment: any PluginEnvironment) async throws -> [UInt8] {
        log.add("call \(name)")
        return try await script.answer(call, environment)
    }
    func resolve(_ address: Address, _ environment: any PluginEnvironment) async throws -> [Address]? {
        log.add("call \(name)")
        return try await script.resolve(address, environment)
    }
}

/// What a ``ScriptedPlugin`` does in each role; nothing, unless said.
struct PluginScript: Sendable {
    var start: @Sendable (PluginContext) async throws -> Void = { _ in }
    var sending: @Sendable (SubmissionEvent, any PluginEnvironment) async throws -> SendingVerdict = { _, _ in .proceed }
    var delivery: @Sendable (DeliveryEvent, any PluginEnvironment) async throws -> DeliveryVerdict = { _, _ in .proceed }
    var answer: @Sendable (ExtensionEvent, any PluginEnvironment) async throws -> [UInt8] = { call, _ in call.request }
    var resolve: @Sendable (Address, any PluginEnvironment) async throws -> [Address]? = { _, _ in nil }
}

/// What happened, in order.
final class CallLog: Sendable {
    private let lines = Mutex<[String]>([])
    func add(_ line: String) { lines.withLock { $0.append(line) } }
    var all: [String] { lines.withLock { $0 } }
    func count(_ line: String) -> Int { all.count { $0 == line } }
}

/// Opens once; those who wait go on then.
final class Latch: Sendable {
    private struct State {
        var isOpen = false
        var waiting: [CheckedContinuation<Void, Never>] = []
    }
    private let state = Mutex(State())

    func open() {
        let waiting = state.withLock { state in
            defer { state.waiting = [] }
            state.isOpen = true
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }

    func wait() async {
        await withCheckedContinuation { continuation in
            let isOpen = state.withLock { state in
                if !state.isOpen { state.waiting.append(continuation) }
                return state.isOpen
            }
            if isOpen { continuation.resume() }
        }
    }
}
