import ArgumentParser
import Console
import Foundation
import Identity
import MailServer

/// `wsemaild init`
struct InitCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init", abstract: "Set up a mail domain: keys, database, postmaster and configuration.",
        discussion: """
            Run it as the user that will run the server. All or nothing: when it fails, nothing is left behind.
              wsemaild init example.org --host mail.example.org
              wsemaild init example.org --config ./wsemaild.conf --data ./data --port 8443
            """)

    @OptionGroup var options: CommonOptions
    @Option(help: "This machine's name, the target of the SRV record. (default: mail.DOMAIN)") var host: String?
    @Option(help: ArgumentHelp("Folder for database and keys. (default: /var/lib/wsemail)", valueName: "folder")) var data: String?
    @Option(help: "HTTPS port. (default: 8443)") var port: Int?
    @Option(
        name: .customLong("postmaster-password-file"),
        help: ArgumentHelp("Take postmaster's password from this file's first line; - is standard input.", valueName: "file|-"))
    var passwordFile: String?
    @Option(
        name: .customLong("set"),
        help: ArgumentHelp("A further setting for the configuration file; may be repeated.", valueName: "name=value"))
    var settings: [String] = []
    @Flag(help: "Replace an existing configuration file. Keys are never replaced.") var force = false
    @Argument(help: "The mail domain: what stands behind the @.") var domain: String

    func run() async throws {
        let output = options.output
        let setup: DomainSetup
        if let passwordFile { warnIfOpen(passwordFile, output: output) }
        do {
            setup = DomainSetup(
                configuration: try makeConfiguration(), configurationPath: options.config,
                postmasterPassword: try passwordFile.map { try Prompt.firstLine(of: $0) }, overwritesConfiguration: force)
        } catch {
            let reason = (error as? ConsoleError)?.reason ?? AdminError.from(error).reason
            throw output.failure(AdminError(.invalidArgument, reason))
        }
        let progress = ProgressLine(isEnabled: !output.json)
        progress.update("making keys…")
        let outcome: DomainSetup.Outcome
        do {
            outcome = try await setup.run(now: Date(), logger: ToolLog.logger())
        } catch {
            progress.finish()
            throw output.failure(error)
        }
        progress.finish()
        if output.json { output.print(Report(outcome, setup)) } else { show(outcome, setup, output.style) }
    }

    private func makeConfiguration() throws -> ServerConfiguration {
        let mailDomain = try MailDomain(domain)
        var configuration = ServerConfiguration(domain: mailDomain, hostName: "mail.\(mailDomain)")
        if let host { try configuration.set("host_name", to: host) }
        if let data { try configuration.set("data_directory", to: InitCommand.absolute(data)) }
        if let port { try configuration.set("listen_port", to: String(port)) }
        for setting in settings {
            guard let equals = setting.firstIndex(of: "=") else {
                throw ConfigurationError("--set takes NAME=VALUE, not \"\(setting)\"")
            }
            let value = setting[setting.index(after: equals)...].trimmingCharacters(in: .whitespaces)
            try configuration.set(setting[..<equals].trimmingCharacters(in: .whitespaces), to: value)
        }
        // As `serve` will read it: what goes together is checked now.
        return try ServerConfiguration(parsing: configuration.fileText(), file: "init")
    }

    private static func absolute(_ path: String) -> String {
        URL(fileURLWithPath: path).standardizedFileURL.path
    }

    private static func steps(_ outcome: DomainSetup.Outcome, _ setup: DomainSetup) -> [String] {
        let isPreset = setup.configurationPath == ServerConfiguration.defaultPath
        let option = isPreset ? "" : " --config \(absolute(setup.configurationPath))"
        return [
            "wsemaild serve", "wsemaild user add alice@\(outcome.domain)", "wsemaild trust add OTHER.DOMAIN --fingerprint SHA256:…",
            "wsemaild check",
        ].map { $0 + option }
    }

    private func show(_ outcome: DomainSetup.Outcome, _ setup: DomainSetup, _ style: TerminalStyle) {
        let configuration = setup.configuration
        let path = InitCommand.absolute(options.config)
        var lines = [
            "\(style("✓", .green)) \(outcome.domain) is set up: data in \(configuration.dataDirectory), settings in \(path)", "",
        ]
        if let password = outcome.generatedPassword {
            lines += [
                style("Postmaster", .bold), "  \(outcome.postmaster)   \(password)",
                "  The password is shown this once; note it down.", "",
            ]
        }
        lines += [
            style("Publish in DNS", .bold), "  \(outcome.records.service)", "  \(outcome.records.addressHint)",
            style("  optional: \(outcome.records.tlsa)", .dim), "",
            style("Give to the administrators of other domains", .bold), "  \(outcome.fingerprint)",
            "  They run: wsemaild trust add \(outcome.domain) --fingerprint \(outcome.fingerprint)", "",
            style("Next", .bold),
        ]
        lines += InitCommand.steps(outcome, setup).map { "  " + $0 }
        lines += [
            "",
            "Back up \(configuration.keyDirectory): with these keys lost, every other domain has to trust you anew.",
        ]
        Terminal.output.line(lines.joined(separator: "\n"))
    }

    /// For scripts.
    private struct Report: Encodable {
        let ok = true
        let domain: String
        let postmaster: String
        let postmasterPassword: String?
        let fingerprint: String
        let records: [String]
        /// The record that the administrator completes.
        let addressRecord: String
        let next: [String]
        let rootCertificate: String
        let configuration: String
        let data: String

        init(_ outcome: DomainSetup.Outcome, _ setup: DomainSetup) {
            domain = outcome.domain.description
            postmaster = outcome.postmaster.description
            postmasterPassword = outcome.generatedPassword
            fingerprint = outcome.fingerprint.description
            records = [outcome.records.service, outcome.records.tlsa]
            addressRecord = outcome.records.addressHint
            next = InitCommand.steps(outcome, setup)
            rootCertificate = setup.configuration.keyDirectory + "/root.pem"
            configuration = InitCommand.absolute(setup.configurationPath)
            data = setup.configuration.dataDirectory
        }
    }
}
