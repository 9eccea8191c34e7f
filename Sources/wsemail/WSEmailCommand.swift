import ArgumentParser

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

            Every command takes --json for scripts. Exit status: 0 done, 1 failed, 2 a
            signature or proof does not verify, 3 the server was not reached, 64 wrong
            usage.
            """,
        version: "2.0",
        subcommands: [
            AccountCommand.self, SendCommand.self, ReplyCommand.self, ListCommand.self, ReadCommand.self,
            DeleteCommand.self, MarkCommand.self, StatusCommand.self, ExportCommand.self, VerifyCommand.self,
            PasswordCommand.self,
        ])
}
