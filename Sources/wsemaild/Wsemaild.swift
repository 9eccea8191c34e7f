import ArgumentParser

/// The mail server's program: sets a domain up, serves it and looks after it. One file per group of commands.
@main
struct Wsemaild: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "wsemaild",
        abstract: "A WSEmail server: signed mail between domains.",
        discussion: """
            A new domain in three steps:
              wsemaild init example.org --host mail.example.org
              wsemaild user add alice@example.org
              wsemaild serve

            Exit status: 0 done, 1 failed, 3 the server is not reached, 64 wrong usage.
            """,
        version: "wsemaild 2.0",
        subcommands: [
            InitCommand.self, ServeCommand.self, StatusCommand.self, CheckCommand.self, UserCommand.self, KeyCommand.self,
            TrustCommand.self, TokenCommand.self, QueueCommand.self, FileCommand.self, PluginCommand.self, MetadataCommand.self,
            ConfigCommand.self,
        ])
}
