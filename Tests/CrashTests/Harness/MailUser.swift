import Foundation
import Identity
import MailModel
import SOAP
import SOAPClient
import XMLCore

@testable import MailServer

/// A user who keeps the octets of a message and hands them over until a verified Receipt is there.
struct MailUser: Sendable {
    let address: Address
    let caller: SecureCaller
    private let destination: HTTPDestination
    private let transport: TLSTransport

    /// - Parameter wrap: what stands between the user and the network.
    init(
        _ name: String, of site: Site, port: Int? = nil, clock: @escaping @Sendable () -> Date = { Date() },
        wrap: (TLSTransport) -> any HTTPTransport = { $0 }
    ) throws {
        address = try site.address(name)
        transport = TLSTransport()
        let trust = TrustStore([try TrustAnchor(site.root, scope: .domain(site.domain))])
        caller = SecureCaller(
            domain: site.domain, credentials: .password(address, Site.password), transport: wrap(transport),
            trust: AnchoredReplyTrust(trust), clock: clock)
        destination = HTTPDestination(
            name: site.domain.ascii,
            endpoints: [.init(address: "127.0.0.1", port: port ?? site.configuration.listenPort)],
            roots: .certificates([site.root.der]))
    }

    func call<Codec: OperationCodec>(
        _ codec: Codec.Type, _ request: Codec.Request, options: CallOptions = .standard
    ) async throws -> Codec.Response {
        let reply = try await caller.call(Codec.operation, at: destination, options: options) { try request.write(into: &$0) }
        return try Codec.Response.parse(reply.payload)
    }

    /// One attempt.
    func send(_ letter: Letter, keys: SiteKeys) async throws -> SealedReceipt {
        let response = try await call(SendOperation.self, .init(message: letter.sealed, bcc: letter.bcc))
        let sealed = try SealedReceipt(octets: response.receipt)
        try await sealed.verify(keys: keys)
        guard sealed.receipt.messageID == letter.id, sealed.receipt.digest == letter.sealed.digest,
            Set(sealed.receipt.recipients.map(\.address)) == letter.recipients
        else { throw MailModelError(.wrongIssuer, "the Receipt is about something else") }
        return sealed
    }

    /// Attempts until the Receipt is there. Throws only what no retry cures.
    func deliver(_ letter: Letter, keys: SiteKeys, ledger: Ledger? = nil, attempts: Int = .max) async throws {
        var left = attempts
        while left > 0, !Task.isCancelled {
            left -= 1
            let begin = Date()
            do {
                let receipt = try await send(letter, keys: keys).receipt
                // Committed by an earlier attempt whose answer was lost: the case that it is all about.
                if receipt.time < begin - 0.01 { ledger?.count("acceptedButUnanswered") }
                ledger?.acknowledge(letter.id)
                return
            } catch let error as SOAPClientError where error.isTransient && error.code != .untrustedReply {
                ledger?.count(error.fault.map { "fault.\($0.subcode.rawValue)" } ?? error.code.rawValue)
                // Not to synchronise: a client that does not hammer.
                try? await Task.sleep(for: .milliseconds(20))
            }
        }
    }

    func list(_ folder: String = "Inbox", after: UInt64 = 0, limit: Int = 200, wait: Int = 0) async throws -> ListOperation.Response {
        try await call(ListOperation.self, .init(folder: folder, after: after, limit: limit, wait: wait))
    }

    /// Waits until all these are in the Inbox; false if they do not come for a while.
    func receives(_ wanted: Set<MessageID>, patience: Int = 40) async throws -> Bool {
        var missing = wanted
        var cursor: UInt64 = 0
        while !missing.isEmpty {
            let page = try await list(after: cursor, wait: patience)
            if page.headers.isEmpty { return false }
            missing.subtract(page.headers.map(\.id))
            cursor = page.headers.map(\.uid).max() ?? cursor
        }
        return true
    }

    func status(of id: MessageID) async throws -> StatusOperation.Response {
        try await call(StatusOperation.self, .init(messageID: id))
    }

    /// Asks until all recipients have the state, or the time is over: what it is then.
    func status(of id: MessageID, reaching state: String, within limit: Duration = .seconds(40)) async throws -> StatusOperation.Response {
        let deadline = ContinuousClock.now + limit
        while true {
            let status = try await status(of: id)
            if status.lines.allSatisfy({ $0.state == state }) || ContinuousClock.now > deadline { return status }
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    func close() async {
        await caller.close()
        await transport.shutDown()
    }
}
