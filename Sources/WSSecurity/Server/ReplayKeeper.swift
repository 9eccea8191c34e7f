import FoundationEssentials
import SOAP
import Synchronization

/// One call that has passed every cryptographic check and asks to be executed once.
public struct Attempt: Sendable {
    public let principal: Principal
    /// `wsa:MessageID`.
    public let messageID: String
    /// `wsu:Created` of the call.
    public let created: Date
    public let session: SecuritySession?
    /// Present exactly with a session.
    public let sequence: UInt64?
    /// How long the attempt must be remembered, if longer than a Timestamp is fresh: the end of a bearer assertion.
    public let until: Date?

    public init(
        principal: Principal, messageID: String, created: Date, session: SecuritySession?, sequence: UInt64?,
        until: Date? = nil
    ) {
        self.principal = principal
        self.messageID = messageID
        self.created = created
        self.session = session
        self.sequence = sequence
        self.until = until
    }
}

/// Decides whether a call was seen before. Asked once per call, after all other checks.
public protocol ReplayAdmission: Sendable {
    /// - Throws: `Replay`, `StaleSequence` (with `next`), `StaleTimestamp`, `Busy`.
    func admit(_ attempt: Attempt, now: Date) async throws(SOAPFault)
}

/// Where the ceilings of sequence windows are kept (`SequenceWindow`).
public protocol SequenceStore: Sendable {
    /// The stored ceiling; 0 for a session that never raised it.
    func sequenceCeiling(session: String) async throws(SOAPFault) -> UInt64
    /// Raises it (never lowers it); durable when it returns.
    func raiseSequenceCeiling(session: String, to ceiling: UInt64) async throws(SOAPFault)
}

/// The `ReplayAdmission` of one process: a sequence window per session, MessageIDs for calls without one.
///
/// Session calls need no MessageID memory: the signed sequence number already makes each of them unique.
public final class ReplayKeeper: ReplayAdmission {
    private struct Slot {
        var window: SequenceWindow
        var lastUse: UInt64
    }

    private struct State {
        var replay: ReplayGuard
        var windows: [String: Slot] = [:]
        var tick: UInt64 = 0
        var evictions: UInt64 = 0
    }

    private let state: Mutex<State>
    private let sequences: any SequenceStore
    private let windowWidth: Int
    private let maxSessions: Int
    private let startedAt: Date?

    /// - Parameters:
    ///   - startedAt: when this process began to remember MessageIDs: calls without a session that were made before
    ///     are refused as stale (transient), because their replay could not be noticed.
    ///   - maxSessions: windows in memory; the least recently used ones are dropped and later reloaded from the store.
    public init(
        limits: ReplayGuard.Limits = .standard, windowWidth: Int = 256, sequences: any SequenceStore,
        maxSessions: Int = 100_000, startedAt: Date? = nil
    ) {
        state = Mutex(State(replay: ReplayGuard(limits: limits)))
        self.sequences = sequences
        self.windowWidth = windowWidth
        self.maxSessions = max(1, maxSessions)
        self.startedAt = startedAt
    }

    public func admit(_ attempt: Attempt, now: Date) async throws(SOAPFault) {
        if let session = attempt.session, let sequence = attempt.sequence {
            try await admit(sequence, session: session.id)
            return
        }
        if let startedAt, attempt.created < startedAt {
            throw SOAPFault(
                .staleTimestamp, "The call was made before this server started; wrap it anew.",
                detail: .init(serverTime: now))
        }
        let verdict = state.withLock { state in
            state.replay.admit(attempt.messageID, principal: attempt.principal, now: now, until: attempt.until)
        }
        switch verdict {
        case .accepted: return
        case .replayed: throw SOAPFault(.replay, "This MessageID was used before.")
        case .full: throw SOAPFault(.busy, "Too many calls in a short time.")
        }
    }

    /// A session was just created and stored with this ceiling: its first calls need no further write.
    public func begin(session: String, ceiling: UInt64 = SequenceWindow.block) {
        state.withLock { state in
            insert(SequenceWindow(width: windowWidth, floor: 0, ceiling: ceiling), for: session, into: &state)
        }
    }

    /// The session has ended.
    public func forget(session: String) {
        state.withLock { _ = $0.windows.removeValue(forKey: session) }
    }

    private func admit(_ number: UInt64, session: String) async throws(SOAPFault) {
        var verdict = judge(number, session: session)
        while verdict == nil {
            let evictions = state.withLock { $0.evictions }
            let floor = try await sequences.sequenceCeiling(session: session)
            state.withLock { state in
                // A window dropped while we read may have raised the ceiling since: read again.
                guard state.evictions == evictions, state.windows[session] == nil else { return }
                insert(SequenceWindow(width: windowWidth, floor: floor), for: session, into: &state)
            }
            verdict = judge(number, session: session)
        }
        switch verdict {
        case .acceptedAbove(let ceiling):
            try await sequences.raiseSequenceCeiling(session: session, to: ceiling)
            state.withLock { $0.windows[session]?.window.confirm(ceiling: ceiling) }
        case .replayed: throw SOAPFault(.replay, "This sequence number was used before.")
        case .stale(let next):
            throw SOAPFault(.staleSequence, "This sequence number is too old.", detail: .init(next: next))
        case .accepted, nil: return
        }
    }

    private func judge(_ number: UInt64, session: String) -> SequenceWindow.Verdict? {
        state.withLock { state in
            state.tick += 1
            let tick = state.tick
            state.windows[session]?.lastUse = tick
            return state.windows[session]?.window.admit(number)
        }
    }

    private func insert(_ window: SequenceWindow, for session: String, into state: inout State) {
        if state.windows.count >= maxSessions {
            let victims = state.windows.sorted { $0.value.lastUse < $1.value.lastUse }.prefix(max(1, maxSessions / 8))
            for (id, _) in victims { state.windows.removeValue(forKey: id) }
            state.evictions += 1
        }
        state.tick += 1
        state.windows[session] = Slot(window: window, lastUse: state.tick)
    }
}
