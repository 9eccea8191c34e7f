import ArgumentParser
import Console
import Logging
import MailServer

/// `wsemaild serve`
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Serve the domain until SIGTERM or SIGINT.",
        discussion: """
            The log goes to standard error; one line on standard output says that the server is ready.
            Example: wsemaild serve --config /etc/wsemail/wsemaild.conf
            """)

    @OptionGroup var options: CommonOptions

    func run() async throws {
        let configuration = try options.load()
        var logger = Logger(label: "wsemaild", factory: { StreamLogHandler.standardError(label: $0) })
        logger.logLevel = Logger.Level(rawValue: configuration.logLevel) ?? .info
        let domain = configuration.domain.description
        do {
            try await MailServer.run(configuration, logger: logger) { port in
                Terminal.output.line("ready: \(domain) on port \(port)")
            }
        } catch {
            throw options.output.failure(ServerProblem.explain(error, configuration))
        }
    }
}
