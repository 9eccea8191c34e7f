import Foundation
import MailModel
import SOAP
import WSSecurity

/// The home server as its user calls it: authenticated both ways, retried where that is safe. Tests pass their own.
public protocol HomeServer: Sendable {
    /// Calls `operation`.
    /// - Parameter timeout: for one attempt, first byte to last.
    /// - Returns: the payload of a reply whose signer and binding were verified.
    /// - Throws: `MailClientError`; a verified fault of the server becomes one too.
    func call<Reply: Payload>(
        _ operation: MailOperation, _ request: some Payload, reply: Reply.Type, timeout: Duration
    ) async throws(MailClientError) -> Reply

    /// An assertion about the caller for another domain's service (WS-Trust, Issue).
    func assertion(_ request: AssertionRequest) async throws(MailClientError) -> AssertionResponse

    /// The server has ended all sessions: the next call opens a new one.
    func forgetSession() async throws(MailClientError)
}

extension HomeServer {
    func call<Reply: Payload>(
        _ operation: MailOperation, _ request: some Payload, reply: Reply.Type
    ) async throws(MailClientError) -> Reply {
        try await call(operation, request, reply: reply, timeout: .seconds(60))
    }
}
