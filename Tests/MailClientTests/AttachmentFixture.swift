import Foundation
import Identity
import MailModel
import SOAP
import SOAPClient
import Synchronization
import Testing
import WSSecurity
import XMLCore
import XMLSecurity

@testable import MailClient

/// Another domain's server in this process: real WS-Security and SAML on both sides, no network.
final class ForeignServer: HTTPTransport, CredentialResolver, SequenceStore {
    typealias Answer = @Sendable (AttachmentCall, Address) throws -> [UInt8]

    struct Served: Sendable {
        let call: AttachmentCall
        let caller: Address
        /// Signed with the key that the assertion names, with a challenge of ours that was not used before.
        let isProved: Bool
        let assertion: String
    }

    private let domain: TestDomain
    private let issuer: TestDomain
    private let signer: TestDomain
    private let answer: Answer
    /// What becomes of mail that is handed in directly, by recipient.
    private let direct: @Sendable (Address) -> RecipientStatus.State
    private let challenges = Mutex(ChallengeStore())
    private let log = Mutex<[Served]>([])

    /// - Parameters:
    ///   - issuer: whose assertions count.
    ///   - signer: whose key signs the replies; nil: the domain's own.
    init(
        _ domain: TestDomain, issuer: TestDomain, signer: TestDomain? = nil,
        direct: @escaping @Sendable (Address) -> RecipientStatus.State = { _ in .accepted }, _ answer: @escaping Answer
    ) {
        self.direct = direct
        self.domain = domain
        self.issuer = issuer
        self.signer = signer ?? domain
        self.answer = answer
    }

    var served: [Served] { log.withLock { $0 } }
    var traffic: ByteTraffic { ByteTraffic() }

    func send(_ call: HTTPCall) async throws(SOAPClientError) -> HTTPReply {
        guard call.method == .post, let envelope = try? IncomingEnvelope(parsing: call.body) else {
            return HTTPReply(status: 404, body: [])
        }
        let protector = ReplyProtector(identity: SigningIdentity(key: signer.key, certificate: signer.certificate))
        let body = await serve(envelope, protector)
        return HTTPReply(status: 200, headers: [HTTPField("Content-Type", MediaType.soap(action: nil))], body: body)
    }

    private func serve(_ envelope: IncomingEnvelope, _ protector: ReplyProtector) async -> [UInt8] {
        let verifier = RequestVerifier(
            services: [ServiceName.domain(domain.domain)], credentials: self, replay: ReplayKeeper(sequences: self))
        do throws(RequestRejection) {
            let request = try await verifier.verify(envelope, channel: ChannelFacts(tls: true), now: now)
            do {
                return try reply(to: request, protector)
            } catch {
                let fault = error as? SOAPFault ?? SOAPFault(.internal, "\(error)")
                return (try? protector.fault(fault, binding: request.binding, now: now)) ?? []
            }
        } catch {
            return (try? protector.fault(error.fault, binding: error.binding, now: now)) ?? []
        }
    }

    private func reply(to request: AuthenticatedRequest, _ protector: ReplyProtector) throws -> [UInt8] {
        if request.operation == .challenge {
            let issued = challenges.withLock { $0.issue(now: now) }
            return try protector.reply(to: request, now: now) {
                try ChallengeOperation.Response(challenge: issued.challenge, expires: issued.expires).write(into: &$0)
            }
        }
        if request.operation == .send {
            let message = try SendOperation.Request.parse(request.payload.element).message
            let receipt = try Receipt(
                messageID: message.message.id, digest: message.digest, postmarkDigest: nil, signer: domain.signer,
                audience: issuer.domain, recipients: message.message.to.map { RecipientStatus($0.address, direct($0.address)) }, time: now
            ).sealed(by: domain.signer)
            return try protector.reply(to: request, now: now) { try SendOperation.Response(receipt: receipt).write(into: &$0) }
        }
        let asked = try ExtensionOperation.Request.parse(request.payload.element)
        guard let assertion = request.assertion, asked.identifier == AttachmentsXML.namespace else { throw SOAPFault(.forbidden, "no") }
        var isProved = false
        if case .signed = request.payload.protection, let challenge = asked.challenge {
            isProved = challenges.withLock { $0.redeem(challenge, now: now) }
        }
        let call = try AttachmentCall.parse(asked.content)
        log.withLock {
            $0.append(Served(call: call, caller: assertion.subject, isProved: isProved, assertion: assertion.id))
        }
        guard isProved else { throw SOAPFault(.failedAuthentication, "A challenge is needed.") }
        let content = try answer(call, assertion.subject)
        return try protector.reply(to: request, now: now) { try ExtensionOperation.Response(content: content).write(into: &$0) }
    }

    // MARK: CredentialResolver, SequenceStore

