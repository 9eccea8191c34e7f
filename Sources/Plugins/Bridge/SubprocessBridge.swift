import PluginAPI

/// Hands events to a program of this machine and takes its verdicts (docs/plugins.md, "The bridge"): frames of the ABI on the
/// program's standard input and output, each after its length in 4 octets, little-endian.
///
/// The program is trusted: it runs as the server's user, outside any sandbox. What of a message it sees is what the bridge has
/// been granted. Its acts outside the server happen at least once; an event's id tells repetitions.
public struct SubprocessBridge: SendingProcessor, DeliveryProcessor, ExtensionProcessor {
    private let settings: BridgeSettings
    private let workers: [BridgeWorker]
    let places: BridgePlaces

    init(
        _ settings: BridgeSettings, now: @escaping @Sendable () -> ContinuousClock.Instant = { ContinuousClock.now }
    ) {
        self.settings = settings
        workers = (0..<settings.processes).map { _ in BridgeWorker(settings, now: now) }
        places = BridgePlaces(settings.processes)
    }

    static var descriptor: PluginDescriptor {
        get throws(PluginError) {
            PluginDescriptor(
                identifier: try PluginIdentifier(package: BuiltIns.package, name: "bridge"), version: PluginVersion(1, 0, 0),
                summary: "Hands events to a program of this machine.", roles: [.sending: 900, .delivery: 900, .extension: 500],
                extensions: [ExtensionDeclaration(identifier: "urn:wsemail:bridge")],
                capabilities: [.subprocess, .log, .content, .identity, .rawXML], failurePolicy: .closed,
                settings: BridgeSettings.declarations)
        }
    }

    /// Starts one process, so that a program which cannot run is seen now.
    public func start(_ context: PluginContext) async throws { try await workers.first?.prepare() }

    public func stop() async {
        places.endAll()
        for worker in workers { await worker.stop() }
    }

    public func health() async -> PluginHealth {
        for worker in workers {
            if let failure = await worker.lastFailure { return .degraded(failure) }
        }
        return .healthy
    }

    public func process(_ submission: SubmissionEvent, _ environment: any PluginEnvironment) async throws -> SendingVerdict {
        guard settings.roles.contains(.sending) else { return .proceed }
        return try await exchange(.sending(submission), environment) { octets throws(PluginError) in try VerdictFrames.sending(octets) }
    }

    public func process(_ delivery: DeliveryEvent, _ environment: any PluginEnvironment) async throws -> DeliveryVerdict {
        guard settings.roles.contains(.delivery) else { return .proceed }
        return try await exchange(.delivery(delivery), environment) { octets throws(PluginError) in try VerdictFrames.delivery(octets) }
    }

    public func answer(_ call: ExtensionEvent, _ environment: any PluginEnvironment) async throws -> [UInt8] {
        guard settings.roles.contains(.extension) else { throw PluginFault("this server's bridge takes no requests") }
        let verdict = try await exchange(.extension(call), environment) { octets throws(PluginError) in try VerdictFrames.answer(octets) }
        switch verdict {
        case .answer(let element): return element
        case .refuse(let fault): throw fault
        }
    }

    private func exchange<Verdict: Sendable>(
        _ event: PluginEvent, _ environment: any PluginEnvironment,
        _ judge: @escaping @Sendable ([UInt8]?) throws(PluginError) -> Verdict
    ) async throws(PluginError) -> Verdict {
        let octets = EventFrames.encode(event)
        guard let (index, hasWaited) = await places.take() else { throw Self.busy }
        let (worker, places) = (workers[index], places)
        let cancellation = BridgeCancellation()
        places.begins(cancellation, at: index)
        let outcome = BridgeOutcome<(verdict: Verdict, lines: [String])>()
        // Unavoidable: an event whose call is given up may go on, and a child task could not be left behind.
        Task {
            let result: Result<(verdict: Verdict, lines: [String]), PluginError>
            do throws(PluginError) {
                result = .success(try await worker.exchange(octets, cancellation, judge))
            } catch {
                result = .failure(error)
            }
            places.giveBack(index)
            outcome.resolve(result)
        }
        let result = await withTaskCancellationHandler {
            await outcome.value()
        } onCancel: {
            guard hasWaited else { return cancellation.cancel() }
            // Its time went by while others were before it. The program keeps all of its own; the answer comes to nobody.
            cancellation.giveUp()
            outcome.resolve(.failure(Self.busy))
        }
        let (verdict, lines) = try result.get()
        // Without the capability `log` what the program says is lost; its verdict counts all the same.
        for line in lines { try? environment.log(.info, VerdictRules.line(line)) }
        return verdict
    }

    private static let busy = PluginError(.busy, "all processes of the program were at work")
}
