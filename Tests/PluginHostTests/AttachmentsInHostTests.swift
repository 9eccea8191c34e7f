import Foundation
import Identity
import MailModel
import MailStore
import PluginAPI
import Plugins
import Testing

@testable import PluginHost

/// The attachment plug-in in its host: what commits together, and what happens at the same time.
@Suite struct AttachmentsInHostTests {
    private func world() async throws -> HostWorld {
        let builtIn = try BuiltIns.attachments
        let world = try HostWorld([BuiltInPlugin(descriptor: builtIn.descriptor, grants: builtIn.grants, make: builtIn.make)])
        #expect(try await world.host.reconcile().map(\.state) == [.active])
        return world
    }

    /// Hands the sample message in. Returns the GUID of its first file, and the run.
    private func submit(_ world: HostWorld) async throws -> (guid: String, run: PluginRun) {
        let run = Sample.run()
        guard case .accepted(_, _, let kept) = await world.host.pipeline.submit(Sample.submission(), in: run) else {
            throw PluginError(.failed, "refused")
        }
        #expect(kept.map(\.digest) == [Sample.digest(1)])
        return (try #require(kept.first?.guid), run)
    }

    private func ask(
        _ world: HostWorld, _ request: some AttachmentElement, by caller: Address, in run: PluginRun? = nil
    ) async -> (ExtensionOutcome, PluginRun) {
        let isHome = caller.domain == Sample.ann.domain
        let run = run ?? PluginRun(principal: isHome ? caller : nil, now: HostWorld.now)
        let event = ExtensionEvent(
            identifier: AttachmentsXML.namespace, request: request.octets(),
            caller: CallerIdentity(principal: caller.description, method: isHome ? "session" : "federated"))
        return (await world.host.pipeline.answer(event, caller: isHome ? .user : .federated, in: run), run)
    }

    private func answer(_ world: HostWorld, _ request: some AttachmentElement, by caller: Address) async throws -> [UInt8] {
        let (outcome, run) = await ask(world, request, by: caller)
        guard case .answered(let octets, _) = outcome else { throw PluginError(.failed, "\(outcome)") }
        #expect(try await world.store.commit(run.effects, now: HostWorld.now))
        return octets
    }

    @Test func `records, holds and tickets commit together, or not at all`() async throws {
        let world = try await world()
        let (guid, run) = try await submit(world)
        #expect(Set(run.writes.map(\.plugin)) == ["org.wsemail.builtin/attachments", HostValues.holds])
        // Not committed: nothing is there, and the rerun's GUID is another.
        let (again, second) = try await submit(world)
        #expect(again != guid)
        #expect(try await world.store.commit(second.effects, now: HostWorld.now))
        #expect(try await world.store.pluginUsage(HostValues.holds).count == 1)
        #expect(
            await ask(world, AttachmentCall.Get(guid: guid), by: Sample.eve).0
                == .fault(
                    PluginFault(AttachmentsXML.refusal), by: Sample.plugin("org.wsemail.builtin/attachments")))
        let got = try AttachmentAnswer.Get(octets: await answer(world, AttachmentCall.Get(guid: again), by: Sample.eve))
        guard case .download(_, let ticket, _, _) = got.source else { return #expect(Bool(false)) }
        let key = HostValues.ticketKey(guid: again, ticket: ticket)
        let value = try #require(try await world.store.pluginValue(key, of: HostValues.tickets)?.value)
        #expect(HostValues.Ticket(value)?.reader == Sample.eve && HostValues.Ticket(value)?.owner == Sample.ann)
    }

    @Test func `two fetches at the same time are a conflict, and both are counted in the end`() async throws {
        let world = try await world()
        let (guid, submission) = try await submit(world)
        #expect(try await world.store.commit(submission.effects, now: HostWorld.now))
        let (_, first) = await ask(world, AttachmentCall.Get(guid: guid), by: Sample.eve)
        let (_, second) = await ask(world, AttachmentCall.Get(guid: guid), by: Sample.bob)
        #expect(try await world.store.commit(first.effects, now: HostWorld.now))
        #expect(try await !world.store.commit(second.effects, now: HostWorld.now))
        #expect(try AttachmentAnswer.Get(octets: await answer(world, AttachmentCall.Get(guid: guid), by: Sample.bob)).fetch == 2)
        #expect(try await world.store.pluginUsage(HostValues.tickets).count == 2)
    }

    @Test func `a fetch never outruns a revocation`() async throws {
        for isRevokedFirst in [true, false] {
            let world = try await world()
            let (guid, submission) = try await submit(world)
            #expect(try await world.store.commit(submission.effects, now: HostWorld.now))
            let (_, fetch) = await ask(world, AttachmentCall.Get(guid: guid), by: Sample.eve)
            let (_, revocation) = await ask(world, AttachmentCall.Revoke(guid: guid), by: Sample.ann)
            #expect(try await world.store.commit((isRevokedFirst ? revocation : fetch).effects, now: HostWorld.now))
            #expect(try await !world.store.commit((isRevokedFirst ? fetch : revocation).effects, now: HostWorld.now))
            if !isRevokedFirst { _ = try await answer(world, AttachmentCall.Revoke(guid: guid), by: Sample.ann) }
            #expect(try await world.store.pluginUsage(HostValues.tickets).count == 0)
            #expect(try await world.store.pluginUsage(HostValues.holds).count == 0)
            #expect(
                await ask(world, AttachmentCall.Get(guid: guid), by: Sample.eve).0
                    == .fault(
                        PluginFault(AttachmentsXML.refusal), by: Sample.plugin("org.wsemail.builtin/attachments")))
        }
    }

    @Test func `uploads are for users, everything that readers do also for those of other domains`() async throws {
        let world = try await world()
        let upload = AttachmentCall.Upload(digest: Sample.digest(1), size: 1)
        #expect(try AttachmentAnswer.Upload(octets: await answer(world, upload, by: Sample.ann)) == .complete)
        guard case .fault = await ask(world, upload, by: Sample.eve).0 else { return #expect(Bool(false)) }
        guard case .fault(let fault, _) = await ask(world, AttachmentCall.Upload(digest: Sample.digest(1), size: 101), by: Sample.ann).0
        else { return #expect(Bool(false)) }
        #expect(fault.reason == "no room")
        #expect(await world.host.statuses()[0].metrics.failures == 0)
    }

    @Test func `the plug-in is tidied up by the host`() async throws {
        let world = try await world()
        let (_, submission) = try await submit(world)
        let key = Array("x/00000000000000000001a".utf8) + Array(String(repeating: "0", count: 32).utf8)
        let stale = PluginValueWrite(plugin: "org.wsemail.builtin/attachments", key: key, value: [1])
        var effects = submission.effects
        effects.writes.append(stale)
        #expect(try await world.store.commit(effects, now: HostWorld.now))
        await world.host.tidy()
        #expect(try await world.store.pluginValue(key, of: "org.wsemail.builtin/attachments") == nil)
        #expect(try await world.store.pluginUsage(HostValues.holds).count == 1)
    }
}
