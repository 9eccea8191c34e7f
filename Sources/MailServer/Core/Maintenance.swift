import Foundation
import Logging
import MailStore
import ServiceLifecycle

/// The server's housekeeping: prunes what has expired and keeps the domain metadata fresh.
struct Maintenance: Service {
    let store: any MailStore
    let publisher: MetadataPublisher
    let clock: @Sendable () -> Date
    let logger: Logger
    var interval: Duration = .seconds(3_600)

    func run() async throws {
        while !Task.isShuttingDownGracefully {
            await round()
            do { try await cancelWhenGracefulShutdown { try await Task.sleep(for: interval) } } catch { return }
        }
    }

    private func round() async {
        do {
            while true {
                let report = try await store.prune(now: clock(), limit: 500)
                if report.intents + report.sessions + report.entries > 0 {
                    logger.info("pruned", metadata: ["intents": "\(report.intents)", "sessions": "\(report.sessions)"])
                }
                guard report.hasMore, !Task.isShuttingDownGracefully else { break }
            }
            _ = try await publisher.octets()
        } catch {
            logger.warning("maintenance failed; it is tried again in an hour", metadata: ["reason": "\(PlainReason.of(error))"])
        }
    }
}