    func federated(
        _ assertion: UnverifiedAssertion, stapled: [UInt8]?, at now: Date
    ) async throws(SOAPFault) -> VerifiedAssertion {
        do {
            guard assertion.signerThumbprint == issuer.certificate.thumbprintSHA256 else { throw SOAPFault(.invalidToken, "who?") }
            return try assertion.verified(audience: domain.domain, at: now, with: issuer.certificate.publicKey)
        } catch {
            throw SOAPFault(.invalidToken, "\(error)")
        }
    }

    func session(id: String) async throws(SOAPFault) -> SecuritySession? { nil }
    func authenticate(_ address: Address, password: String) async throws(SOAPFault) -> Bool { false }
    func certificate(matching hint: KeyHint) async throws(SOAPFault) -> MailCertificate? { nil }
    func principal(of certificate: MailCertificate, stapled: [UInt8]?, at now: Date) async throws(SOAPFault) -> Principal {
        throw SOAPFault(.untrustedCertificate, "no")
    }
    func sequenceCeiling(session: String) async throws(SOAPFault) -> UInt64 { 0 }
    func raiseSequenceCeiling(session: String, to ceiling: UInt64) async throws(SOAPFault) {}
}

/// The transfers of a server, in memory.
final class FakeFiles: FileTransport {
    struct State {
        /// What a download of any path gets.
        var content: [UInt8] = []
        /// The next downloads break after so many octets.
        var cuts: [Int] = []
        var downloads: [FileCall] = []
        var uploads: [(call: FileCall, count: UInt64)] = []
        var uploaded: UInt64 = 0
        /// What uploads get instead of being taken in, in order; nil: they are taken in.
        var answers: [FileReply?] = []
        /// The next uploads break after so many octets.
        var breaks: [UInt64] = []
        /// Looks at each piece before it is answered.
        var during: @Sendable () -> Void = {}
    }

    private let state = Mutex(State())
    let size: UInt64

    init(size: UInt64 = 0) { self.size = size }

    func set(_ change: (inout State) -> Void) { state.withLock { change(&$0) } }
    func get<Value: Sendable>(_ read: (State) -> Value) -> Value { state.withLock { read($0) } }

    func download(_ call: FileCall, into sink: any FileSink) async throws(SOAPClientError) -> FileReply {
        let (content, cut) = state.withLock { state in
            state.downloads.append(call)
            return (state.content, state.cuts.isEmpty ? nil : state.cuts.removeFirst())
        }
        let range = call.headers.first { $0.name == "Range" }?.value
        let start = range.flatMap { Int($0.dropFirst("bytes=".count).dropLast()) } ?? 0
        let fields = range == nil ? [] : [HTTPField("Content-Range", "bytes \(start)-\(content.count - 1)/\(content.count)")]
        let reply = FileReply(status: range == nil ? 200 : 206, headers: fields)
        do {
            try sink.begin(reply)
            let part = content[start...].prefix(cut ?? .max)
            for at in stride(from: part.startIndex, to: part.endIndex, by: 10_000) {
                try part[at..<min(at + 10_000, part.endIndex)].withUnsafeBytes { try sink.write($0) }
            }
        } catch {
            throw SOAPClientError(.cancelled, "the sink refused")
        }
        if cut != nil { throw SOAPClientError(.connectionLost, "cut") }
        return reply
    }

    func upload(_ call: FileCall, from source: any FileSource) async throws(SOAPClientError) -> FileReply {
        let (answer, limit, during) = state.withLock { state in
            state.uploads.append((call, source.count))
            return (
                state.answers.isEmpty ? nil : state.answers.removeFirst(), state.breaks.isEmpty ? nil : state.breaks.removeFirst(),
                state.during
            )
        }
        during()
        if let answer { return answer }
        var taken: UInt64 = 0
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 16)
        defer { buffer.deallocate() }
        while taken < min(source.count, limit ?? .max) {
            guard let count = try? source.read(into: buffer, at: taken), count > 0 else { throw SOAPClientError(.invalidRequest, "short") }
            taken += UInt64(count)
        }
        let here = min(taken, limit ?? .max)
        let uploaded = state.withLock { state in
            state.uploaded += here
            return state.uploaded
        }
        if limit != nil { throw SOAPClientError(.connectionLost, "cut") }
        return FileReply(status: uploaded == size ? 201 : 204, headers: [HTTPField("Upload-Offset", String(uploaded))])
    }
}

struct FakeNetwork: AttachmentNetwork {
    var files: any FileTransport
    var calls: any HTTPTransport

    private static let nowhere = HTTPDestination(name: "nowhere", endpoints: [], roots: .system)
    func home() async throws(MailClientError) -> HTTPDestination { Self.nowhere }
    func service(of domain: MailDomain, anchors: [TrustAnchor]) async throws(MailClientError) -> HTTPDestination {
        guard !anchors.isEmpty else { throw MailClientError(.internal, "no anchors") }
        return HTTPDestination(name: domain.ascii, endpoints: [], roots: .system)
    }
    func pause(_ time: Duration) async throws {}
}
