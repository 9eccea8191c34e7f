import Foundation
import Identity
import MailStore

/// How the server does.
extension AdminService {
    func status() async throws -> AdminReply {
        let now = clock()
        let statistics = try await store.statistics(now: now)
        var details = [
            "domain": domain.description, "host": configuration.hostName, "data": configuration.dataDirectory,
            "accounts_count": String(statistics.accounts), "messages_count": String(statistics.messages),
            "sessions_count": String(statistics.sessions), "queue_count": String(statistics.queueDepth),
            "queue_sending_count": String(statistics.queueLeased), "store_bytes": String(statistics.bytes),
            "metadata_version": String(try await store.counter(MetadataCounter.name)), "now_at": timestamp(now),
        ]
        if let fingerprint = try? configuration.rootFingerprint() { details["fingerprint"] = fingerprint.description }
        if let oldest = statistics.queueOldest { details["queue_oldest_at"] = timestamp(oldest) }
        details.merge(await hooks.liveDetails()) { _, live in live }
        let destinations = try await store.destinations(now: now)
        return AdminReply(
            columns: ["destination", "jobs_count", "sending_count", "oldest_at", "next_at"],
            rows: destinations.prefix(AdminService.pageLimit).map {
                [
                    $0.destination.description, String($0.jobs), String($0.leased), timestamp($0.oldest), timestamp($0.due),
                ]
            },
            details: details)
    }

    func refreshMetadata() async throws -> AdminReply {
        guard let publish = hooks.publishMetadata else {
            throw AdminError(.needsServer, "the server issues its metadata itself when it starts", hint: "nothing to do")
        }
        try await publish()
        let version = String(try await store.counter(MetadataCounter.name))
        return AdminReply("issued version \(version) of the domain's metadata", details: ["metadata_version": version])
    }

    func checkStore() async throws -> AdminReply {
        let health = try await store.check()
        return AdminReply(
            health.isHealthy ? "the store is healthy" : "the store has problems", columns: ["problem"],
            rows: health.problems.map { [$0] }, details: health.facts)
    }
}

/// The counter that numbers the versions of the domain's metadata (see `MetadataPublisher`).
enum MetadataCounter {
    static let name = "metadata"
}
