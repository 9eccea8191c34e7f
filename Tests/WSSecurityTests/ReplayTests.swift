import FoundationEssentials
import Identity
import SOAP
import Testing

@testable import WSSecurity

@Suite struct SequenceWindowTests {
    @Test func acceptsEachOnceInAnyOrderWithinTheWindow() {
        var window = SequenceWindow(width: 64, ceiling: 1 << 20)
        for number in [5, 1, 64, 2, 3, 63] as [UInt64] { #expect(window.admit(number) == .accepted) }
        for number in [5, 1, 64, 2, 3, 63] as [UInt64] { #expect(window.admit(number) == .replayed) }
        #expect(window.admit(65) == .accepted)
        #expect(window.admit(1) == .stale(next: 66))
        #expect(window.admit(4) == .accepted)
        #expect(window.admit(0) == .stale(next: 66))
    }

    @Test(arguments: [(1, 64), (64, 64), (65, 128), (256, 256), (1024, 1024), (5000, 1024)])
    func theWidthIsBounded(asked: Int, given: UInt64) {
        #expect(SequenceWindow(width: asked).width == given)
    }

    @Test func agreesWithASetUnderRandomOrder() {
        var window = SequenceWindow(width: 128, ceiling: .max)
        var seen: Set<UInt64> = []
        var generator = SystemRandomNumberGenerator()
        var top: UInt64 = 0
        for _ in 0..<20_000 {
            let number = UInt64.random(in: max(1, top > 150 ? top - 150 : 1)...(top + 40), using: &generator)
            let verdict = window.admit(number)
            if seen.contains(number) {
                #expect(verdict != .accepted)
            } else if number + 128 > top {
                #expect(verdict == .accepted)
            } else {
                #expect(verdict == .stale(next: top + 1))
            }
            if verdict == .accepted { seen.insert(number) }
            top = max(top, verdict == .accepted ? number : top)
        }
    }

    @Test func aLongJumpForgetsNothing() {
        var window = SequenceWindow(width: 64, ceiling: .max)
        #expect(window.admit(10) == .accepted)
        #expect(window.admit(1_000_000) == .accepted)
        #expect(window.admit(10) == .stale(next: 1_000_001))
        #expect(window.admit(1_000_000 - 63) == .accepted)
        #expect(window.admit(1_000_000 - 64) == .stale(next: 1_000_001))
        #expect(window.admit(SequenceWindow.maximum + 1) == .stale(next: 1_000_001))
        #expect(window.admit(SequenceWindow.maximum) == .accepted)
    }

    @Test func theCeilingRisesInBlocks() {
        var window = SequenceWindow()
        #expect(window.admit(1) == .acceptedAbove(ceiling: 1025))
        #expect(window.admit(2) == .acceptedAbove(ceiling: 1026))
        window.confirm(ceiling: 1025)
        #expect(window.admit(3) == .accepted)
        #expect(window.admit(1025) == .accepted)
        #expect(window.admit(1026) == .acceptedAbove(ceiling: 2050))
    }

    @Test func afterARestartTheCeilingIsTheFloor() {
        var window = SequenceWindow(floor: 1025)
        #expect(window.admit(1) == .stale(next: 1026))
        #expect(window.admit(1025) == .stale(next: 1026))
        #expect(window.admit(1026) == .acceptedAbove(ceiling: 2050))
    }
}

@Suite struct ReplayGuardTests {
    @Test func remembersForTheRetentionAndNotLonger() throws {
        var replay = ReplayGuard()
        let alice = Principal.user(try Address("alice@capicom.test"))
        let bob = Principal.user(try Address("bob@capicom.test"))
        let now = Keys.now
        #expect(replay.admit("urn:1", principal: alice, now: now) == .accepted)
        #expect(replay.admit("urn:1", principal: alice, now: now.addingTimeInterval(599)) == .replayed)
        #expect(replay.admit("urn:1", principal: bob, now: now) == .accepted)
        #expect(replay.admit("urn:1", principal: alice, now: now.addingTimeInterval(600)) == .accepted)
        #expect(replay.count == 1)
    }

    @Test func isBoundedInAllAndPerCaller() throws {
        var replay = ReplayGuard(limits: .init(maxEntries: 5, maxPerPrincipal: 3))
        let now = Keys.now
        for index in 0..<3 { #expect(replay.admit("a\(index)", principal: .anonymous, now: now) == .accepted) }
        #expect(replay.admit("a3", principal: .anonymous, now: now) == .full)
        #expect(replay.admit("a0", principal: .anonymous, now: now) == .replayed)
        let peer = Principal.peer(try MailDomain("scopio.test"))
        for index in 0..<2 { #expect(replay.admit("b\(index)", principal: peer, now: now) == .accepted) }
        #expect(replay.admit("b2", principal: peer, now: now) == .full)
        #expect(replay.admit("a3", principal: .anonymous, now: now.addingTimeInterval(600)) == .accepted)
    }

    @Test func purgesLongQueues() {
        var replay = ReplayGuard(limits: .init(retention: 10, maxEntries: 100_000, maxPerPrincipal: 100_000))
        for index in 0..<20_000 {
            let time = Keys.now.addingTimeInterval(Double(index) / 100)
            #expect(replay.admit("\(index)", principal: .anonymous, now: time) == .accepted)
        }
        #expect(replay.count <= 1001)
    }
}

@Suite struct ReplayKeeperTests {
    private func attempt(_ session: SecuritySession, _ number: UInt64) -> Attempt {
        Attempt(
            principal: session.principal, messageID: "urn:x", created: Keys.now, session: session, sequence: number)
    }

    private func subcode(_ keeper: ReplayKeeper, _ attempt: Attempt) async -> FaultSubcode? {
        do {
            try await keeper.admit(attempt, now: Keys.now)
            return nil
        } catch {
            return error.subcode
        }
    }

    @Test func aRestartRefusesWhatMayHaveBeenUsed() async throws {
        let tables = Tables()
        let session = SessionIssuer().issue(principal: .anonymous, method: .password, now: Keys.now)
        let first = ReplayKeeper(sequences: tables)
        for number in 1...2000 as ClosedRange<UInt64> { #expect(await subcode(first, attempt(session, number)) == nil) }
        #expect(tables.state.withLock { $0.raises } <= 2)
        let second = ReplayKeeper(sequences: tables)
        #expect(await subcode(second, attempt(session, 2000)) == .staleSequence)
        let ceiling = tables.state.withLock { $0.ceilings[session.id] ?? 0 }
        #expect(await subcode(second, attempt(session, ceiling + 1)) == nil)
        #expect(await subcode(second, attempt(session, ceiling + 1)) == .replay)
    }

    @Test func aNewSessionNeedsNoWrite() async throws {
        let tables = Tables()
        let session = SessionIssuer().issue(principal: .anonymous, method: .password, now: Keys.now)
        tables.state.withLock { $0.ceilings[session.id] = SequenceWindow.block }
        let keeper = ReplayKeeper(sequences: tables)
        keeper.begin(session: session.id)
        for number in 1...1024 as ClosedRange<UInt64> { #expect(await subcode(keeper, attempt(session, number)) == nil) }
        #expect(tables.state.withLock { $0.raises } == 0)
        #expect(await subcode(keeper, attempt(session, 1025)) == nil)
        #expect(tables.state.withLock { $0.raises } == 1)
    }

    @Test func droppedWindowsForgetNothing() async throws {
        let tables = Tables()
        let keeper = ReplayKeeper(sequences: tables, maxSessions: 4)
        let sessions = (0..<10).map { _ in SessionIssuer().issue(principal: .anonymous, method: .password, now: Keys.now) }
        for session in sessions { #expect(await subcode(keeper, attempt(session, 1)) == nil) }
        for session in sessions {
            let again = await subcode(keeper, attempt(session, 1))
            #expect(again == .replay || again == .staleSequence)
        }
    }

    @Test func parallelCallsOfOneNumberCountOnce() async throws {
        let tables = Tables()
        let keeper = ReplayKeeper(sequences: tables)
        let session = SessionIssuer().issue(principal: .anonymous, method: .password, now: Keys.now)
        let accepted = await withTaskGroup(of: Bool.self) { group in
            for index in 0..<200 {
                group.addTask { await subcode(keeper, attempt(session, UInt64(index % 50) + 1)) == nil }
            }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(accepted == 50)
    }

    @Test func callsFromBeforeTheStartAreStale() async throws {
        let keeper = ReplayKeeper(sequences: Tables(), startedAt: Keys.now)
        func attempt(_ offset: Double) -> Attempt {
            Attempt(
                principal: .anonymous, messageID: "urn:\(offset)", created: Keys.now.addingTimeInterval(offset),
                session: nil, sequence: nil)
        }
        #expect(await subcode(keeper, attempt(-1)) == .staleTimestamp)
        #expect(await subcode(keeper, attempt(1)) == nil)
        #expect(await subcode(keeper, attempt(1)) == .replay)
    }

    @Test func aFullGuardIsBusy() async throws {
        let fixture = try Fixture(limits: .init(maxEntries: 1))
        let one = try fixture.protect(.list, .password(fixture.alice, "correct horse"))
        let two = try fixture.protect(.list, .password(fixture.alice, "correct horse"))
        #expect(try await fixture.refusal(one.bytes) == nil)
        #expect(try await fixture.refusal(two.bytes) == .busy)
    }
}

@Suite struct ChallengeStoreTests {
    @Test func aChallengeIsGoodOnce() throws {
        var store = ChallengeStore()
        let (challenge, expires) = store.issue(now: Keys.now)
        #expect(expires == Keys.now.addingTimeInterval(120))
        #expect(store.redeem([1, 2, 3], now: Keys.now) == false)
        #expect(store.redeem(challenge, now: Keys.now) == true)
        #expect(store.redeem(challenge, now: Keys.now) == false)
        let (late, _) = store.issue(now: Keys.now)
        #expect(store.redeem(late, now: Keys.now.addingTimeInterval(120)) == false)
        #expect(store.count == 0)
    }

    @Test func theNumberIsBoundedAndTheOldestGoes() {
        var store = ChallengeStore(lifetime: 10_000, limit: 3)
        let issued = (0..<4).map { _ in store.issue(now: Keys.now).challenge }
        #expect(store.count == 3)
        #expect(issued.map { store.redeem($0, now: Keys.now) } == [false, true, true, true])
        for _ in 0..<5_000 { _ = store.issue(now: Keys.now) }
        #expect(store.count == 3)
    }
}
