import Foundation
import Identity
import Logging
import MailStore

/// Performs administrative acts on a store: inside the running server, or on a store opened for the occasion.
struct AdminService: Sendable {
    let domain: MailDomain
    let configuration: ServerConfiguration
    let store: any MailStore
    let hooks: AdminHooks
    let logger: Logger
    let clock: @Sendable () -> Date

    /// Rows of one page at most.
    static let pageLimit = 500

    init(
        configuration: ServerConfiguration, store: any MailStore, hooks: AdminHooks, logger: Logger,
        clock: @escaping @Sendable () -> Date
    ) {
        domain = configuration.domain
        self.configuration = configuration
        self.store = store
        self.hooks = hooks
        self.logger = logger
        self.clock = clock
    }

    /// Performs one act. Never throws: what goes wrong stands in the reply. Each act is logged with who asked, none with a secret.
    func perform(_ request: AdminRequest, by caller: AdminCaller) async -> AdminReply {
        let reply: AdminReply
        do {
            try check(request)
            reply = try await dispatch(request, caller)
        } catch {
            reply = AdminReply(error: AdminError.from(error))
        }
        log(request, caller, reply)
        return reply
    }

    private func check(_ request: AdminRequest) throws {
        let allowed = Set(request.command.arguments.map(\.rawValue))
        if let surplus = request.arguments.keys.filter({ !allowed.contains($0) }).min() {
            throw AdminError(.badRequest, "\(request.command.rawValue) takes no argument \"\(surplus.prefix(40))\"")
        }
        guard request.secret == nil || request.command.takesSecret else {
            throw AdminError(.badRequest, "\(request.command.rawValue) takes no secret")
        }
    }

    private func dispatch(_ request: AdminRequest, _ caller: AdminCaller) async throws -> AdminReply {
        switch request.command {
        case .ping: AdminReply("the server of \(domain) answers")
        case .status: try await status()
        case .userAdd: try await addUser(request)
        case .userPassword: try await setPassword(request)
        case .userList: try await listUsers(request)
        case .userDisable: try await disableUser(request)
        case .userEnable: try await enableUser(request)
        case .userRemove: try await removeUser(request)
        case .userQuota: try await setQuota(request)
        case .keyList: try await listKeys(request)
        case .keyRevoke: try await revokeKeys(request)
        case .trustAdd: try await addTrust(request, caller)
        case .trustList: try await listTrust(request)
        case .trustRemove: try await removeTrust(request)
        case .queueList: try await listQueue(request)
        case .queueShow: try await showJob(request)
        case .queueRetry: try await retryJobs(request)
        case .queueDrop: try await dropJob(request)
        case .peerProbe: try await probePeer(request)
        case .metadataRefresh: try await refreshMetadata()
        case .storeCheck: try await checkStore()
        case .tokenList, .tokenAllow, .tokenDeny: try await dispatchTokens(request)
        case .fileList, .fileCheck: try await dispatchFiles(request)
        default: try await dispatchPlugins(request, caller)
        }
    }

    private func log(_ request: AdminRequest, _ caller: AdminCaller, _ reply: AdminReply) {
        var metadata: Logger.Metadata = [
            "command": "\(request.command.rawValue)", "by": "\(caller)", "via": "\(caller.path.rawValue)",
            "outcome": "\(reply.error?.code.rawValue ?? "ok")",
        ]
        for argument in request.command.arguments where isLogged(argument, of: request.command) {
            guard let value = request[argument] else { continue }
            metadata["arg.\(argument.rawValue)"] = "\(AdminService.loggable(value))"
        }
        if let error = reply.error { metadata["reason"] = "\(AdminService.loggable(error.reason))" }
        logger.log(level: request.command.changesState ? .notice : .debug, "admin", metadata: metadata)
    }

    /// What is large, or may hold a plug-in's secret, stays out of the log.
    private func isLogged(_ argument: AdminArgument, of command: AdminCommand) -> Bool {
        argument != .certificate && argument != .package && !(command == .pluginSet && argument == .value)
    }

    /// One bounded line: what an administrator pastes may hold anything.
    private static func loggable(_ value: String) -> String {
        String(String.UnicodeScalarView(value.unicodeScalars.prefix(300).map { $0.value < 32 || $0.value == 127 ? " " : $0 }))
    }
}
