import Foundation
import Logging
import Synchronization

/// Catches what servers say of each final delivery, and everything that went wrong.
final class DeliveryLog: Sendable {
    struct Line: Sendable, Hashable {
        let message: String
        let recipient: String
        let generation: String
        let plugins: String
        let outcome: String
        let reason: String
    }

    private let state = Mutex<(lines: [Line], problems: [String])>(([], []))

    var lines: [Line] { state.withLock { $0.lines } }
    var problems: [String] { state.withLock { $0.problems } }

    var logger: Logger {
        var logger = Logger(label: "test") { _ in Handler(log: self) }
        logger.logLevel = .info
        return logger
    }

    private struct Handler: LogHandler {
        let log: DeliveryLog
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.info

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let values = metadata.merging(event.metadata ?? [:]) { $1 }
            func text(_ key: String) -> String { values[key].map { "\($0)" } ?? "" }
            log.state.withLock { state in
                if event.message == "final delivery" {
                    state.lines.append(
                        Line(
                            message: text("message"), recipient: text("to"), generation: text("generation"), plugins: text("plugins"),
                            outcome: text("outcome"), reason: text("reason")))
                } else if event.level >= .warning {
                    state.problems.append("\(event.message) \(values)")
                }
            }
        }
    }
}
