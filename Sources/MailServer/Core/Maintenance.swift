import Foundation
import Logging
import MailStore
import PluginHost
import ServiceLifecycle

/// The server's housekeeping: prunes what has expired, keeps the domain metadata fresh, lets plug-ins tidy up and collects the
/// files that nothing refers to any more.
struct Maintenance: Service {
    let store: any MailStore
    let publisher: MetadataPublisher
    let plugins: PluginHost?
    let files: FileCollector
    /// Of a plug-in's run, the messages it sends included.
    let effects: @Sendable (PluginRun) throws -> PluginEffects
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
            // First what plug-ins let go of, then the files that were only theirs.
            await plugins?.tidy(effects)
            try await files.round(now: clock())
        } catch {
            logger.warning("maintenance failed; it is tried again in an hour", metadata: ["reason": "\(PlainReason.of(error))"])
        }
    }
}
