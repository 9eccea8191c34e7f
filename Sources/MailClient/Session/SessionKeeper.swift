import Foundation
import Identity
import MailModel
import SOAP
import SOAPClient
import WSSecurity
import XMLCore

/// The home server behind an account: finds it, opens a session with the enrolled key (or a password), keeps the session in
/// its file for the next command, and shares it with commands that run at the same time.
actor SessionKeeper: HomeServer {
    private let address: Address
    private var domain: MailDomain { address.domain }
    private let credentials: CallerCredentials
    private let transport: any HTTPTransport
    private let trust: any ReplyTrust
    private let roots: HTTPDestination.TrustRoots
    private let locator: HomeLocator
    private let file: SessionFile?
    private let clock: @Sendable () -> Date

    /// Who makes the calls, the session it began with, and the first number that is not ours.
    private struct Lease {
        let caller: SecureCaller
        var session: String?
        var end: UInt64
    }

    private var lease: Lease?

    /// - Parameter file: nil keeps the session in memory only (`account add`, password changes).
    init(
        account: ClientAccount, credentials: CallerCredentials, transport: any HTTPTransport, trust: any ReplyTrust,
        locator: HomeLocator, file: SessionFile?, clock: @escaping @Sendable () -> Date
    ) {
        address = account.address
        roots = .certificates([account.root.der])
        self.credentials = credentials
        self.transport = transport
        self.trust = trust
        self.locator = locator
        self.file = file
        self.clock = clock
    }

    func call<Reply: Payload>(
        _ operation: MailOperation, _ request: some Payload, reply: Reply.Type, timeout: Duration
    ) async throws(MailClientError) -> Reply {
        let reply = try await perform(operation, timeout: timeout) { writer in try request.write(into: &writer) }
        do { return try Reply.parse(reply.payload) } catch { throw Self.unreadable(error.reason) }
    }

    func assertion(_ request: AssertionRequest) async throws(MailClientError) -> AssertionResponse {
        let now = clock()
        let reply = try await perform(.issueAssertion, timeout: .seconds(30)) { writer in request.write(into: &writer, now: now) }
        do { return try AssertionResponse.parse(reply.payload, for: request) } catch { throw Self.unreadable(error.reason) }
    }

    private static func unreadable(_ reason: String) -> MailClientError {
        MailClientError(.untrustedServer, "the server's answer cannot be read: \(reason)")
    }

    private func perform(
        _ operation: MailOperation, timeout: Duration, _ payload: @escaping @Sendable (inout XMLWriter) throws -> Void
    ) async throws(MailClientError) -> VerifiedReply {
        let destination = try await locator.destination(roots, now: clock())
        let caller = try await ready(at: destination)
        let result: Result<VerifiedReply, SOAPClientError>
        do throws(SOAPClientError) {
            result = .success(
                try await caller.call(
                    operation, at: destination, options: CallOptions(timeout: timeout), payload: payload))
        } catch {
            result = .failure(error)
        }
        // Also after a failure: the session may have been opened anew on the way.
        try await follow(caller)
        do { return try result.get() } catch { throw MailClientError(error).about(address) }
    }

    /// Ends a session that is not shared.
    func cancel() async {
        await lease?.caller.close()
        lease = nil
    }

    func forgetSession() async throws(MailClientError) {
        lease = nil
        guard let file else { return }
        let lock = try await file.lock()
        defer { lock.release() }
        try file.clear(nil, lock)
    }

    // MARK: The shared session

    /// A caller with numbers left. Of several processes one opens the session; the others wait and use the same.
    private func ready(at destination: HTTPDestination) async throws(MailClientError) -> SecureCaller {
        if let lease, await hasRoom(lease) { return lease.caller }
        guard let file else { return try await opened(nil, at: destination).caller }
        let lock = try await file.lock()
        defer { lock.release() }
        if let session = try file.take(lock), !session.isExpired(now: clock()) {
            let begun = session.id
            let lease = try await opened(session, at: destination)
            if let current = await lease.caller.session, current.id != begun { try file.store(current, lock) }
            return lease.caller
        }
        let lease = try await opened(nil, at: destination)
        if let session = await lease.caller.session { try file.store(session, lock) }
        return lease.caller
    }

    /// Renews the session where that is due, or opens one.
    private func opened(_ session: ClientSession?, at destination: HTTPDestination) async throws(MailClientError) -> Lease {
        let caller = SecureCaller(
            domain: domain, credentials: credentials, transport: transport, trust: trust, session: session, clock: clock)
        if session.map({ $0.needsRenewal(now: clock()) }) ?? true {
            do { try await caller.open(at: destination) } catch { throw MailClientError(error).about(address) }
        }
        let current = await caller.session
        let lease = Lease(
            caller: caller, session: current?.id, end: (current?.nextSequence ?? 1) + SessionFile.block)
        self.lease = lease
        return lease
    }

    /// A call takes one number, and one more for each repair.
    private func hasRoom(_ lease: Lease) async -> Bool {
        guard let session = await lease.caller.session else { return false }
        guard file != nil else { return true }
        return session.id == lease.session && session.nextSequence + 4 <= lease.end && !session.needsRenewal(now: clock())
    }

    /// After a call: keeps what changed about the session for the others.
    private func follow(_ caller: SecureCaller) async throws(MailClientError) {
        guard let file, var lease, lease.caller === caller, let session = await caller.session else { return }
        let isNew = session.id != lease.session
        guard isNew || session.nextSequence > lease.end else { return }
        let lock = try await file.lock()
        defer { lock.release() }
        if isNew {
            try file.store(session, lock)
            lease.session = session.id
            lease.end = session.nextSequence + SessionFile.block
        } else if let taken = try file.take(lock, atLeast: session.nextSequence), taken.id == session.id {
            // The server made us jump ahead: the file jumps too, and the next call begins with a new block.
            lease.end = session.nextSequence
        }
        self.lease = lease
    }
}
