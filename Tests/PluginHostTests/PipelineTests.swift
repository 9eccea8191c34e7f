import Foundation
import Identity
import PluginAPI
import Synchronization
import Testing

@testable import PluginHost

/// What the pipeline does with events and verdicts.
@Suite struct PipelineTests {
    private func pipeline(_ plugins: [BuiltInPlugin]) async throws -> (HostWorld, PluginPipeline) {
        let world = try HostWorld(plugins)
        for plugin in plugins where !plugin.descriptor.capabilities.isEmpty {
            try await world.manager.grant(plugin.descriptor.identifier.description, plugin.descriptor.capabilities)
        }
        for status in try await world.host.reconcile() { #expect(status.state == .active) }
        return (world, world.host.pipeline)
    }

    private func sender(
        _ name: String, _ priority: Int,
        _ sending: @escaping @Sendable (SubmissionEvent, any PluginEnvironment) async throws -> SendingVerdict
    ) -> BuiltInPlugin {
        Sample.builtIn(Sample.descriptor(name, roles: [.sending: priority]), PluginScript(sending: sending))
    }

    private func deliverer(_ name: String, _ priority: Int, _ verdict: DeliveryVerdict) -> BuiltInPlugin {
        Sample.builtIn(Sample.descriptor(name, roles: [.delivery: priority]), PluginScript(delivery: { _, _ in verdict }))
    }

    @Test func `the empty pipeline lets everything pass`() async throws {
        let pipeline = PluginPipeline.empty
        #expect(!pipeline.hasSending && !pipeline.hasDelivery && !pipeline.hasResolvers)
        let run = Sample.run()
        #expect(await pipeline.submit(Sample.submission, in: run) == .accepted(recipients: [:], dropped: []))
        #expect(await pipeline.deliver(try Sample.delivery(), in: run) == .deliver(folder: nil, flags: []))
        #expect(await pipeline.resolve(Sample.bob, in: run) == .unknown)
        #expect(await pipeline.answer(Sample.call(), caller: .user, in: run) == .unknownIdentifier)
        #expect(run.trace.isEmpty)
    }

    @Test func `plug-ins run by priority, then by identifier, and the trace says so`() async throws {
        let (world, pipeline) = try await pipeline([
            deliverer("b.x/late", 900, .proceed), deliverer("b.x/b", 5, .proceed), deliverer("a.x/z", 5, .proceed),
        ])
        let run = Sample.run()
        _ = await pipeline.deliver(try Sample.delivery(), in: run)
        #expect(run.trace.map(\.identifier.description) == ["a.x/z", "b.x/b", "b.x/late"])
        #expect(run.trace.allSatisfy { $0.generation == pipeline.generation && $0.version == PluginVersion(1, 0, 0) })
        await world.host.shutDown()
    }

    @Test func `attachments that were dropped are gone for the next plug-in, and only those that exist count`() async throws {
        let seen = Mutex<[Int]>([])
        let (_, pipeline) = try await pipeline([
            sender("a.x/a", 1) { _, _ in .dropAttachments([Sample.digest(1), Sample.digest(99)]) },
            sender("a.x/b", 2) { event, _ in
                seen.withLock { $0.append(event.message.attachments.count) }
                return .dropAttachments([Sample.digest(1), Sample.digest(2)])
            },
        ])
        let outcome = await pipeline.submit(Sample.submission, in: Sample.run())
        let dropped = [
            DroppedAttachment(digest: Sample.digest(1), plugin: Sample.plugin("a.x/a")),
            DroppedAttachment(digest: Sample.digest(2), plugin: Sample.plugin("a.x/b")),
        ]
        #expect(outcome == .accepted(recipients: [:], dropped: dropped))
        #expect(seen.withLock { $0 } == [2])
    }

    @Test func `redirections add up, without repetition, and the next plug-in sees the new recipients`() async throws {
        let seen = Mutex<[Address]>([])
        let carol = Sample.address("carol@example.org")
        let (_, pipeline) = try await pipeline([
            sender("a.x/a", 1) { _, _ in .redirect([Sample.bob: [carol, Sample.eve, carol]]) },
            sender("a.x/b", 2) { event, _ in
                seen.withLock { $0 = event.recipients }
                return .redirect([Sample.eve: [Sample.ann]])
            },
        ])
        let outcome = await pipeline.submit(Sample.submission, in: Sample.run())
        #expect(outcome == .accepted(recipients: [Sample.bob: [carol, Sample.ann], Sample.eve: [Sample.ann]], dropped: []))
        #expect(seen.withLock { $0 } == [carol, Sample.eve])
    }

    @Test func `a redirection there and back is none`() async throws {
        let (_, pipeline) = try await pipeline([
            sender("a.x/a", 1) { _, _ in .redirect([Sample.bob: [Sample.ann]]) },
            sender("a.x/b", 2) { _, _ in .redirect([Sample.ann: [Sample.bob]]) },
        ])
        #expect(await pipeline.submit(Sample.submission, in: Sample.run()) == .accepted(recipients: [:], dropped: []))
    }

    @Test func `replacing somebody who is no recipient is a failure of the plug-in`() async throws {
        let (world, pipeline) = try await pipeline([sender("a.x/a", 1) { _, _ in .redirect([Sample.ann: [Sample.bob]]) }])
        #expect(await pipeline.submit(Sample.submission, in: Sample.run()) == .accepted(recipients: [:], dropped: []))
        #expect(await world.host.statuses()[0].metrics.failuresByCode == [.invalid: 1])
    }

    @Test func `a refusal ends the queue and is no failure`() async throws {
        let (world, pipeline) = try await pipeline([
            sender("a.x/a", 1) { _, _ in .refuse(reason: "too\nlarge", isTransient: true) }, sender("a.x/b", 2) { _, _ in .proceed },
        ])
        let run = Sample.run()
        let outcome = await pipeline.submit(Sample.submission, in: run)
        #expect(outcome == .refused(reason: "too large", isTransient: true, plugin: Sample.plugin("a.x/a")))
        #expect(run.trace.count == 1)
        #expect(await world.host.statuses()[0].metrics.failures == 0)
    }

    @Test func `of several that file a delivery the last folder counts, and all flags`() async throws {
        let (_, pipeline) = try await pipeline([
            deliverer("a.x/a", 1, .file(folder: "One", flags: [.seen])), deliverer("a.x/b", 2, .file(folder: "Two", flags: [.flagged])),
            deliverer("a.x/c", 3, .proceed),
        ])
        #expect(
            await pipeline.deliver(try Sample.delivery(), in: Sample.run()) == .deliver(folder: "Two", flags: [.seen, .flagged]))
    }

