import Logging
import ServiceLifecycle

extension MailServer {
    /// Serves until SIGTERM or SIGINT, and tells when it listens.
    /// - Parameter onReady: told the HTTPS port really listened on; not called if the start fails.
    public static func run(
        _ configuration: ServerConfiguration, logger: Logger, onReady: @escaping @Sendable (Int) async -> Void
    ) async throws {
        try configuration.checkUsable()
        let server = try await build(configuration, logger: logger)
        let services = ServiceGroup(
            configuration: .init(
                services: [server], gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
        try await withThrowingTaskGroup { tasks in
            tasks.addTask {
                let port = await server.port()
                if port > 0 { await onReady(port) }
            }
            try await services.run()
        }
    }
}
