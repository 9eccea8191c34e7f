import Foundation
import Identity
import SOAP
import WSSecurity
import XMLCore
import XMLSecurity

/// Calls the service of a domain where the caller has no account, by an assertion of their own domain.
///
/// Every call stands alone, since assertions open no sessions. A reply counts as everywhere else: signed by a server of the domain
/// called, bound to the call, fresh. Repaired silently, once per call, is a clock that differs (`StaleTimestamp`): a server looks
/// at the time before it uses up a bearer assertion or a challenge.
public struct FederatedCaller: Sendable {
    /// What the caller shows.
    public struct Credential: Sendable {
        /// The octets as issued (`AssertionResponse.assertion.octets`).
        public var assertion: [UInt8]
        /// The key that the assertion names; nil with a bearer assertion, which counts for one call.
        public var key: SigningKey?
        /// The issuer's signed DomainMetadata, for a server that may not know it or whose copy is stale.
        public var metadata: [UInt8]?

        public init(assertion: [UInt8], key: SigningKey?, metadata: [UInt8]? = nil) {
            self.assertion = assertion
            self.key = key
            self.metadata = metadata
        }
    }

    private let caller: SecureCaller

    /// - Parameters:
    ///   - domain: whose service is called, and who must sign its replies.
    ///   - path: of the SOAP endpoint.
    public init(
        domain: MailDomain, transport: any HTTPTransport, trust: any ReplyTrust, path: String = "/wsemail",
        clock: @escaping @Sendable () -> Date
    ) {
        caller = SecureCaller(
            domain: domain, credentials: .anonymous, transport: transport, trust: trust, path: path, clock: clock)
    }

    public var domain: MailDomain { caller.domain }

    /// - Parameter payload: writes the operation's element; run once per attempt.
    public func call(
        _ operation: MailOperation, as credential: Credential, at destination: HTTPDestination,
        options: CallOptions = .standard, payload: @escaping @Sendable (inout XMLWriter) throws -> Void
    ) async throws(SOAPClientError) -> VerifiedReply {
        await caller.learnDomain(at: destination)
        let shown = ClientCredential.assertion(
            octets: credential.assertion, key: credential.key, metadata: credential.metadata)
        return try await caller.callAlone(operation, with: shown, at: destination, options: options, payload: payload)
    }

    /// One value of operation Challenge, which an Extension call by assertion must bring along. It can be used once, soon.
    public func challenge(at destination: HTTPDestination) async throws(SOAPClientError) -> [UInt8] {
        await caller.learnDomain(at: destination)
        return try await caller.challenge(at: destination)
    }
}

extension SecureCaller {
    /// One call outside of any session, wrapped anew if our clock was wrong.
    func callAlone(
        _ operation: MailOperation, with credential: ClientCredential, at destination: HTTPDestination,
        options: CallOptions, payload: @escaping @Sendable (inout XMLWriter) throws -> Void
    ) async throws(SOAPClientError) -> VerifiedReply {
        var repairs = Repairs()
        while true {
            do throws(SOAPClientError) {
                return try await attempt(operation, at: destination, credential: credential, options: options, payload: payload)
            } catch {
                guard let fault = error.fault, fault.subcode == .staleTimestamp, repairs.admit(fault.subcode),
                    adjustClock(fault)
                else { throw error }
            }
        }
    }
}