    @Test(arguments: [
        (DeliveryVerdict.consume, DeliveryOutcome.consumed(by: Sample.plugin("a.x/a"))),
        (.redirect([Sample.ann, Sample.ann]), .redirect([Sample.ann], by: Sample.plugin("a.x/a"))),
        (.refuse(reason: "no"), .refused(reason: "no", by: Sample.plugin("a.x/a"))),
        (.later(seconds: 0, reason: "r"), .later(seconds: 1, reason: "r", by: Sample.plugin("a.x/a"))),
        (.later(seconds: .max, reason: "r"), .later(seconds: 86_400, reason: "r", by: Sample.plugin("a.x/a"))),
    ])
    func `other verdicts end a delivery's queue`(_ verdict: DeliveryVerdict, _ outcome: DeliveryOutcome) async throws {
        let (_, pipeline) = try await pipeline([deliverer("a.x/a", 1, verdict), deliverer("a.x/b", 2, .consume)])
        let run = Sample.run()
        #expect(await pipeline.deliver(try Sample.delivery(), in: run) == outcome)
        #expect(run.trace.count == 1)
    }

    @Test(arguments: [
        DeliveryVerdict.file(folder: "", flags: []), .file(folder: "a\u{0}", flags: []),
        .file(folder: String(repeating: "f", count: 101), flags: []), .redirect([]),
        .redirect((0...20).map { Sample.address("a\($0)@example.org") }), .redirect([Sample.bob]),
        .refuse(reason: String(repeating: "r", count: 501)),
    ])
    func `a verdict out of bounds counts as a failure`(_ verdict: DeliveryVerdict) async throws {
        let (world, pipeline) = try await pipeline([deliverer("a.x/a", 1, verdict)])
        #expect(await pipeline.deliver(try Sample.delivery(), in: Sample.run()) == .deliver(folder: nil, flags: []))
        #expect(await world.host.statuses()[0].metrics.failures == 1)
    }

