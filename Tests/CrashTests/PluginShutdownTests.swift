import Foundation
import Identity
import MailModel
import MailStore
import TestSupport
import Testing

@testable import MailServer

/// SIGTERM while plug-ins have mail in their hands.
@Suite("Graceful shutdown with plug-ins", .serialized, .timeLimit(.minutes(2))) struct PluginShutdownTests {
    private static let bridge = "org.wsemail.builtin/bridge"
    /// Far below what service managers wait (90 s for systemd).
    private static let bound = Duration.seconds(15)
    /// Calls of the slow plug-in at once.
    private static let calls = 4

    @Test func `what plug-ins have in their hands is settled or given back, and nothing is lost or done twice`() async throws {
        let two = try await TwoProcesses.start {
            Site.withPlugins(&$0)
            $0.pluginErrorBudget = 100
            // It tells which service is asked to end.
            $0.logLevel = "debug"
            // Submissions need places too: the bridge is a sending processor that lets them pass.
            $0.pluginCalls = 16
        }
        try await two.run {
            let (scopio, ledger) = (two.scopio.site, Ledger())
            let role = try await Site.installPlugins(two.capicom.site, scopio)
            let gate = try Gate(in: scopio.folder)
            try await load(gate, at: scopio)

            // Slow, but it ends: its mail is delivered before the server goes.
            var took = try await sendAndTerminate(gate, two, role, ledger, isReleased: true)
            print("shutdown beside a slow plug-in that ends: \(took)")
            var (left, delivered) = try await settled(scopio)
            print("settled before the end: \(delivered), left \(left)")
            #expect(delivered >= Self.calls, "what it had in its hands is settled")
            #expect(left > 0, "nothing new was begun")
            try await restartAndDrain(two)

            // It never ends: its time limit does, and the mail is there when the server is back.
            try gate.shut()
            let before = try await scopio.admin(.queueList).rows.count
            #expect(before == 0)
            try await scopio.admin(.pluginSet, [.plugin: Self.bridge, .name: "timeout-ms", .value: "2000"])
            let known = ledger.acknowledged.count
            took = try await sendAndTerminate(gate, two, role, ledger, isReleased: false)
            print("shutdown beside a plug-in that never ends (limit 2 s): \(took)")
            #expect(took < Self.bound)
            (left, delivered) = try await settled(scopio)
            print("left when the plug-in never ended: \(left)")
            #expect(left >= ledger.acknowledged.count - known, "mail passed a plug-in that did not let it go")
            try gate.release()
            try await restartAndDrain(two)

            #expect(await two.capicom.terminate() == 0)
            #expect(await two.scopio.terminate() == 0)
            let found = try await PluginVerdict.check(ledger, role, at: two.sites)
            #expect(found.passedOn == 2 * ledger.letters.count)
        }
    }

    private func load(_ gate: Gate, at site: Site) async throws {
        for (name, value) in [("command", gate.program), ("processes", "\(Self.calls)"), ("timeout-ms", "50000"), ("restart-ms", "100")] {
            try await site.admin(.pluginSet, [.plugin: Self.bridge, .name: name, .value: value])
        }
        try await site.admin(.pluginGrant, [.plugin: Self.bridge, .capabilities: "subprocess,log,content,identity,raw-xml"])
        try await site.admin(.pluginLoad, [.plugin: Self.bridge])
    }

    /// Letters of dave's to bob and to the role. Ends the server while the plug-in has some of them. Returns how long that took.
    private func sendAndTerminate(
        _ gate: Gate, _ two: TwoProcesses, _ role: Site.Role, _ ledger: Ledger, isReleased: Bool
    ) async throws -> Duration {
        let dave = try MailUser("dave", of: two.scopio.site)
        let before = gate.begun
        for _ in 0..<6 {
            let letter = try Letter(from: dave.address, to: [two.scopio.site.address("bob"), role.address])
            ledger.begin(letter)
            try await dave.deliver(letter, keys: two.keys, ledger: ledger)
        }
        let deadline = ContinuousClock.now + .seconds(30)
        while gate.begun < before + Self.calls {
            try #require(ContinuousClock.now < deadline, "the plug-in was not asked")
            try await Task.sleep(for: .milliseconds(5))
        }
        let asked = deliveriesAskedToEnd(two.scopio.site)
        let begin = ContinuousClock.now
        async let status = two.scopio.terminate()
        while deliveriesAskedToEnd(two.scopio.site) == asked {
            try #require(ContinuousClock.now < deadline, "the deliveries were not asked to end")
            try await Task.sleep(for: .milliseconds(5))
        }
        if isReleased { try gate.release() }
        #expect(await status == 0, "\(two.scopio.logTail)")
        await dave.close()
        return ContinuousClock.now - begin
    }

    /// How often the log says that the final deliveries were asked to end.
    private func deliveriesAskedToEnd(_ site: Site) -> Int {
        let log = (try? String(contentsOfFile: site.logPath, encoding: .utf8)) ?? ""
        return log.split(separator: "\n").count { $0.contains("FinalDelivery") && $0.contains("Triggering graceful shutdown") }
    }

    /// Jobs that are left at a site that is down, and mail in its Inboxes. All that is left can be worked on at once.
    private func settled(_ site: Site) async throws -> (left: Int, delivered: Int) {
        try await site.withStore { store in
            let jobs = try await store.jobs(destination: nil, after: nil, limit: 100, now: Date())
            let soon = Date(timeIntervalSinceNow: Double(site.configuration.retryMaxSeconds))
            #expect(jobs.allSatisfy { !$0.isLeased && $0.due <= soon }, "\(jobs)")
            var delivered = 0
            for account in try await store.accounts(after: nil, limit: 100) {
                delivered += try await store.list(account.address, folder: .inbox, from: .after(0), limit: 500).entries.count
            }
            return (jobs.count, delivered)
        }
    }

    private func restartAndDrain(_ two: TwoProcesses) async throws {
        try two.scopio.restart()
        try await two.scopio.untilReady()
        try await Site.drain(two.scopio.site, two.capicom.site) { try await $0.admin(.queueList).rows.count }
    }
}
