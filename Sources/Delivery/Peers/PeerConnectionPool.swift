import Foundation
import Identity
import SOAP
import SOAPClient
import WSSecurity
import XMLCore

/// One session per peer, opened when it is first needed and kept for all that follows.
public actor PeerConnectionPool {
    private struct Entry {
        let caller: SecureCaller
        var lastUse: Date
        var running = 0
    }

    private let locator: ServiceLocator
    private let transport: any HTTPTransport
    private let credentials: CallerCredentials
    private let trust: any ReplyTrust
    private let clock: @Sendable () -> Date
    private let capacity: Int
    private var entries: [MailDomain: Entry] = [:]
    private var isClosed = false

    /// - Parameters:
    ///   - credentials: this domain's signing identity with its metadata to staple.
    ///   - capacity: sessions kept; the one unused for longest gives way.
    public init(
        locator: ServiceLocator, transport: any HTTPTransport, credentials: CallerCredentials, trust: any ReplyTrust,
        capacity: Int = 1000, clock: @escaping @Sendable () -> Date
    ) {
        self.locator = locator
        self.transport = transport
        self.credentials = credentials
        self.trust = trust
        self.capacity = max(1, capacity)
        self.clock = clock
    }

    /// Calls an operation of a peer: resolves, connects or reuses, opens the session if need be, verifies the reply.
    public func call(
        _ operation: MailOperation, of domain: MailDomain, options: CallOptions = .standard,
        payload: @escaping @Sendable (inout XMLWriter) throws -> Void
    ) async throws(DeliveryError) -> VerifiedReply {
        let destination = try await locator.destination(of: domain, now: clock())
        let caller = try await begin(domain)
        defer { end(domain, caller) }
        do {
            return try await caller.call(operation, at: destination, options: options, payload: payload)
        } catch {
            throw DeliveryError(error)
        }
    }

    /// Opens a session of its own and cancels it, calling nothing: for `check`. A session opened earlier would only prove
    /// what held then.
    public func probe(_ domain: MailDomain) async throws(DeliveryError) {
        guard !isClosed else { throw DeliveryError(.closed, "the server is shutting down") }
        let destination = try await locator.destination(of: domain, now: clock())
        let caller = SecureCaller(domain: domain, credentials: credentials, transport: transport, trust: trust, clock: clock)
        do throws(SOAPClientError) {
            try await caller.open(at: destination)
        } catch {
            throw DeliveryError(error)
        }
        await caller.close()
    }

    private func begin(_ domain: MailDomain) async throws(DeliveryError) -> SecureCaller {
        guard !isClosed else { throw DeliveryError(.closed, "the server is shutting down") }
        if entries[domain] == nil {
            if entries.count >= capacity, let oldest = oldestIdle(), let removed = entries.removeValue(forKey: oldest) {
                await removed.caller.close()
            }
            if entries[domain] == nil {
                let caller = SecureCaller(
                    domain: domain, credentials: credentials, transport: transport, trust: trust, clock: clock)
                entries[domain] = Entry(caller: caller, lastUse: clock())
            }
        }
        guard var entry = entries[domain] else { throw DeliveryError(.closed, "the server is shutting down") }
        entry.lastUse = clock()
        entry.running += 1
        entries[domain] = entry
        return entry.caller
    }

    private func end(_ domain: MailDomain, _ caller: SecureCaller) {
        // It may have been dropped, and another one taken its place.
        if entries[domain]?.caller === caller { entries[domain]?.running -= 1 }
    }

    private func oldestIdle() -> MailDomain? {
        entries.filter { $0.value.running == 0 }.min { $0.value.lastUse < $1.value.lastUse }?.key
    }

    /// Ends the session with a domain, as after `trust remove`.
    public func drop(_ domain: MailDomain) async {
        await entries.removeValue(forKey: domain)?.caller.close()
    }

    /// Cancels all sessions, several at once, and refuses further calls.
    public func close() async {
        isClosed = true
        let callers = entries.values.map(\.caller)
        entries = [:]
        await withDiscardingTaskGroup { group in
            for caller in callers { group.addTask { await caller.close() } }
        }
    }
}
