import ArgumentParser
import Console
import MailServer

/// `wsemaild config …`
struct ConfigCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config", abstract: "The settings: what there is, and whether a file is right.",
        discussion: "Example: wsemaild config describe", subcommands: [Describe.self, Test.self])

    /// One setting for scripts.
    struct Setting: Encodable {
        let name: String
        let type: String
        let preset: String
        let help: String
    }

    struct Describe: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List every setting with its default and meaning.", discussion: "Example: wsemaild config describe --json")

        @Flag(help: "Print JSON for scripts.") var json = false

        func run() throws {
            let output = Output(json: json)
            // Any domain shows the defaults of the settings that do not depend on it.
            let presets = try ServerConfiguration(parsing: "domain = example.org")
            let settings = ConfigurationField.all.map { field in
                let depends = field.name == "domain" || field.name == "host_name"
                return Setting(
                    name: field.name, type: field.type, preset: depends ? "" : field.value(in: presets), help: field.help)
            }
            if json { return output.print(settings) }
            var table = TextTable([
                .init("SETTING"), .init("TAKES"), .init("DEFAULT", canShrink: true), .init("MEANING", canShrink: true),
            ])
            for setting in settings {
                table.append([
                    TextTable.Cell(setting.name, .cyan), TextTable.Cell(setting.type),
                    setting.preset.isEmpty ? TextTable.Cell("–", .dim) : TextTable.Cell(setting.preset),
                    TextTable.Cell(setting.help),
                ])
            }
            Terminal.output.write(table.rendered(style: output.style, width: Terminal.output.width))
        }
    }

    struct Test: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Say whether the server could start with the configuration file, and what the file sets.",
            discussion: "Example: wsemaild config test --config ./wsemaild.conf")

        /// For scripts.
        struct Result: Encodable {
            let ok: Bool
            let settings: [String: String]
        }

        @OptionGroup var options: CommonOptions

        func run() async throws {
            let configuration = try options.load()
            let output = options.output
            do {
                try configuration.checkUsable()
                try await configuration.checkPorts()
            } catch {
                throw output.failure(error)
            }
            let presets = ServerConfiguration(domain: configuration.domain, hostName: "mail.\(configuration.domain)")
            let changed = ConfigurationField.all.filter { field in
                field.name == "domain" || field.name == "host_name"
                    || field.value(in: configuration) != field.value(in: presets)
            }
            if output.json {
                let all = ConfigurationField.all.map { ($0.name, $0.value(in: configuration)) }
                return output.print(Result(ok: true, settings: Dictionary(all) { $1 }))
            }
            Terminal.output.line("\(output.style("✓", .green)) \(options.config) is right, and the server can start with it; it sets:")
            for field in changed { Terminal.output.line("  \(field.name) = \(PrintableText.clean(field.value(in: configuration)))") }
        }
    }
}
