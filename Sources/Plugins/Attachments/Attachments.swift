import Foundation
import Identity
import MailModel
import PluginAPI

/// On-demand attachments (docs/protocol.md, "Attachments"; the paper's): the file stays on the sender's server, the message
/// carries its name, size and digest, and each reader fetches it there, proving who they are.
///
/// It keeps the files of messages that users of this domain send, answers `urn:wsemail:2:attachments`, and lets go of what has
/// expired. The proof of who calls is the server's (token, challenge, signature); who may read is decided here. Every request
/// that changes something changes the attachment's record, so that what happens at the same time happens one after the other.
public struct Attachments: SendingProcessor, ExtensionProcessor, Housekeeper, AccountObserver {
    /// Readers that the messages of one submission can have: each is a value of its own.
    static let maxReaders = 500

    let settings: AttachmentSettings

    init(_ settings: AttachmentSettings) { self.settings = settings }

    static var descriptor: PluginDescriptor {
        get throws(PluginError) {
            PluginDescriptor(
                identifier: try PluginIdentifier(package: BuiltIns.package, name: "attachments"),
                version: PluginVersion(1, 0, 0), summary: "Keeps attachments for those whom a message went to.",
                // Last: it keeps only what no other plug-in takes out, for the recipients that all others leave.
                roles: [.sending: 1_000, .extension: 500],
                extensions: [ExtensionDeclaration(identifier: AttachmentsXML.namespace, callers: [.user, .federated])],
                capabilities: capabilities, failurePolicy: .closed, settings: AttachmentSettings.declarations)
        }
    }

    static let capabilities: Set<PluginCapability> = [.log, .clock, .keyValue, .send, .identity, .blobs]

    public func answer(_ call: ExtensionEvent, _ environment: any PluginEnvironment) async throws -> [UInt8] {
        let request: AttachmentCall
        do { request = try AttachmentCall.parse(call.request) } catch {
            throw PluginFault("this is no request about attachments: \(error.reason)")
        }
        guard let caller = try? Address(call.caller.principal) else {
            throw PluginFault("only people have attachments, not servers")
        }
        let desk = try AttachmentDesk(environment)
        // A token proves who somebody is towards the readers' door only: what owners do needs a login here.
        let isFederated = call.caller.method == "federated"
        switch request {
        case .get(let request): return try await get(request, caller, desk).octets()
        case .describe(let request): return try await describe(request, caller, desk).octets()
        case .share(let request):
            return try await share(request, readable(request.guid, caller, isFederated, desk), caller, desk).octets()
        case .upload where isFederated: throw PluginFault("only users of this domain hand files in here")
        case .upload(let request): return try await upload(request, environment).octets()
        case .list where isFederated: throw PluginFault(AttachmentsXML.refusal)
        case .list(let request): return try await list(request, caller, desk).octets()
        case .log(let request): return try await log(request, owner(request.guid, caller, isFederated, desk), desk).octets()
        case .revoke(let request): return try await revoke(request, owner(request.guid, caller, isFederated, desk), desk).octets()
        case .answer(let request): return try await decide(request, owner(request.guid, caller, isFederated, desk), desk).octets()
        }
    }

    /// The attachment for who passes it on: readers by token or session, the owner by session.
    private func readable(
        _ guid: String, _ caller: Address, _ isFederated: Bool, _ desk: AttachmentDesk
    ) async throws -> AttachmentRecord {
        let record = try await desk.readable(guid, by: caller)
        guard !isFederated || caller != record.owner else { throw desk.refusal(guid, caller, "owners log in") }
        return record
    }

    private func owner(
        _ guid: String, _ caller: Address, _ isFederated: Bool, _ desk: AttachmentDesk
    ) async throws -> AttachmentRecord {
        let record = try await desk.owned(guid, by: caller)
        guard !isFederated else { throw desk.refusal(guid, caller, "owners log in") }
        return record
    }

    private func upload(
        _ request: AttachmentCall.Upload, _ environment: any PluginEnvironment
    ) async throws -> AttachmentAnswer.Upload {
        let offer: UploadOffer
        do throws(PluginError) { offer = try await environment.openUpload(request.digest, size: request.size) } catch {
            // The user's to know, and not the plug-in's failure.
            guard error.code == .limitExceeded || error.code == .busy else { throw error }
            throw PluginFault(error.reason, isTransient: error.isTransient)
        }
        switch offer {
        case .complete: return .complete
        case .open(let id, let ticket, let offset, let expires):
            return .open(id: id, ticket: ticket, offset: offset, expires: expires)
        }
    }
}
