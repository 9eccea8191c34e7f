import Foundation
import Identity
import Logging
import MailModel
import MailStore
import SOAP
import Synchronization
import WSSecurity
import XMLCore

/// What the HTTP side knows of a call.
struct CallFacts: Sendable {
    var channel: ChannelFacts
    /// Network address of the caller, without port.
    var peerAddress: String
    /// The `action` parameter of the Content-Type, where there is one.
    var contentAction: String?
}

/// The answer to a call: a signed reply or fault.
struct CallAnswer: Sendable {
    var status: Int
    var body: [UInt8]
    /// A reply that carries a secret is never compressed (design §4).
    var mayCompress: Bool
}

/// From the bytes of a call to the bytes of its reply: parse, verify, dispatch, sign. Knows nothing of HTTP.
final class Endpoint: Sendable {
    let core: ServerCore
    let services: Services
    private let policy = SecurityPolicy.standard
    private let verifierServices: Set<String>
    private let protector: ReplyProtector
    private let limiter: Mutex<RateLimiter>
    private let limits: XMLLimits

    /// The services behind the operations.
    struct Services: Sendable {
        let submission: SubmissionService
        let mailbox: MailboxService
        let deliver: DeliverService
        let direct: DirectSubmission
        let extensions: ExtensionService
        let tokens: TokenService
        let assertions: AssertionService
        let directory: DirectoryService
        let sessions: SessionDirectory
        let passwords: PasswordGate
        let replay: ReplayKeeper
    }

    init(core: ServerCore, services: Services, endpointAddresses: Set<String>) {
        self.core = core
        self.services = services
        verifierServices = endpointAddresses.union([ServiceName.domain(core.domain)])
        protector = ReplyProtector(identity: core.keys.signing, rsa: core.keys.rsaSigning)
        var limits = XMLLimits.standard
        limits.maxBytes = core.configuration.maxBodyBytes
        self.limits = limits
        let rate = Double(core.configuration.requestsPerSecond)
        limiter = Mutex(RateLimiter(rate: rate, burst: rate * 10))
    }

    /// Answers one call. Never throws: what goes wrong becomes a signed fault.
    func answer(_ bytes: [UInt8], _ facts: CallFacts) async -> CallAnswer {
        let now = core.now()
        core.metrics.increment(.bytesReceived, by: UInt64(bytes.count))
        let envelope: IncomingEnvelope
        do {
            envelope = try IncomingEnvelope(parsing: bytes, limits: limits)
        } catch {
            return fault(error, .unknown(channel: facts.channel), log: error.reason, now: now)
        }
        let credentials = CallCredentials(
            core: core, sessions: services.sessions, passwords: services.passwords, peerAddress: facts.peerAddress)
        let verifier = RequestVerifier(
            policy: policy, services: verifierServices, credentials: credentials, replay: services.replay)
        do {
            let request = try await verifier.verify(envelope, channel: facts.channel, now: now)
            return await answer(request, credentials, facts, now: now)
        } catch {
            return fault(error.fault, error.binding, log: error.logReason, now: now)
        }
    }

    private func answer(
        _ request: AuthenticatedRequest, _ credentials: CallCredentials, _ facts: CallFacts, now: Date
    ) async -> CallAnswer {
        do {
            guard limiter.withLock({ $0.admit(Endpoint.key(request.principal, facts), now: now) }) else {
                throw SOAPFault(.busy, "more calls than this server takes from one caller; slow down and try again")
            }
            let write = try await dispatch(request, credentials, facts)
            let body = try protector.reply(to: request, now: core.now(), payload: write)
            core.metrics.increment(.requests, label: request.operation.rawValue)
            core.metrics.increment(.bytesSent, by: UInt64(body.count))
            return CallAnswer(status: 200, body: body, mayCompress: !request.operation.replyCarriesSecret)
        } catch {
            return fault(SOAPFault.from(error), request.binding, log: PlainReason.of(error), now: core.now(), operation: request.operation)
        }
    }

    private static func key(_ principal: Principal, _ facts: CallFacts) -> String {
        switch principal {
        case .user(let address): "u:\(address)"
        case .peer(let domain): "p:\(domain)"
        // By domain: a domain can make up as many users as it likes.
        case .federated(let address): "f:\(address.domain)"
        case .anonymous: "n:\(facts.peerAddress)"
        }
    }

    private func fault(
        _ fault: SOAPFault, _ binding: ReplyBinding, log: String, now: Date, operation: MailOperation? = nil
    ) -> CallAnswer {
        let reference = RandomID.hex(6)
        core.metrics.increment(.faults, label: fault.subcode.rawValue)
        let isOurs = fault.subcode == .internal
        core.logger.log(
            level: isOurs ? .error : .info, "call refused",
            metadata: [
                "reference": "\(reference)", "subcode": "\(fault.subcode.rawValue)", "reason": "\(log)",
                "operation": "\(operation?.rawValue ?? "-")",
            ])
        do {
            let body = try protector.fault(fault.with(reference: reference), binding: binding, now: now)
            core.metrics.increment(.bytesSent, by: UInt64(body.count))
            return CallAnswer(status: fault.httpStatus, body: body, mayCompress: true)
        } catch {
            core.logger.error("a fault could not be signed", metadata: ["error": "\(PlainReason.of(error))"])
            return CallAnswer(status: 500, body: [], mayCompress: false)
        }
    }
}
