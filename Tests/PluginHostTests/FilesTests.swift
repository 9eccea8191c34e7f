import Foundation
import Identity
import MailStore
import PluginAPI
import Synchronization
import Testing

@testable import PluginHost

/// Files at submissions: what plug-ins see, read and keep.
@Suite struct SubmissionFilesTests {
    private func pipeline(_ plugins: [BuiltInPlugin]) async throws -> (HostWorld, PluginPipeline) {
        let world = try HostWorld(plugins)
        for status in try await world.host.reconcile() { #expect(status.state == .active) }
        return (world, world.host.pipeline)
    }

    private func keeping(_ guids: [[UInt8]: String], _ name: String = "a.x/a", policy: FailurePolicy = .closed) -> BuiltInPlugin {
        Sample.keeper(
            name, policy: policy,
            PluginScript(sending: { _, environment in
                try await environment.setValue([1], for: [1])
                return .keep(guids)
            }))
    }

    @Test func `a file that is kept is held, in the same transaction as what the plug-in wrote`() async throws {
        let (world, pipeline) = try await pipeline([keeping([Sample.digest(1): Sample.guid])])
        let run = Sample.run()
        let kept = KeptFile(digest: Sample.digest(1), guid: Sample.guid, plugin: Sample.plugin("a.x/a"))
        #expect(await pipeline.submit(Sample.submission(), in: run) == .accepted(recipients: [:], dropped: [], kept: [kept]))
        let key = HostValues.holdKey(owner: Sample.ann, digest: Sample.digest(1), guid: Sample.guid)
        #expect(run.writes.map(\.plugin) == ["a.x/a", HostValues.holds])
        #expect(run.writes.last?.key == key && HostValues.holdSize(run.writes.last?.value ?? []) == 1)
        let hold = try #require(HostValues.hold(key))
        #expect(hold.owner == Sample.ann && hold.digest == Sample.digest(1) && hold.guid == Sample.guid)
        #expect(try await world.store.commit(run.effects, now: HostWorld.now))
        #expect(
            try await world.store.pluginKeys(
                prefix: HostValues.holdPrefix(owner: Sample.ann, digest: Sample.digest(1)), after: nil, limit: 9, of: HostValues.holds) == [
                    key
                ])
    }

