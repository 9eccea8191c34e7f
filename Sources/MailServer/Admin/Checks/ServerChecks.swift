import Foundation
import Identity

/// `wsemaild check`: looks at everything that must be right for mail to flow, and says what to do where it is not.
/// Changes nothing.
public struct ServerChecks: Sendable {
    let configuration: ServerConfiguration
    let configurationPath: String
    let network: (any CheckNetwork)?
    let now: Date

    /// Certificates are renewed in time when this much life is left.
    static let renewBefore: TimeInterval = 30 * 86_400
    /// How far clocks may be apart.
    static let clockTolerance: TimeInterval = 300

    /// - Parameter network: nil leaves DNS, ports and peers out.
    public init(
        configuration: ServerConfiguration, configurationPath: String, network: (any CheckNetwork)?, now: Date
    ) {
        self.configuration = configuration
        self.configurationPath = configurationPath
        self.network = network
        self.now = now
    }

    /// Runs all checks.
    /// - Parameters:
    ///   - ask: performs a read-only administrative act, in the running server or on the opened store.
    ///   - report: told each finding as it is made.
    public func run(
        ask: @Sendable (AdminRequest) async -> AdminReply, isServerRunning: @Sendable () async -> Bool,
        report: @Sendable (CheckFinding) -> Void
    ) async {
        report(.ok("configuration", "\(configurationPath) is read and makes sense"))
        fileFindings().forEach(report)
        let (keys, found) = keyFindings()
        found.forEach(report)
        clockFindings(keys).forEach(report)
        let store = await ask(AdminRequest(.storeCheck))
        storeFindings(store).forEach(report)
        pluginFindings(await ask(AdminRequest(.pluginList))).forEach(report)
        let isRunning = await isServerRunning()
        report(
            isRunning
                ? .ok("server", "the server runs and answers")
                : .warn("server", "the server does not run", "start it with `wsemaild serve --config \(configurationPath)`"))
        let trust = await ask(AdminRequest(.trustList, [.certificate: "yes"]))
        await queueFindings(ask, trust).forEach(report)
        if let network {
            for finding in await ownServiceFindings(network, keys, isRunning: isRunning) { report(finding) }
        }
        if let error = trust.error {
            return report(.fail("peer", "the trusted domains cannot be listed: \(error.reason)", error.hint))
        }
        if trust.rows.isEmpty {
            report(
                .warn(
                    "peer", "no other domain is trusted: mail stays within \(configuration.domain)",
                    "wsemaild trust add OTHER.DOMAIN --fingerprint SHA256:…"))
        }
        guard let network else { return }
        for peer in trustedPeers(trust) {
            let finding = await peerFinding(peer, network)
            report(finding)
            if isRunning, finding.level == .ok { report(await sessionFinding(peer.domain, ask)) }
        }
    }

    private func storeFindings(_ reply: AdminReply) -> [CheckFinding] {
        if let error = reply.error { return [.fail("store", error.reason, error.hint)] }
        let problems = reply.rows.compactMap(\.first)
        return problems.isEmpty
            ? [.ok("store", "the database is whole, and durable as set up")]
            : problems.map { .fail("store", $0, "stop the server and restore the database from a backup if it is damaged") }
    }
}
