import Foundation
import Identity
import MailModel
import MailStore
import PluginAPI
import PluginHost
import SOAP

/// Extension: hands a caller's XML to the plug-in that owns the identifier, and its answer back after its effects are durable.
struct ExtensionService: Sendable {
    let core: ServerCore
    let challenges: ChallengeDesk
    private let turns = CallerTurns()

    init(core: ServerCore, challenges: ChallengeDesk) {
        self.core = core
        self.challenges = challenges
    }

    /// Octets of a request, as of an answer. A plug-in copies and takes apart what it gets: with the size of a whole call any
    /// user could make it run out of memory or time, until its failures take it out for everybody.
    static let requestLimit = 1 << 20

    /// More than elsewhere: a caller who changes a plug-in's values all the time must not keep others from changing them.
    private static let attempts = 64

    func call(
        _ request: ExtensionOperation.Request, by caller: CallerIdentity, kind: ExtensionCaller, principal: Address?
    ) async throws -> ExtensionOperation.Response {
        try requireChallenge(request.challenge, kind: kind)
        guard request.content.count <= ExtensionService.requestLimit else {
            throw SOAPFault(.tooLarge, "a request to an extension has at most \(ExtensionService.requestLimit) bytes")
        }
        let event = ExtensionEvent(identifier: request.identifier, request: request.content, caller: caller)
        try await turns.enter(caller.principal)
        let result: Result<ExtensionOperation.Response, any Error>
        do { result = .success(try await answer(event, kind: kind, principal: principal)) } catch { result = .failure(error) }
        await turns.leave(caller.principal)
        return try result.get()
    }

    private func answer(
        _ event: ExtensionEvent, kind: ExtensionCaller, principal: Address?
    ) async throws -> ExtensionOperation.Response {
        for _ in 0..<ExtensionService.attempts {
            let now = core.now()
            let run = PluginRun(principal: principal, now: now)
            let answer: [UInt8]
            switch await core.pipeline.answer(event, caller: kind, in: run) {
            case .answered(let octets, _): answer = octets
            case .unknownIdentifier:
                throw SOAPFault(.unknownExtension, "no plug-in of this server answers for \(PluginText.line(event.identifier))")
            case .notPermitted: throw SOAPFault(.forbidden, "this extension is not for you")
            case .fault(let fault, _):
                throw SOAPFault(fault.isTransient ? .pluginUnavailable : .extensionFailed, PluginText.line(fault.reason))
            case .unavailable(let reason, let plugin):
                core.logger.warning("an extension failed", metadata: ["plugin": "\(plugin)", "reason": "\(PluginText.line(reason))"])
                throw SOAPFault(.pluginUnavailable, "the plug-in cannot answer now; try again later")
            }
            // What is answered must be XML that a signed reply can carry.
            let response: ExtensionOperation.Response
            do { response = ExtensionOperation.Response(content: try ExtensionOperation.canonical(answer)) } catch {
                core.logger.error(
                    "a plug-in answered no XML", metadata: ["extension": "\(event.identifier)", "reason": "\(error.reason)"])
                throw SOAPFault(.pluginUnavailable, "the plug-in's answer cannot be sent; tell the administrator")
            }
            let effects = try PluginMailer(signer: core.signer, configuration: core.configuration).effects(of: run, hops: 0, now: now)
            if effects.isEmpty { return response }
            if try await core.store.commit(effects, now: now) { return response }
        }
        throw SOAPFault(.busy, "the plug-in's values keep changing; try again")
    }

    /// A token may be shown for minutes; that this very call is made now, and only once, is what the challenge proves.
    private func requireChallenge(_ challenge: [UInt8]?, kind: ExtensionCaller) throws(SOAPFault) {
        guard let challenge else {
            guard kind != .federated else {
                throw SOAPFault(.failedAuthentication, "a call with a token carries a challenge of this server")
            }
            return
        }
        guard challenges.redeem(challenge, now: core.now()) else {  // model: nonce
            throw SOAPFault(.failedAuthentication, "the challenge is used or too old: ask for a new one")
        }
    }
}
