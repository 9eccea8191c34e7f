import ArgumentParser
import Console
import Foundation
import MailServer

/// `wsemaild plugin …`
struct PluginCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plugin", abstract: "Code that runs on messages and requests, while the server runs.",
        discussion: """
            Whose packages are believed:   wsemaild plugin publisher add publisher.pem
            Install, with what it may use: wsemaild plugin install vacation.wsep --grant key-value,send,clock
            Look:                          wsemaild plugin list
            A plug-in is named package/name, or package alone if it holds only one.
            How to write one: docs/plugins.md.
            """,
        subcommands: [
            List.self, Info.self, Install.self, Remove.self, Load.self, Unload.self, Enable.self, Disable.self, Priority.self,
            Policy.self, Limits.self, Set.self, Grant.self, Revoke.self, Reload.self, PublisherCommand.self, KeygenCommand.self,
            PackCommand.self, SignCommand.self, VerifyPackageCommand.self,
        ])

    /// Performs one act on a plug-in and prints what came of it.
    static func act(
        _ command: AdminCommand, _ options: CommonOptions, _ arguments: [AdminArgument: String]
    ) async throws {
        try await AdminSession.run(options) { try await $0.show(AdminRequest(command, arguments)) }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the plug-ins, their state and figures.", discussion: "Example: wsemaild plugin list")

        @OptionGroup var options: CommonOptions

        func run() async throws {
            try await AdminSession.run(options) {
                try await $0.show(AdminRequest(.pluginList), empty: "no plug-in is installed; see `wsemaild plugin install --help`")
            }
        }
    }

    struct Info: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show one plug-in: roles, capabilities, limits, settings, figures.",
            discussion: "Example: wsemaild plugin info org.example.vacation")

        @OptionGroup var options: CommonOptions
        @Argument(help: "The plug-in.") var plugin: String

        func run() async throws {
            try await AdminSession.run(options) {
                try await $0.show(AdminRequest(.pluginInfo, [.plugin: plugin]), showsDetails: true)
            }
        }
    }

    struct Install: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Install a signed package, or upgrade one.",
            discussion: """
                The package must be signed by a publisher whom `wsemaild plugin publisher add` made known. What it asks to use is
                granted by name; without --grant the list is shown and nothing is changed. One that asks for nothing is installed at once. An upgrade keeps what was granted; if it
                asks for more, name what is new.
                  wsemaild plugin install vacation.wsep
                  wsemaild plugin install vacation.wsep --grant key-value,send,clock
                """)

        @OptionGroup var options: CommonOptions
        @Option(help: ArgumentHelp("Capabilities it may use, by comma; none: an empty text.", valueName: "names")) var grant: String?
        @Flag(help: "Let an older version replace a newer one.") var allowDowngrade = false
        @Argument(help: "The package (.wsep).", completion: .file(extensions: ["wsep"])) var package: String

        func run() async throws {
            let octets = try PackageFile.read(package, options.output)
            var arguments: [AdminArgument: String] = [.package: Data(octets).base64EncodedString()]
            arguments[.capabilities] = grant
            if allowDowngrade { arguments[.downgrade] = "yes" }
            try await PluginCommand.act(.pluginInstall, options, arguments)
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Remove a package. Mail goes on without it.",
            discussion: "Example: wsemaild plugin remove org.example.vacation --purge")

        @OptionGroup var options: CommonOptions
        @Flag(help: "Delete what its plug-ins kept, too.") var purge = false
        @Argument(help: "The package.") var package: String

        func run() async throws {
            try await PluginCommand.act(.pluginRemove, options, [.plugin: package, .purge: purge ? "yes" : "no"])
        }
    }

    struct Load: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Load a plug-in that was unloaded.", discussion: "Example: wsemaild plugin load org.example.filter")

        @OptionGroup var options: CommonOptions
        @Argument(help: "The plug-in.") var plugin: String

        func run() async throws { try await PluginCommand.act(.pluginLoad, options, [.plugin: plugin]) }
    }

    struct Unload: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Unload a plug-in; calls that run end first.",
            discussion: "It stays installed, with what it keeps. Example: wsemaild plugin unload org.example.filter")

        @OptionGroup var options: CommonOptions
        @Argument(help: "The plug-in.") var plugin: String

        func run() async throws { try await PluginCommand.act(.pluginUnload, options, [.plugin: plugin]) }
    }

    struct Enable: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Let a plug-in take part again: also one that was taken out because it kept failing.",
            discussion: "Example: wsemaild plugin enable org.example.filter")

        @OptionGroup var options: CommonOptions
        @Argument(help: "The plug-in.") var plugin: String

        func run() async throws { try await PluginCommand.act(.pluginEnable, options, [.plugin: plugin]) }
    }

    struct Disable: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take a plug-in out of its queues; mail passes without it, whatever its policy.",
            discussion: "Example: wsemaild plugin disable org.example.filter")

        @OptionGroup var options: CommonOptions
        @Argument(help: "The plug-in.") var plugin: String

        func run() async throws { try await PluginCommand.act(.pluginDisable, options, [.plugin: plugin]) }
    }

    struct Reload: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Try again what could not be loaded, such as after installing the engine.",
            discussion: "Example: wsemaild plugin reload")

        @OptionGroup var options: CommonOptions

        func run() async throws { try await PluginCommand.act(.pluginReload, options, [:]) }
    }
}

/// Packages as files.
enum PackageFile {
    static let maximumSize = 16 << 20

    static func read(_ path: String, _ output: Output, limit: Int = maximumSize) throws -> [UInt8] {
        do throws(ConsoleError) { return try InputFile.read(path, limit: limit) } catch {
            throw output.failure(AdminError(.file, error.reason))
        }
    }
}