    @Test func `resolvers are asked until one knows`() async throws {
        func resolver(_ name: String, _ known: [Address]?) -> BuiltInPlugin {
            Sample.builtIn(Sample.descriptor(name, roles: [.resolver: 1]), PluginScript(resolve: { _, _ in known }))
        }
        let (_, pipeline) = try await pipeline([
            resolver("a.x/a", nil), resolver("a.x/b", []), resolver("a.x/c", [Sample.ann]), resolver("a.x/d", [Sample.eve]),
        ])
        let run = Sample.run()
        #expect(await pipeline.resolve(Sample.bob, in: run) == .resolved([Sample.ann], by: Sample.plugin("a.x/c")))
        #expect(run.trace.count == 3)
    }

    @Test func `an extension answers whom it is for, and its refusals reach the caller`() async throws {
        let script = PluginScript(answer: { call, _ in
            if call.request.isEmpty { throw PluginFault("nothing\u{1B} asked", isTransient: true) }
            return call.request == [0xFF] ? [0xFF] : call.request
        })
        let (world, pipeline) = try await pipeline([
            Sample.builtIn(Sample.descriptor("a.x/a", roles: [.extension: 1], extensions: ["urn:x"]), script)
        ])
        let plugin = Sample.plugin("a.x/a")
        func ask(_ event: ExtensionEvent, _ caller: ExtensionCaller = .user) async -> ExtensionOutcome {
            await pipeline.answer(event, caller: caller, in: Sample.run())
        }
        #expect(await ask(Sample.call()) == .answered(Array("<a/>".utf8), by: plugin))
        #expect(await ask(Sample.call("urn:X")) == .unknownIdentifier)
        #expect(await ask(Sample.call(), .peer) == .notPermitted)
        #expect(await ask(Sample.call("urn:x", "")) == .fault(PluginFault("nothing  asked", isTransient: true), by: plugin))
        #expect(await world.host.statuses()[0].metrics.failures == 0)
        let broken = ExtensionEvent(identifier: "urn:x", request: [0xFF], caller: Sample.caller)
        guard case .unavailable = await ask(broken) else { return #expect(Bool(false)) }
    }

    @Test func `each plug-in sees of an event what it was granted`() async throws {
        let seen = Mutex<[String: SubmissionEvent]>([:])
        let wishes: [(String, Set<PluginCapability>)] = [
            ("a.x/none", []), ("a.x/content", [.content]), ("a.x/raw", [.rawXML]), ("a.x/identity", [.identity]),
            ("a.x/tokens", [.tokens]), ("a.x/all", [.content, .rawXML, .identity, .tokens]),
        ]
        let (_, pipeline) = try await pipeline(
            wishes.map { name, capabilities in
                Sample.builtIn(
                    Sample.descriptor(name, roles: [.sending: 1], capabilities: capabilities),
                    PluginScript(sending: { event, _ in
                        seen.withLock { $0[name] = event }
                        return .proceed
                    }))
            })
        _ = await pipeline.submit(Sample.submission, in: Sample.run())
        let events = seen.withLock { $0 }
        #expect(events["a.x/all"] == Sample.submission)
        for (name, capabilities) in wishes {
            #expect((events[name]?.message.content != nil) == capabilities.contains(.content))
            #expect((events[name]?.message.octets != nil) == capabilities.contains(.rawXML))
            #expect((events[name]?.identity != nil) == capabilities.contains(.identity))
            #expect((events[name]?.identity?.token != nil) == capabilities.isSuperset(of: [.identity, .tokens]))
        }
    }

    @Test func `a delivery's Postmark needs raw-xml, a call's token needs tokens`() async throws {
        let seen = Mutex<[[UInt8]?]>([])
        let script = PluginScript(
            delivery: { event, _ in
                seen.withLock { $0.append(event.postmark) }
                return .proceed
            },
            answer: { call, _ in
                seen.withLock { $0.append(call.caller.token) }
                return Array(call.caller.principal.utf8)
            })
        let (_, pipeline) = try await pipeline([
            Sample.builtIn(Sample.descriptor("a.x/a", roles: [.delivery: 1, .extension: 1], extensions: ["urn:x"]), script)
        ])
        _ = await pipeline.deliver(try Sample.delivery(), in: Sample.run())
        let outcome = await pipeline.answer(Sample.call(), caller: .user, in: Sample.run())
        #expect(outcome == .answered(Array("ann@example.org".utf8), by: Sample.plugin("a.x/a")))
        #expect(seen.withLock { $0 } == [nil, nil])
    }
}
