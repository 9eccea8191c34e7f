import Foundation
import Identity
import SOAP
import WSSecurity
import XMLCore

/// Calls one domain's service in a session that it opens, renews and repairs by itself.
///
/// Used by mail clients and by servers towards their peers. Any number of calls may be under way; each takes its own
/// sequence number, and only one of them opens or renews the session while the others wait for it. A reply counts only after
/// its signature, signer, binding and freshness have been verified; what is repaired silently (once per call and kind) is
/// what a verified fault asks for:
///
/// | fault | repair |
/// |---|---|
/// | `StaleTimestamp` | wrapped anew by the server's clock |
/// | `StaleSequence` | continues at the number it names |
/// | `UnknownSession` | a new session |
/// | `UnknownCertificate` | the certificate goes along |
public actor SecureCaller {
    public nonisolated let domain: MailDomain
    nonisolated let transport: any HTTPTransport
    nonisolated let trust: any ReplyTrust
    nonisolated let credentials: CallerCredentials
    nonisolated let path: String
    nonisolated let clock: @Sendable () -> Date
    nonisolated let protector = RequestProtector()
    nonisolated let verifier = ReplyVerifier()

    private enum State {
        case none
        case opening([CheckedContinuation<Result<Void, SOAPClientError>, Never>])
        case open(ClientSession)
        case closed
    }

    private var state = State.none
    private var isRenewing = false
    private var renewalPause = Date.distantPast
    /// The server's clock minus ours in seconds, as far as it told us.
    var clockOffset: TimeInterval = 0
    /// The server has seen our certificate: a thumbprint is enough.
    var certificateIsKnown = false
    private var lastDestination: HTTPDestination?

    /// - Parameters:
    ///   - domain: the mail domain whose service is called, and who must sign its replies.
    ///   - session: one kept from an earlier run, if any.
    ///   - path: of the SOAP endpoint.
    public init(
        domain: MailDomain, credentials: CallerCredentials, transport: any HTTPTransport, trust: any ReplyTrust,
        session: ClientSession? = nil, path: String = "/wsemail", clock: @escaping @Sendable () -> Date
    ) {
        self.domain = domain
        self.credentials = credentials
        self.transport = transport
        self.trust = trust
        self.path = path
        self.clock = clock
        if let session { state = .open(session) }
    }

    /// The session as it is now, to be kept for the next run (it holds the secret: mode 0600).
    public var session: ClientSession? {
        if case .open(let session) = state { return session }
        return nil
    }

    /// Our best knowledge of the server's time.
    public var serverTime: Date { clock().addingTimeInterval(clockOffset) }

    // MARK: Calls

    /// Calls `operation` within the session, opening one if need be.
    ///
    /// - Parameters:
    ///   - destination: where the service is; resolve it for each call, the transport keeps the connections.
    ///   - payload: writes the operation's element; run once per attempt.
    public func call(
        _ operation: MailOperation, at destination: HTTPDestination, options: CallOptions = .standard,
        payload: @escaping @Sendable (inout XMLWriter) throws -> Void
    ) async throws(SOAPClientError) -> VerifiedReply {
        lastDestination = destination
        var repairs = Repairs()
        while true {
            let credential = try await credential(at: destination)
            do throws(SOAPClientError) {
                return try await attempt(
                    operation, at: destination, credential: credential, options: options, payload: payload)
            } catch {
                guard let fault = error.fault, repairs.admit(fault.subcode), repair(fault, credential) else { throw error }
            }
        }
    }

    /// Does what a verified fault asks for. False when there is nothing to be done.
    private func repair(_ fault: SOAPFault, _ credential: ClientCredential) -> Bool {
        switch fault.subcode {
        case .staleTimestamp: return adjustClock(fault)
        case .replay: return true
        case .staleSequence:
            guard case .open(var session) = state, case .session(let failed) = credential else { return false }
            // Another call may have opened a new session meanwhile: that one's numbers are in order.
            guard session.id == failed.session else { return true }
            let advanced = session.advance(past: fault)
            state = .open(session)
            return advanced
        case .unknownSession:
            guard case .session(let failed) = credential else { return false }
            if case .open(let session) = state, session.id == failed.session { state = .none }
            return true
        default: return false
        }
    }

    /// Calls an operation that anybody may call (Metadata, Challenge), without a session.
    public func callAnonymously(
        _ operation: MailOperation, at destination: HTTPDestination, options: CallOptions = .standard,
        payload: @escaping @Sendable (inout XMLWriter) throws -> Void
    ) async throws(SOAPClientError) -> VerifiedReply {
        try await callAlone(operation, with: .none, at: destination, options: options, payload: payload)
    }

    /// Opens the session if there is none. `call` does this by itself; `account add` and `check` want to know.
    public func open(at destination: HTTPDestination) async throws(SOAPClientError) {
        lastDestination = destination
        _ = try await credential(at: destination)
    }

    /// Cancels the session at the server (as far as it can be reached within five seconds) and refuses further calls.
    public func close() async {
        let last = state
        state = .closed
        if case .opening(let waiters) = last {
            for waiter in waiters { waiter.resume(returning: .failure(Self.closed)) }
        }
        guard case .open(var session) = last, let destination = lastDestination, !session.isExpired(now: serverTime)
        else { return }
        let request = TokenRequest(.cancel, target: session.id)
        let now = serverTime
        // The session ends by itself if this does not arrive.
        _ = try? await attempt(
            .cancelToken, at: destination, credential: .session(session.call()),
            options: CallOptions(timeout: .seconds(5)), payload: { try request.write(into: &$0, now: now) })
    }

    // MARK: Credentials

    private func credential(at destination: HTTPDestination) async throws(SOAPClientError) -> ClientCredential {
        if case .anonymous = credentials { return .none }
        while true {
            switch state {
            case .closed:
                throw Self.closed
            case .none:
                try await establish { () async throws(SOAPClientError) in try await self.issue(at: destination) }
            case .opening:
                try await joinOpening()
            case .open(var session):
                if session.isExpired(now: serverTime) {
                    state = .none
                    continue
                }
                if session.needsRenewal(now: serverTime), !isRenewing, clock() >= renewalPause {
                    await renew(session, at: destination)
                    continue
                }
                let call = session.call()
                state = .open(session)
                return .session(call)
            }
        }
    }

    private func joinOpening() async throws(SOAPClientError) {
        let result: Result<Void, SOAPClientError> = await withCheckedContinuation { continuation in
            guard case .opening(let waiters) = state else { return continuation.resume(returning: .success(())) }
            state = .opening(waiters + [continuation])
        }
        // Whoever opened it was cancelled: that is not our end, the next one tries.
        if case .failure(let error) = result, error.code == .cancelled, !Task.isCancelled { return }
        try result.get()
    }

    /// Runs the opening once for all who wait.
    private func establish(
        _ open: () async throws(SOAPClientError) -> ClientSession
    ) async throws(SOAPClientError) {
        state = .opening([])
        let result: Result<ClientSession, SOAPClientError>
        do throws(SOAPClientError) {
            result = .success(try await open())
        } catch {
            result = .failure(error)
        }
        guard case .opening(let waiters) = state else {
            // Closed meanwhile; nobody waits any more.
            throw Self.closed
        }
        switch result {
        case .success(let session): state = .open(session)
        case .failure: state = .none
        }
        for waiter in waiters { waiter.resume(returning: result.map { _ in }) }
        _ = try result.get()
    }

    /// Replaces a session that ends soon. While it still lasts, a failure to renew is no failure of the call.
    private func renew(_ old: ClientSession, at destination: HTTPDestination) async {
        isRenewing = true
        defer { isRenewing = false }
        var signing = old
        let call = signing.call()
        state = .open(signing)
        let request = TokenRequest(.renew, target: old.id)
        let now = serverTime
        do throws(SOAPClientError) {
            let reply = try await attempt(
                .renewToken, at: destination, credential: .session(call), options: CallOptions(timeout: .seconds(30)),
                payload: { try request.write(into: &$0, now: now) })
            let renewed = try Self.session(from: reply)
            if case .open(let current) = state, current.id == old.id { state = .open(renewed) }
        } catch {
            // Refused: open a new one. Not reached: go on with the old one, and try again with one of the next calls.
            if error.code == .fault, case .open(let current) = state, current.id == old.id { state = .none }
            if error.code != .fault { renewalPause = clock().addingTimeInterval(60) }
        }
    }

    private static let closed = SOAPClientError(.closed, "the session has been closed")

    static func session(from reply: VerifiedReply) throws(SOAPClientError) -> ClientSession {
        do {
            return try ClientSession(try TokenResponse.parse(reply.payload))
        } catch {
            throw SOAPClientError(.untrustedReply, "the token response cannot be used: \(error)")
        }
    }
}
