import Foundation
import Identity
import MailStore
import Testing

extension ContractCase {
    private static func metadata(_ domain: String, _ version: Int64, _ octet: UInt8 = 0) -> PeerMetadata {
        PeerMetadata(
            domain: Sample.domain(domain), octets: [octet], version: version, nextUpdate: Sample.now + 3600, fetched: Sample.now)
    }

    private static func anchor(_ number: UInt8, _ scope: AnchorScope) -> TrustAnchorRecord {
        TrustAnchorRecord(
            thumbprint: [UInt8](repeating: number, count: 32), der: [number], scope: scope, label: "root", added: Sample.now,
            addedBy: "admin")
    }

    @Sendable
    private static func checkAnchors(_ context: ContractContext) async throws {
        let store = context.store
        let pinned = anchor(1, .domain(Sample.dave.domain))
        let root = anchor(1, .federation)
        #expect(try await store.trustAnchors() == TrustAnchorSet(generation: 0, anchors: []))
        #expect(try await store.addTrustAnchor(pinned) == 1)
        #expect(try await store.addTrustAnchor(pinned) == 1)
        #expect(try await store.addTrustAnchor(root) == 2)
        #expect(try await store.trustAnchors() == TrustAnchorSet(generation: 2, anchors: [root, pinned]))
        #expect(try await store.removeTrustAnchor(thumbprint: root.thumbprint, scope: .federation) == 3)
        await expectError(.unknownCertificate) {
            try await store.removeTrustAnchor(thumbprint: root.thumbprint, scope: .federation)
        }
        #expect(try await store.trustAnchors() == TrustAnchorSet(generation: 3, anchors: [pinned]))
    }

    static let peerCases: [ContractCase] = [
        ContractCase("metadata only goes forward") { context in
            let store = context.store
            #expect(try await store.savePeerMetadata(metadata("scopio.test", 5, 1)))
            #expect(try await store.savePeerMetadata(metadata("scopio.test", 5, 2)))
            #expect(try await store.savePeerMetadata(metadata("scopio.test", 4, 3)) == false)
            #expect(try await store.peerMetadata(of: Sample.dave.domain) == metadata("scopio.test", 5, 2))
            try await store.savePeerMetadata(metadata("third.test", 1))
            #expect(try await store.peerMetadata(after: nil, limit: 9).map(\.domain.description) == ["scopio.test", "third.test"])
            #expect(try await store.peerMetadata(after: Sample.dave.domain, limit: 9).count == 1)
            try await store.removePeerMetadata(of: Sample.dave.domain)
            #expect(try await store.peerMetadata(of: Sample.dave.domain) == nil)
            #expect(try await store.savePeerMetadata(metadata("scopio.test", 1)))
        },
        ContractCase("every change of the anchors has a generation", checkAnchors),
        ContractCase("certificates seen are remembered for a while") { context in
            let store = context.store
            try await store.rememberCertificates([(thumbprint: [1], der: [10]), (thumbprint: [2], der: [20])], now: Sample.now)
            let later = Sample.now + 60 * 86_400
            try await store.rememberCertificates([(thumbprint: [1], der: [10])], now: later)
            #expect(try await store.rememberedCertificate(thumbprint: [2]) == [20])
            #expect(try await store.prune(now: later + 60 * 86_400, limit: 10).certificates == 1)
            #expect(try await store.rememberedCertificate(thumbprint: [1]) == [10])
            #expect(try await store.rememberedCertificate(thumbprint: [2]) == nil)
        },
        ContractCase("counters count over a restart, settings are kept by namespace") { context in
            #expect(try await context.store.counter("metadata") == 0)
            #expect(try await context.store.nextCounter("metadata") == 1)
            #expect(try await context.store.nextCounter("metadata") == 2)
            try await context.store.setSetting("a", in: "x", to: [1])
            try await context.store.setSetting("a", in: "y", to: [2])
            try await context.store.setSetting("b", in: "x", to: [])
            let context = try await context.reopened()
            #expect(try await context.store.nextCounter("metadata") == 3)
            #expect(try await context.store.settings(in: "x") == ["a": [1], "b": []])
            try await context.store.setSetting("a", in: "x", to: nil)
            #expect(try await context.store.setting("a", in: "x") == nil)
            #expect(try await context.store.setting("a", in: "y") == [2])
            try await context.store.setSetting("c", in: "x", to: [UInt8](repeating: 0, count: 65_536))
            await expectError(.invalid) {
                try await context.store.setSetting("c", in: "x", to: [UInt8](repeating: 0, count: 65_537))
            }
            await context.store.close()
        },
    ]

    static let maintenanceCases: [ContractCase] = [
        ContractCase("a tombstone outlives the mail, then goes") { context in
            let store = context.store
            let later = Sample.now + 31 * 86_400
            try await store.createAccounts(Sample.alice, Sample.bob)
            let deleted = Sample.delivery(1, to: [Sample.bob])
            try await store.mustAccept(deleted)
            try await store.mustAccept(Sample.delivery(2, to: [Sample.bob]))
            try await store.mustAccept(Sample.submission(3, remote: [Sample.dave]))
            try await store.delete(Sample.bob, [.message(Sample.id(1))])
            #expect(try await store.prune(now: Sample.now + 29 * 86_400, limit: 100) == PruneReport())
            #expect(try await store.accept(deleted, now: Sample.now) == .duplicate(receipt: Sample.receipt))
            // The third waits in the queue still.
            #expect(try await store.prune(now: later, limit: 1).hasMore)
            #expect(try await store.prune(now: later, limit: 100).intents == 1)
            #expect(try await store.statistics(now: later).intents == 1)
            // What is in a mailbox keeps its evidence.
            let kept = try await store.retrieve(Sample.bob, .message(Sample.id(2)))
            #expect(kept.receipt == Sample.receipt && kept.postmark == Sample.postmark)
            try await store.delete(Sample.bob, [.message(Sample.id(2))])
            #expect(try await store.check().problems == [])
        },
        ContractCase("expired sessions go") { context in
            for id in ["p1", "p2", "p3"] { try await context.store.insertSession(.peer(id)) }
            let first = try await context.store.prune(now: Sample.now + 3600, limit: 2)
            #expect(first.sessions == 2 && first.hasMore)
            #expect(try await context.store.prune(now: Sample.now + 3600, limit: 2).sessions == 1)
        },
        ContractCase("check and compact find a healthy store") { context in
            let store = context.store
            try await store.createAccounts(Sample.alice, Sample.bob)
            for number in 1...20 { try await store.mustAccept(Sample.submission(number, size: 20_000, local: [Sample.bob])) }
            try await store.delete(Sample.bob, (1...20).map { .uid($0) })
            let before = try await store.statistics(now: Sample.now).bytes
            try await store.compact()
            #expect(try await store.statistics(now: Sample.now).bytes < before)
            let health = try await store.check()
            #expect(health.isHealthy && !health.facts.isEmpty)
            let statistics = try await store.statistics(now: Sample.now)
            #expect(statistics.accounts == 2 && statistics.entries == 0 && statistics.writes >= statistics.commits)
        },
        ContractCase("a closed store says so") { context in
            await context.store.close()
            await context.store.close()
            await expectError(.closed) { try await context.store.createAccounts(Sample.bob) }
            await expectError(.closed) { _ = try await context.store.account(Sample.bob) }
        },
    ]
}
