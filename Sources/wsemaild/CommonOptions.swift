import ArgumentParser
import Console
import MailServer

/// Options of every command.
struct CommonOptions: ParsableArguments {
    @Option(name: .shortAndLong, help: ArgumentHelp("The configuration file.", valueName: "path"))
    var config = ServerConfiguration.defaultPath

    @Flag(help: "Print JSON for scripts.")
    var json = false

    /// Reads the configuration, or ends the program with what is wrong.
    func load() throws -> ServerConfiguration {
        do {
            return try ServerConfiguration(path: config)
        } catch {
            throw output.failure(AdminError.from(error))
        }
    }

    var output: Output { Output(json: json) }
}

/// Exit statuses beside those of the argument parser (0, and 64 for wrong usage).
extension ExitCode {
    /// What was asked for failed.
    static let failed = ExitCode(1)
    /// The server is not running, or does not answer.
    static let notReached = ExitCode(3)
}
