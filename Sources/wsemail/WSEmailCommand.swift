import ArgumentParser
import Console

@main
struct WSEmailCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "wsemail",
        abstract: "Mail with proof of who sent, received and approved what.",
        discussion: """
            Begin with an account, then write:

              wsemail account add alice@capicom.test
              wsemail send bob@scopio.test --subject "Hello" --body "It works."
              wsemail list
              wsemail read 1

            Every command takes --json for scripts.

            Exit status:
              0   done
              1   failed
              2   a signature or proof does not verify
              3   the server was not reached
              64  wrong usage
              130 interrupted by Control-C
            """,
        version: "2.0",
        subcommands: [
            AccountCommand.self, SendCommand.self, ReplyCommand.self, ListCommand.self, ReadCommand.self,
            AttachmentsCommand.self, ForwardCommand.self, DeleteCommand.self, MarkCommand.self, StatusCommand.self,
            OutboxCommand.self, ExportCommand.self, VerifyCommand.self,
            ExtensionCommand.self, PasswordCommand.self,
        ])

    /// As ArgumentParser does it, except that help that cannot be written is an error, too.
    static func main() async {
        Terminal.ignoreBrokenPipes()
        do {
            var command = try await asyncParseAsRoot()
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch {
            end(error)
        }
    }

    private static func end(_ error: any Error) -> Never {
        let status = exitCode(for: error)
        let text = fullMessage(for: error)
        guard !text.isEmpty else { exit(withError: status) }
        guard status.isSuccess else {
            Terminal.error.line(text)
            exit(withError: status)
        }
        let screen = Screen(isJSON: false)
        screen.line(text)
        exit(withError: screen.outputFailure() ?? status)
    }
}
