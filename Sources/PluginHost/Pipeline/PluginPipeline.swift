import Identity
import PluginAPI

/// The plug-ins of one moment, in order. Immutable: an event that uses one value sees one set of plug-ins in one version each,
/// whatever the administrator does meanwhile. Let go of it when the event is done: plug-ins that were replaced end only then.
public struct PluginPipeline: Sendable {
    let snapshot: PipelineSnapshot

    public static let empty = PluginPipeline(snapshot: PipelineSnapshot(generation: 0, queues: [:], extensions: [:]))

    /// Grows with every reconciliation of the host.
    public var generation: UInt64 { snapshot.generation }
    /// Whether `submit` can do anything; true also for a fail-closed plug-in that is out.
    public var hasSending: Bool { !snapshot.sending.isEmpty }
    /// Whether a plug-in keeps files that come with submissions; true also for one that is out.
    public var keepsFiles: Bool { snapshot.sending.contains(where: \.isCustodian) }
    /// Whether `deliver` can do anything; true also for a fail-closed plug-in that is out.
    public var hasDelivery: Bool { !snapshot.delivery.isEmpty }
    /// Whether `resolve` can do anything; true also for a fail-closed plug-in that is out.
    public var hasResolvers: Bool { !snapshot.resolvers.isEmpty }

    /// Whether an author can say something to the plug-in that owns an identifier: it is there, and judges submissions. Refuse
    /// options for which it says no (`UnsupportedConstraint`): none is ever passed over.
    public func takesOption(_ identifier: String) -> Bool {
        guard let owner = snapshot.extensions[identifier]?.entry.identifier else { return false }
        return snapshot.sending.contains { $0.identifier == owner }
    }

    /// Asks the sending processors in order. Call it before T1 (design §5.1).
    /// - Parameter event: in full; each plug-in sees of it what it was granted.
    public func submit(_ event: SubmissionEvent, in run: PluginRun) async -> SendingOutcome {
        var chain = SendingChain(event)
        for entry in snapshot.sending {
            let current = chain.current
            let owned = { @Sendable [snapshot] in snapshot.extensions[$0]?.entry.identifier == entry.identifier }
            if entry.isCustodian, current.message.attachments.isEmpty, !current.options.contains(where: { owned($0.identifier) }) {
                continue
            }
            let result = await entry.call(run, generation) { [chain] instance, environment in
                guard let plugin = instance.sending else { throw PluginError(.failed, "it is no sending processor") }
                let stripped = EventFilter(granted: instance.key.granted).submission(current, owned: owned)
                let event = await environment.beginSending(stripped)
                let verdict = try VerdictRules.checked(await plugin.process(event, environment))
                if case .keep(let guids) = verdict { try environment.keep(guids) }
                return try chain.applying(verdict, by: instance.identifier)
            }
            switch result {
            case .success(.goOn(let next)): chain = next
            case .success(.refuse(let reason, let isTransient)):
                return .refused(reason: reason, isTransient: isTransient, plugin: entry.identifier)
            case .failure(let failure):
                // Whatever its policy: what the author has said to it must not be passed over.
                guard entry.stops(failure) || current.options.contains(where: { owned($0.identifier) }) else { continue }
                return .unavailable(reason: failure.reason, plugin: entry.identifier)
            }
        }
        return chain.outcome
    }

    /// Asks the delivery processors in order, for one recipient.
    public func deliver(_ event: DeliveryEvent, in run: PluginRun) async -> DeliveryOutcome {
        var folder: String?
        var flags: Set<DeliveryFlag> = []
        for entry in snapshot.delivery {
            let result = await entry.call(run, generation) { instance, environment in
                guard let plugin = instance.delivery else { throw PluginError(.failed, "it is no delivery processor") }
                let stripped = EventFilter(granted: instance.key.granted).delivery(event)
                let verdict = try VerdictRules.checked(await plugin.process(stripped, environment))
                if case .redirect(let targets) = verdict, targets.contains(event.recipient) {
                    throw PluginError(.invalid, "it passes mail of \(event.recipient) on to the same address")
                }
                return verdict
            }
            switch result {
            case .success(.proceed): continue
            case .success(.file(let name, let more)):
                folder = name
                flags.formUnion(more)
            case .success(.consume): return .consumed(by: entry.identifier)
            case .success(.redirect(let targets)): return .redirect(targets, by: entry.identifier)
            case .success(.refuse(let reason)): return .refused(reason: reason, by: entry.identifier)
            case .success(.later(let seconds, let reason)):
                return .later(seconds: seconds, reason: reason, by: entry.identifier)
            case .failure(let failure):
                guard entry.stops(failure) else { continue }
                return .unavailable(reason: failure.reason, by: entry.identifier)
            }
        }
        return .deliver(folder: folder, flags: flags)
    }

    /// Asks the resolvers in order until one knows the address.
    public func resolve(_ address: Address, in run: PluginRun) async -> ResolverOutcome {
        for entry in snapshot.resolvers {
            let result = await entry.call(run, generation) { instance, environment -> [Address]? in
                guard let plugin = instance.resolver else { throw PluginError(.failed, "it is no resolver") }
                guard let known = try await plugin.resolve(address, environment) else { return nil }
                guard !known.contains(address) else { throw PluginError(.invalid, "it says that \(address) is itself") }
                return try VerdictRules.checked(resolved: known)
            }
            switch result {
            case .success(nil): continue
            case .success(.some(let addresses)): return .resolved(addresses, by: entry.identifier)
            case .failure(let failure):
                guard entry.stops(failure) else { continue }
                return .unavailable(reason: failure.reason, by: entry.identifier)
            }
        }
        return .unknown
    }

    /// Hands a call to the plug-in that owns the identifier.
    public func answer(_ event: ExtensionEvent, caller kind: ExtensionCaller, in run: PluginRun) async -> ExtensionOutcome {
        guard let route = snapshot.extensions[event.identifier] else { return .unknownIdentifier }
        guard route.callers.contains(kind) else { return .notPermitted }
        let result = await route.entry.call(run, generation) { instance, environment in
            guard let plugin = instance.extensions else { throw PluginError(.failed, "it is no extension") }
            let stripped = EventFilter(granted: instance.key.granted).call(event)
            environment.begin(.extensionCall)
            let answer = try await plugin.answer(stripped, environment)
            let limit = instance.answerLimit
            guard !answer.isEmpty, answer.count <= limit else {
                throw PluginError(.limitExceeded, "an answer has 1 to \(limit) octets")
            }
            guard String(validating: answer, as: UTF8.self) != nil else { throw PluginError(.invalid, "the answer is not UTF-8") }
            return answer
        }
        switch result {
        case .success(let answer): return .answered(answer, by: route.entry.identifier)
        case .failure(.fault(let fault)): return .fault(fault, by: route.entry.identifier)
        case .failure(let failure): return .unavailable(reason: failure.reason, by: route.entry.identifier)
        }
    }
}

extension CallFailure {
    var reason: String {
        switch self {
        case .error(let error): error.description
        case .fault(let fault): fault.reason
        case .shutDown: "the plug-in host is shut down"
        }
    }
}
