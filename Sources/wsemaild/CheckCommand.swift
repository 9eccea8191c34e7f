import ArgumentParser
import Console
import Foundation
import MailServer
import Synchronization

/// `wsemaild check`
struct CheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Look whether all is right for mail to flow, and say what to fix.",
        discussion: """
            Looks at the configuration, files, keys, clock, database, DNS, our port, and every trusted domain's server.
            Exit status 1 if anything fails. Changes nothing.
            Example: wsemaild check --json
            """)

    @OptionGroup var options: CommonOptions
    @Flag(help: "Leave DNS, ports and other domains out.") var offline = false

    /// For scripts.
    private struct Result: Encodable {
        let ok: Bool
        let findings: [CheckFinding]
    }

    func run() async throws {
        let configuration = try options.load()
        let output = options.output
        let network: (any CheckNetwork)?
        do {
            network = offline ? nil : try ServerChecks.network(for: configuration, clock: { Date() })
        } catch {
            throw output.failure(error)
        }
        let checks = ServerChecks(
            configuration: configuration, configurationPath: options.config, network: network, now: Date())
        let gateway = AdminGateway(configuration: configuration, logger: ToolLog.logger(), clock: { Date() })
        let progress = ProgressLine(isEnabled: !output.json)
        let findings = Mutex<[CheckFinding]>([])
        progress.update("checking…")
        await checks.run(ask: { await gateway.perform($0) }, isServerRunning: { await gateway.reachesServer }) { finding in
            findings.withLock { $0.append(finding) }
            guard !output.json else { return }
            progress.finish()
            CheckCommand.show(finding, output.style)
        }
        await gateway.close()
        let all = findings.withLock { $0 }
        let hasFailed = all.contains { $0.level == .fail }
        if output.json { output.print(Result(ok: !hasFailed, findings: all)) }
        if hasFailed { throw ExitCode.failed }
    }

    private static func show(_ finding: CheckFinding, _ style: TerminalStyle) {
        let level: String
        switch finding.level {
        case .ok: level = style("ok  ", .green)
        case .warn: level = style("warn", .bold, .yellow)
        case .fail: level = style("fail", .bold, .red)
        }
        let area = finding.area.padding(toLength: 13, withPad: " ", startingAt: 0)
        let advice = finding.advice.isEmpty ? "" : style(" — \(PrintableText.clean(finding.advice))", .cyan)
        Terminal.output.line("\(level)  \(style(area, .dim))  \(PrintableText.clean(finding.what))\(advice)")
    }
}
