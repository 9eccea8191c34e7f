import Foundation
import Logging
import MailStore
import PluginHost

/// Answers /health and /metrics.
struct HealthReporter: Sendable {
    let store: any MailStore
    let metrics: ServerMetrics
    let plugins: PluginHost?
    let started: Date
    let clock: @Sendable () -> Date

    /// Whether the store answers.
    func isHealthy() async -> Bool {
        (try? await store.counter("health")) != nil
    }

    /// Everything in the Prometheus text format.
    func metricsText() async -> String {
        let now = clock()
        var gauges = [("wsemail_uptime_seconds", "Seconds since the start.", now.timeIntervalSince(started))]
        if let statistics = try? await store.statistics(now: now) {
            gauges += [
                ("wsemail_accounts", "Accounts.", Double(statistics.accounts)),
                ("wsemail_messages", "Messages stored.", Double(statistics.messages)),
                ("wsemail_sessions", "Open sessions.", Double(statistics.sessions)),
                ("wsemail_queue_jobs", "Jobs in the queue.", Double(statistics.queueDepth)),
                ("wsemail_queue_leased_jobs", "Jobs being worked on.", Double(statistics.queueLeased)),
                (
                    "wsemail_queue_oldest_seconds", "Age of the oldest job.",
                    statistics.queueOldest.map { now.timeIntervalSince($0) } ?? 0
                ),
                ("wsemail_store_bytes", "Bytes of the store on disk.", Double(statistics.bytes)),
                ("wsemail_store_commits", "Transactions since the start.", Double(statistics.commits)),
                ("wsemail_store_writes", "Writes since the start.", Double(statistics.writes)),
            ]
        }
        let text = metrics.prometheus(gauges: gauges.map { (name: $0.0, help: $0.1, value: $0.2) })
        guard let plugins else { return text }
        return text + PluginMetricsText.prometheus(await plugins.statuses())
    }
}
