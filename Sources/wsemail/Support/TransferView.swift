import Console
import Dispatch
import Foundation
import MailClient
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// One line that follows the transfers of a command.
final class TransferView: Sendable {
    private struct State {
        var name: String?
        var phase: TransferStep.Phase?
        var meter = TransferMeter()
    }

    private let line: ProgressLine
    private let state = Mutex(State())
    private let begin = ContinuousClock.now

    init(_ screen: Screen) { line = screen.progress() }

    var progress: TransferProgress { { [self] step in show(step) } }

    func finish() { line.finish() }

    private func show(_ step: TransferStep) {
        let time = (ContinuousClock.now - begin) / .seconds(1)
        let text = state.withLock { state in
            if state.name != step.name || state.phase != step.phase {
                state = State(name: step.name, phase: step.phase)
                line.finish()
            }
            state.meter.note(step.done, at: time)
            return state.meter.line(Self.words(step), step.done, of: step.total, width: (Terminal.error.width ?? 80) - 1)
        }
        line.update(text)
    }

    private static func words(_ step: TransferStep) -> String {
        step.phase == .reading ? "reading \(step.name)" : step.name
    }
}

/// Work that Control-C ends in order, and that can go on later.
enum Interruptible {
    /// - Parameter words: what the person can do after Control-C.
    static func run<T: Sendable>(
        _ screen: Screen, _ words: String, _ body: @escaping @Sendable () async throws -> T
    ) async throws -> T {
        let task = Task { try await body() }
        let flag = SharedFlag()
        signal(SIGINT, SIG_IGN)
        let source = DispatchSource.makeSignalSource(signal: SIGINT, queue: .global())
        source.setEventHandler {
            // Once more: at once. Nothing is lost by that either.
            if flag.set() { exit(130) }
            task.cancel()
        }
        source.resume()
        defer {
            source.cancel()
            signal(SIGINT, SIG_DFL)
        }
        do {
            return try await withTaskCancellationHandler {
                try await task.value
            } onCancel: {
                task.cancel()
            }
        } catch {
            guard flag.isSet else { throw error }
            screen.note("Interrupted. \(words)")
            throw CommandFailure.interrupted
        }
    }
}

/// Set once.
private final class SharedFlag: Sendable {
    private let value = Mutex(false)

    var isSet: Bool { value.withLock { $0 } }

    /// - Returns: whether it was set already.
    func set() -> Bool {
        value.withLock { value in
            defer { value = true }
            return value
        }
    }
}
