import ArgumentParser
import MailServer

/// `wsemaild plugin priority|policy|limits|set|grant|revoke`
extension PluginCommand {
    struct Priority: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Set a plug-in's place in the queue of a role: 0 runs first, 1000 last.",
            discussion: "Example: wsemaild plugin priority org.example.filter delivery 10")

        @OptionGroup var options: CommonOptions
        @Argument(help: "The plug-in.") var plugin: String
        @Argument(help: "sending, delivery, extension or resolver.") var role: String
        @Argument(help: "0 to 1000.") var priority: Int

        func run() async throws {
            try await PluginCommand.act(.pluginPriority, options, [.plugin: plugin, .role: role, .value: String(priority)])
        }
    }

    struct Policy: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Say what happens to mail while a plug-in cannot work: open (it passes) or closed (it waits).",
            discussion: "Example: wsemaild plugin policy org.example.attachment-policy closed")

        @OptionGroup var options: CommonOptions
        @Argument(help: "The plug-in.") var plugin: String
        @Argument(help: "open, closed, or preset (as its publisher says).") var policy: String

        func run() async throws {
            try await PluginCommand.act(.pluginPolicy, options, [.plugin: plugin, .value: policy])
        }
    }

    struct Limits: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Set what a plug-in may use; \"-\" takes a setting back.",
            discussion: "Example: wsemaild plugin limits org.example.filter --seconds 0.5 --memory 8 --calls 2")

        @OptionGroup var options: CommonOptions
        @Option(help: "Longest call, 0.01 to 60.") var seconds: String?
        @Option(help: "Megabytes of one call, 1 to 1024.") var memory: String?
        @Option(help: "Calls at a time, 1 to 64.") var calls: String?
        @Argument(help: "The plug-in.") var plugin: String

        func validate() throws {
            guard seconds != nil || memory != nil || calls != nil else {
                throw ValidationError("Give --seconds, --memory or --calls.")
            }
        }

        func run() async throws {
            var arguments: [AdminArgument: String] = [.plugin: plugin]
            arguments[.seconds] = seconds
            arguments[.memory] = memory
            arguments[.calls] = calls
            try await PluginCommand.act(.pluginLimits, options, arguments)
        }
    }

    struct Set: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Change a setting of a plug-in.",
            discussion: """
                `wsemaild plugin info` shows the settings. Example:
                  wsemaild plugin set org.example.role-mapper role.purchasing "alice@example.org, bob@example.org"
                  wsemaild plugin set org.wsemail.builtin/bridge argument.2 -- --url
                """)

        @OptionGroup var options: CommonOptions
        @Flag(help: "Back to the publisher's preset.") var reset = false
        @Argument(help: "The plug-in.") var plugin: String
        @Argument(help: "The setting.") var name: String
        @Argument(help: "Its value.") var value: String?

        func validate() throws {
            guard reset == (value == nil) else {
                throw ValidationError("Give a value, or --reset. A value that begins with \"-\" stands at the end, after \"--\".")
            }
        }

        func run() async throws {
            var arguments: [AdminArgument: String] = [.plugin: plugin, .name: name]
            arguments[.value] = value
            try await PluginCommand.act(.pluginSet, options, arguments)
        }
    }

    struct Grant: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Let a plug-in use more of what it asks for.",
            discussion: "Example: wsemaild plugin grant org.example.vacation send,clock")

        @OptionGroup var options: CommonOptions
        @Argument(help: "The plug-in.") var plugin: String
        @Argument(help: "Capabilities, by comma.") var capabilities: String

        func run() async throws {
            try await PluginCommand.act(.pluginGrant, options, [.plugin: plugin, .capabilities: capabilities])
        }
    }

    struct Revoke: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take a capability back. A plug-in that cannot be loaded without it is taken out.",
            discussion: "Example: wsemaild plugin revoke org.example.vacation send")

        @OptionGroup var options: CommonOptions
        @Argument(help: "The plug-in.") var plugin: String
        @Argument(help: "Capabilities, by comma.") var capabilities: String

        func run() async throws {
            try await PluginCommand.act(.pluginRevoke, options, [.plugin: plugin, .capabilities: capabilities])
        }
    }
}