    @Test(arguments: [
        ("a file of a wrong size", [Sample.digest(2): Sample.guid]), ("a file of another", [Sample.digest(3): Sample.guid]),
        ("a file that nobody has", [Sample.digest(9): Sample.guid]), ("a bad GUID", [Sample.digest(1): "x"]),
    ])
    func `a forged verdict is the plug-in's failure, and nothing of it takes hold`(_ name: String, _ guids: [[UInt8]: String]) async throws
    {
        let (_, pipeline) = try await pipeline([keeping(guids)])
        let run = Sample.run()
        guard case .unavailable = await pipeline.submit(Sample.submission(), in: run) else { return #expect(Bool(false), "\(name)") }
        #expect(run.writes.isEmpty)
    }

    @Test func `what the server does not say is here is not, though the file is`() async throws {
        let (_, pipeline) = try await pipeline([keeping([Sample.digest(1): Sample.guid])])
        guard case .unavailable = await pipeline.submit(Sample.submission(files: []), in: Sample.run()) else { return #expect(Bool(false)) }
    }

    @Test func `a file is kept once, under one GUID, and nobody takes it out afterwards`() async throws {
        let first = keeping([Sample.digest(1): Sample.guid])
        let again: [(String, BuiltInPlugin)] = [
            ("the same", keeping([Sample.digest(1): Sample.guid(1)], "b.x/b", policy: .open)),
            ("dropped", Sample.keeper("b.x/b", policy: .open, PluginScript(sending: { _, _ in .dropAttachments([Sample.digest(1)]) }))),
        ]
        for (name, second) in again {
            let (world, pipeline) = try await pipeline([first, second])
            let run = Sample.run()
            guard case .accepted(_, [], let kept) = await pipeline.submit(Sample.submission(), in: run) else { return #expect(Bool(false)) }
            #expect(kept.map(\.guid) == [Sample.guid], "\(name)")
            #expect(await world.host.statuses()[1].metrics.failuresByCode == [.invalid: 1])
            #expect(run.writes.filter { $0.plugin == HostValues.holds }.count == 1)
        }
    }

    @Test func `what was taken out before is not kept`() async throws {
        let dropper = Sample.keeper("a.x/a", PluginScript(sending: { _, _ in .dropAttachments([Sample.digest(1)]) }))
        let (_, pipeline) = try await pipeline([dropper, keeping([Sample.digest(1): Sample.guid], "b.x/b")])
        guard case .unavailable = await pipeline.submit(Sample.submission(), in: Sample.run()) else { return #expect(Bool(false)) }
    }

    @Test func `without the capability nothing is kept, and no file is seen`() async throws {
        let seen = Mutex<[Set<[UInt8]>]>([])
        func plugin(_ name: String, _ capabilities: Set<PluginCapability>, _ verdict: SendingVerdict) -> BuiltInPlugin {
            Sample.keeper(
                name, capabilities: capabilities, policy: .open,
                PluginScript(sending: { event, _ in
                    seen.withLock { $0.append(event.files) }
                    return verdict
                }))
        }
        let (world, pipeline) = try await pipeline([
            plugin("a.x/a", [], .proceed), plugin("b.x/b", [.files], .keep([Sample.digest(1): Sample.guid])),
        ])
        #expect(await pipeline.submit(Sample.submission(), in: Sample.run()) == .accepted(recipients: [:], dropped: []))
        #expect(seen.withLock { $0 } == [[], [Sample.digest(1)]])
        #expect(await world.host.statuses()[1].metrics.failuresByCode == [.notGranted: 1])
    }

    @Test func `a scanner reads the files that came along, and no others`() async throws {
        let results = Mutex<[String]>([])
        let scanner = Sample.keeper(
            "a.x/a", capabilities: [.files],
            PluginScript(sending: { _, environment in
                func note(_ digest: [UInt8], _ offset: UInt64, _ count: Int) async {
                    do {
                        let octets = try await environment.readFile(digest, at: offset, count: count)
                        results.withLock { $0.append("\(octets)") }
                    } catch { results.withLock { $0.append(error.code.rawValue) } }
                }
                await note(Sample.digest(1), 0, 1)
                await note(Sample.digest(1), 0, 1 << 20)
                await note(Sample.digest(1), 1, 1)
                await note(Sample.digest(1), .max, 1)
                await note(Sample.digest(1), 0, 0)
                await note(Sample.digest(1), 0, 1 << 20 + 1)
                await note(Sample.digest(2), 0, 1)
                await note(Sample.digest(3), 0, 1)
                return .proceed
            }))
        let (_, pipeline) = try await pipeline([scanner])
        _ = await pipeline.submit(Sample.submission(), in: Sample.run())
        #expect(results.withLock { $0 } == ["[1]", "[1]", "[]", "[]", "limitExceeded", "limitExceeded", "invalid", "invalid"])
    }

    @Test func `an option goes to the plug-in that owns its identifier, and to nobody else`() async throws {
        let seen = Mutex<[[String]]>([])
        func plugin(_ name: String, _ identifier: String) -> BuiltInPlugin {
            Sample.keeper(
                name, roles: [.sending: 1, .extension: 1], extensions: [ExtensionDeclaration(identifier: identifier)], policy: .open,
                PluginScript(sending: { event, _ in
                    seen.withLock { $0.append(event.options.map { String(decoding: $0.content, as: UTF8.self) }) }
                    if event.options.count == 1 { throw PluginError(.failed, "no") }
                    return .proceed
                }))
        }
        let (_, pipeline) = try await pipeline([plugin("a.x/a", "urn:a"), plugin("b.x/b", "urn:b")])
        func option(_ identifier: String, _ text: String) -> SubmissionOption {
            SubmissionOption(identifier: identifier, content: Array(text.utf8))
        }
        let options = [option("urn:a", "<a/>"), option("urn:a", "<b/>")]
        _ = await pipeline.submit(Sample.submission(options), in: Sample.run())
        #expect(seen.withLock { $0 } == [["<a/>", "<b/>"], []])
        #expect(pipeline.takesOption("urn:a") && pipeline.takesOption("urn:b") && !pipeline.takesOption("urn:c"))
        // What was said to one that fails is not passed over, although mail passes it otherwise.
        guard case .unavailable = await pipeline.submit(Sample.submission([options[0]]), in: Sample.run()) else {
            return #expect(Bool(false))
        }
    }
}

/// Files in custody: holds, offers, and tidying.
@Suite struct CustodyTests {
    /// Runs a script as the answer of an extension. Returns what it threw.
    private func call(
        _ world: HostWorld, _ run: PluginRun, kind: ExtensionCaller = .user
    ) async -> ExtensionOutcome {
        await world.host.pipeline.answer(Sample.call("urn:x"), caller: kind, in: run)
    }

    private func world(
        name: String = "a.x/a", capabilities: Set<PluginCapability> = [.blobs, .keyValue], hold: Bool = true,
        change: (inout PluginHostConfiguration) -> Void = { _ in },
        _ script: @escaping @Sendable (any PluginEnvironment) async throws -> Void
    ) async throws -> HostWorld {
        let plugin = Sample.keeper(
            name, roles: [.extension: 1], extensions: [ExtensionDeclaration(identifier: "urn:x", callers: [.user, .federated])],
            capabilities: capabilities,
            PluginScript(answer: { call, environment in
                try await script(environment)
                return call.request
            }))
        let world = try HostWorld([plugin], change: change)
        if hold {
            let key = HostValues.holdKey(owner: Sample.ann, digest: Sample.digest(1), guid: Sample.guid)
            let write = PluginValueWrite(plugin: HostValues.holds, key: key, value: HostValues.holdValue(size: 1))
            #expect(try await world.store.commit(PluginEffects(writes: [write]), now: HostWorld.now))
        }
        _ = try await world.host.reconcile()
        return world
    }

    private func isAnswered(_ outcome: ExtensionOutcome) -> Bool {
        if case .answered = outcome { return true }
        return false
    }

    @Test func `an offer commits with the answer, and only its digest is kept`() async throws {
        let offer = Mutex<DownloadOffer?>(nil)
        let until = HostWorld.now + 60.9
        let world = try await world { environment in
            let made = try await environment.offerDownload(Sample.blob, to: Sample.eve, until: until)
            offer.withLock { $0 = made }
        }
        let run = Sample.run()
        #expect(isAnswered(await call(world, run)))
        let made = try #require(offer.withLock { $0 })
        #expect(made.path == "/wsemail/files/\(Sample.guid)" && made.ticket.count == 32 && VerdictRules.isGUID(made.ticketID))
        #expect(run.checks.map(\.plugin) == [HostValues.holds])
        #expect(try await world.store.commit(run.effects, now: HostWorld.now))
        let key = HostValues.ticketKey(guid: Sample.guid, ticket: made.ticket)
        let value = try #require(try await world.store.pluginValue(key, of: HostValues.tickets)?.value)
        let ticket = try #require(HostValues.Ticket(value))
        #expect(ticket.owner == Sample.ann && ticket.reader == Sample.eve && ticket.fileDigest == Sample.digest(1) && ticket.size == 1)
        #expect(ticket.expiry == HostWorld.now + 60 && made.expires == ticket.expiry)
        #expect(String(decoding: value, as: UTF8.self).contains("\"digest\":\"AQEB"))
    }

    @Test func `what is released meanwhile is not offered`() async throws {
        let world = try await world { _ = try await $0.offerDownload(Sample.blob, to: Sample.eve, until: HostWorld.now + 60) }
        let run = Sample.run()
        #expect(isAnswered(await call(world, run)))
        let key = HostValues.holdKey(owner: Sample.ann, digest: Sample.digest(1), guid: Sample.guid)
        _ = try await world.store.commit(
            PluginEffects(writes: [.init(plugin: HostValues.holds, key: key, value: nil)]), now: HostWorld.now)
        #expect(try await !world.store.commit(run.effects, now: HostWorld.now))
        #expect(!isAnswered(await call(world, Sample.run())))
    }

    @Test func `what nobody keeps is neither read nor offered`() async throws {
        let (ann, one) = (Sample.ann, Sample.digest(1))
        let forged = [
            KeptBlob(owner: Sample.eve, digest: Sample.digest(3), size: 1, guid: Sample.guid),
            KeptBlob(owner: ann, digest: one, size: 2, guid: Sample.guid), KeptBlob(owner: ann, digest: one, size: 1, guid: Sample.guid(1)),
            KeptBlob(owner: ann, digest: Sample.digest(2), size: 2, guid: Sample.guid),
            KeptBlob(owner: ann, digest: [1], size: 1, guid: "x"),
        ]
        for blob in forged {
            let scripts: [@Sendable (any PluginEnvironment) async throws -> Void] = [
                { _ = try await $0.readBlob(blob, at: 0, count: 1) },
                { _ = try await $0.offerDownload(blob, to: Sample.eve, until: HostWorld.now + 60) },
            ]
            for script in scripts {
                let run = Sample.run()
                let world = try await world(script)
                #expect(!isAnswered(await call(world, run)))
                #expect(run.writes.isEmpty)
            }
        }
        let world = try await world { environment in
            let octets = try await environment.readBlob(Sample.blob, at: 0, count: 9)
            #expect(octets == [1])
        }
        #expect(isAnswered(await call(world, Sample.run())))
    }

    @Test func `without the capability every door is closed`() async throws {
        let codes = Mutex<[PluginError.Code]>([])
        let world = try await world(capabilities: [.files]) { environment in
            func note(_ body: () async throws -> Void) async {
                do { try await body() } catch { codes.withLock { $0.append((error as? PluginError)?.code ?? .failed) } }
            }
            await note { _ = try await environment.openUpload(Sample.digest(1), size: 1) }
            await note { _ = try await environment.readBlob(Sample.blob, at: 0, count: 1) }
            await note { _ = try await environment.offerDownload(Sample.blob, to: Sample.eve, until: HostWorld.now) }
            await note { try await environment.withdrawDownloads(of: Sample.guid, reader: nil) }
            await note { try await environment.releaseBlob(Sample.blob) }
        }
        _ = await call(world, Sample.run())
        #expect(codes.withLock { $0 } == Array(repeating: .notGranted, count: 5))
    }

    @Test func `only users of the domain hand files in: who comes with a token has no mailbox here`() async throws {
        let offers = Mutex<[UploadOffer]>([])
        let world = try await world { environment in
            let offer = try await environment.openUpload(Sample.digest(1), size: 1)
            offers.withLock { $0.append(offer) }
        }
        #expect(isAnswered(await call(world, PluginRun(principal: Sample.ann, now: HostWorld.now))))
        #expect(isAnswered(await call(world, PluginRun(principal: Sample.bob, now: HostWorld.now))))
        #expect(!isAnswered(await call(world, PluginRun(principal: nil, now: HostWorld.now), kind: .federated)))
        #expect(offers.withLock { $0 } == [.complete, .open(id: "bob@example.org", ticket: [1], offset: 0, expires: HostWorld.now)])
        #expect(await call(world, Sample.run(), kind: .peer) == .notPermitted)
    }

    @Test func `offers end for one reader or for all`() async throws {
        let reader = Mutex<Address?>(Sample.eve)
        let isOffering = Mutex(true)
        let world = try await world { environment in
            guard isOffering.withLock({ $0 }) else {
                return try await environment.withdrawDownloads(of: Sample.guid, reader: reader.withLock { $0 })
            }
            for to in [Sample.eve, Sample.bob, Sample.eve] {
                _ = try await environment.offerDownload(Sample.blob, to: to, until: HostWorld.now + 60)
            }
        }
        func act() async throws -> Int {
            let run = Sample.run()
            #expect(isAnswered(await call(world, run)))
            #expect(try await world.store.commit(run.effects, now: HostWorld.now))
            return try await world.store.pluginUsage(HostValues.tickets).count
        }
        #expect(try await act() == 3)
        isOffering.withLock { $0 = false }
        #expect(try await act() == 1)
        reader.withLock { $0 = nil }
        #expect(try await act() == 0)
    }

    @Test func `1,000 offers of one file are good at a time; those whose time is over make room`() async throws {
        let world = try await world { _ = try await $0.offerDownload(Sample.blob, to: Sample.eve, until: HostWorld.now + 60) }
        func fill(_ count: Int, expires: Date) async throws {
            let ticket = try HostValues.Ticket(owner: Sample.ann, digest: Sample.digest(1), size: 1, reader: Sample.eve, expires: expires)
                .encoded()
            let writes = (0..<count).map { index in
                let key = HostValues.ticketKey(guid: Sample.guid, ticket: Array("\(index)".utf8))
                return PluginValueWrite(plugin: HostValues.tickets, key: key, value: ticket)
            }
            #expect(try await world.store.commit(PluginEffects(writes: writes), now: HostWorld.now))
        }
        try await fill(999, expires: HostWorld.now + 60)
        #expect(isAnswered(await call(world, Sample.run())))
        try await fill(1_000, expires: HostWorld.now + 60)
        #expect(!isAnswered(await call(world, Sample.run())))
        try await fill(1, expires: HostWorld.now)
        let run = Sample.run()
        #expect(isAnswered(await call(world, run)))
        #expect(run.writes.map { $0.value == nil } == [true, false])
    }

    @Test func `no quota bounds the values of what is compiled in`() async throws {
        let script: @Sendable (any PluginEnvironment) async throws -> Void = { environment in
            for index in 0..<20 { try await environment.setValue([UInt8](repeating: 0, count: 100), for: [UInt8(index)]) }
        }
        for (name, fits) in [("org.wsemail.builtin/a", true), ("a.x/a", false)] {
            let world = try await world(name: name, change: { $0.valueBytes = 1_000 }, script)
            #expect(isAnswered(await call(world, Sample.run())) == fits)
        }
    }

    // MARK: Tidying

    @Test func `a housekeeper is called as long as there is more, at most 2,000 times, and its effects commit`() async throws {
        let calls = Mutex(0)
        let plugin = Sample.keeper(
            "a.x/a", PluginScript(),
            tidy: { environment in
                let count = calls.withLock { calls in
                    calls += 1
                    return calls
                }
                try await environment.setValue([UInt8(truncatingIfNeeded: count)], for: [1])
                return count < 7 || count > 7
            })
        let world = try HostWorld([plugin])
        await world.host.tidy()
        #expect(calls.withLock { $0 } == 0)
        _ = try await world.host.reconcile()
        await world.host.tidy()
        #expect(calls.withLock { $0 } == 7)
        #expect(try await world.store.pluginValue([1], of: "a.x/a")?.value == [7])
        await world.host.tidy()
        #expect(calls.withLock { $0 } == 2_007)
    }

    @Test func `what changed meanwhile is tidied again, and a failure ends the round`() async throws {
        let calls = Mutex(0)
        let store = Mutex<MemoryPluginStore?>(nil)
        let plugin = Sample.keeper(
            "a.x/a", PluginScript(),
            tidy: { environment in
                let count = calls.withLock { calls in
                    calls += 1
                    return calls
                }
                if count == 3 { throw PluginError(.failed, "no") }
                let value = try await environment.value(for: [1]) ?? []
                try await environment.setValue(value + [9], for: [1])
                let write = PluginValueWrite(plugin: "a.x/a", key: [1], value: [7])
                if count == 1 { _ = try await store.withLock { $0 }?.commit(PluginEffects(writes: [write]), now: HostWorld.now) }
                return count == 2
            })
        let world = try HostWorld([plugin])
        store.withLock { $0 = world.store }
        _ = try await world.host.reconcile()
        await world.host.tidy()
        #expect(calls.withLock { $0 } == 3)
        #expect(try await world.store.pluginValue([1], of: "a.x/a")?.value == [7, 9])
    }

    @Test func `old tickets go, good ones stay`() async throws {
        let world = try HostWorld()
        var writes: [PluginValueWrite] = []
        for index in 0..<250 {
            let ticket = HostValues.Ticket(
                owner: Sample.ann, digest: Sample.digest(1), size: 1, reader: Sample.eve, expires: HostWorld.now + (index % 2 == 0 ? 0 : 1))
            let key = HostValues.ticketKey(guid: Sample.guid, ticket: Array("\(index)".utf8))
            writes.append(PluginValueWrite(plugin: HostValues.tickets, key: key, value: try ticket.encoded()))
        }
        _ = try await world.store.commit(PluginEffects(writes: writes), now: HostWorld.now)
        await world.host.tidy()
        #expect(try await world.store.pluginUsage(HostValues.tickets).count == 125)
    }

    // MARK: Who can have it

    @Test func `no package has files in custody, or the host's names`() async throws {
        let world = try HostWorld()
        for package in [
            FakePackage("a.x/a", capabilities: [.blobs]), FakePackage("org.wsemail.host/holds"), FakePackage("org.wsemail.builtin/x"),
        ] {
            await #expect(throws: PluginError.self) {
                _ = try await world.manager.install(package.octets, grants: [.blobs], allowDowngrade: false, by: "test")
            }
        }
    }

    @Test func `what is compiled in has its grants until the administrator says something else`() async throws {
        let plugin = Sample.keeper("a.x/a", PluginScript())
        let world = try HostWorld([plugin])
        #expect(try await world.host.reconcile().first?.granted == [.blobs, .keyValue, .clock])
        try await world.manager.setPriority("a.x/a", role: .sending, to: 3)
        #expect(try await world.host.reconcile().first?.granted == [.blobs, .keyValue, .clock])
        try await world.manager.revoke("a.x/a", [.blobs])
        #expect(try await world.host.reconcile().first?.granted == [.keyValue, .clock])
    }
}
