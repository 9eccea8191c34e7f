import PluginAPI
import Synchronization

/// Gives each event a process of its own. Who finds none free waits, in order of arrival, until there is one or the call is
/// given up.
final class BridgePlaces: Sendable {
    private struct State {
        var free: Set<Int>
        var running: [Int: BridgeCancellation] = [:]
        var next: UInt64 = 0
        var waiting: [(id: UInt64, continuation: CheckedContinuation<Int?, Never>)] = []
        /// Given up before they began to wait.
        var gone: Set<UInt64> = []
    }
    private let state: Mutex<State>

    /// Events that wait.
    var waiting: Int { state.withLock { $0.waiting.count } }

    init(_ count: Int) { state = Mutex(State(free: Set(0..<count))) }

    /// The process of the lowest number that is free. nil: the call was given up before its turn.
    func take() async -> (index: Int, hasWaited: Bool)? {
        let (index, id) = state.withLock { state -> (Int?, UInt64) in
            state.next += 1
            // Who waits comes first, also before one who finds a process free in the meantime.
            guard state.waiting.isEmpty, let index = state.free.min() else { return (nil, state.next) }
            state.free.remove(index)
            return (index, state.next)
        }
        if let index { return (index, false) }
        let later = await withTaskCancellationHandler {
            await withCheckedContinuation { wait($0, id) }
        } onCancel: {
            giveUp(id)
        }
        state.withLock { _ = $0.gone.remove(id) }
        return later.map { ($0, true) }
    }

    private func wait(_ continuation: CheckedContinuation<Int?, Never>, _ id: UInt64) {
        let answer = state.withLock { state -> Int?? in
            if state.gone.remove(id) != nil { return .some(nil) }
            // One may have become free since.
            if let index = state.free.min() {
                state.free.remove(index)
                return index
            }
            state.waiting.append((id, continuation))
            return nil
        }
        if let answer { continuation.resume(returning: answer) }
    }

    private func giveUp(_ id: UInt64) {
        let continuation = state.withLock { state -> CheckedContinuation<Int?, Never>? in
            guard let place = state.waiting.firstIndex(where: { $0.id == id }) else {
                state.gone.insert(id)
                return nil
            }
            return state.waiting.remove(at: place).continuation
        }
        continuation?.resume(returning: nil)
    }

    func begins(_ cancellation: BridgeCancellation, at index: Int) { state.withLock { $0.running[index] = cancellation } }

    func giveBack(_ index: Int) {
        let next = state.withLock { state -> CheckedContinuation<Int?, Never>? in
            state.running[index] = nil
            guard state.waiting.isEmpty else { return state.waiting.removeFirst().continuation }
            state.free.insert(index)
            return nil
        }
        next?.resume(returning: index)
    }

    /// Ends the programs that are at work.
    func endAll() {
        for cancellation in state.withLock({ Array($0.running.values) }) { cancellation.cancel() }
    }
}

/// What became of an event: the first word counts.
final class BridgeOutcome<Value: Sendable>: Sendable {
    private enum State {
        case open(CheckedContinuation<Result<Value, PluginError>, Never>?)
        case settled(Result<Value, PluginError>)
    }
    private let state = Mutex(State.open(nil))

    func resolve(_ result: Result<Value, PluginError>) {
        let continuation = state.withLock { state -> CheckedContinuation<Result<Value, PluginError>, Never>? in
            guard case .open(let continuation) = state else { return nil }
            state = .settled(result)
            return continuation
        }
        continuation?.resume(returning: result)
    }

    /// To be awaited once.
    func value() async -> Result<Value, PluginError> {
        await withCheckedContinuation { continuation in
            let result = state.withLock { state -> Result<Value, PluginError>? in
                if case .settled(let result) = state { return result }
                state = .open(continuation)
                return nil
            }
            if let result { continuation.resume(returning: result) }
        }
    }
}
