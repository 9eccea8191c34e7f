import Foundation
import Synchronization

/// Counters of a running server and their Prometheus text form. Names follow the Prometheus conventions.
final class ServerMetrics: Sendable {
    enum Counter: String, CaseIterable, Sendable {
        case requests = "wsemail_requests_total"
        case faults = "wsemail_faults_total"
        case loginFailures = "wsemail_login_failures_total"
        case sessionsOpened = "wsemail_sessions_opened_total"
        case tokensIssued = "wsemail_tokens_issued_total"
        case messagesSubmitted = "wsemail_messages_submitted_total"
        case messagesReceived = "wsemail_messages_received_total"
        case deliveries = "wsemail_deliveries_total"
        case deliveriesDeferred = "wsemail_deliveries_deferred_total"
        case deliveriesRefused = "wsemail_deliveries_refused_total"
        case bytesReceived = "wsemail_received_bytes_total"
        case bytesSent = "wsemail_sent_bytes_total"
        case fileBytesReceived = "wsemail_file_received_bytes_total"
        case fileBytesSent = "wsemail_file_sent_bytes_total"

        var help: String {
            switch self {
            case .requests: "Calls answered, by operation."
            case .faults: "Faults answered, by subcode."
            case .loginFailures: "Wrong passwords."
            case .sessionsOpened: "Sessions opened."
            case .tokensIssued: "Federated identity tokens issued."
            case .messagesSubmitted: "Messages accepted from users."
            case .messagesReceived: "Messages accepted from other domains."
            case .deliveries: "Messages taken by other domains."
            case .deliveriesDeferred: "Delivery attempts put off."
            case .deliveriesRefused: "Deliveries that other domains refused."
            case .bytesReceived: "SOAP bytes received."
            case .bytesSent: "SOAP bytes sent."
            case .fileBytesReceived: "Bytes of attachments uploaded."
            case .fileBytesSent: "Bytes of attachments downloaded."
            }
        }
    }

    private struct Key: Hashable {
        let counter: Counter
        let label: String
    }

    private let values = Mutex<[Key: UInt64]>([:])

    /// - Parameter label: an operation or fault subcode: never anything a caller chooses freely.
    func increment(_ counter: Counter, label: String = "", by amount: UInt64 = 1) {
        values.withLock { $0[Key(counter: counter, label: label), default: 0] += amount }
    }

    func value(_ counter: Counter) -> UInt64 {
        values.withLock { $0.filter { $0.key.counter == counter }.reduce(0) { $0 + $1.value } }
    }

    /// - Parameter gauges: name, help and present value.
    func prometheus(gauges: [(name: String, help: String, value: Double)]) -> String {
        let snapshot = values.withLock { $0 }
        var lines: [String] = []
        for counter in Counter.allCases {
            lines.append("# HELP \(counter.rawValue) \(counter.help)")
            lines.append("# TYPE \(counter.rawValue) counter")
            let rows = snapshot.filter { $0.key.counter == counter }.sorted { $0.key.label < $1.key.label }
            for (key, value) in rows {
                let label = key.label.isEmpty ? "" : "{\(counter == .faults ? "subcode" : "operation")=\"\(key.label)\"}"
                lines.append("\(counter.rawValue)\(label) \(value)")
            }
            if rows.isEmpty { lines.append("\(counter.rawValue) 0") }
        }
        for gauge in gauges {
            lines.append("# HELP \(gauge.name) \(gauge.help)")
            lines.append("# TYPE \(gauge.name) gauge")
            lines.append("\(gauge.name) \(gauge.value)")
        }
        return lines.joined(separator: "\n") + "\n"
    }
}
