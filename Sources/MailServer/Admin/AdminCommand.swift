/// What an administrator can ask of a server. The raw value is the command as it travels over the admin socket.
public enum AdminCommand: String, Sendable, Hashable, Codable, CaseIterable {
    case ping
    case status
    case userAdd = "user add"
    case userPassword = "user passwd"
    case userList = "user list"
    case userDisable = "user disable"
    case userEnable = "user enable"
    case userRemove = "user remove"
    case userQuota = "user quota"
    case keyList = "key list"
    case keyRevoke = "key revoke"
    case trustAdd = "trust add"
    case trustList = "trust list"
    case trustRemove = "trust remove"
    case queueList = "queue list"
    case queueShow = "queue show"
    case queueRetry = "queue retry"
    case queueDrop = "queue drop"
    case peerProbe = "peer probe"
    case metadataRefresh = "metadata refresh"
    case storeCheck = "store check"
    case pluginInstall = "plugin install"
    case pluginRemove = "plugin remove"
    case pluginLoad = "plugin load"
    case pluginUnload = "plugin unload"
    case pluginEnable = "plugin enable"
    case pluginDisable = "plugin disable"
    case pluginPriority = "plugin priority"
    case pluginPolicy = "plugin policy"
    case pluginLimits = "plugin limits"
    case pluginSet = "plugin set"
    case pluginGrant = "plugin grant"
    case pluginRevoke = "plugin revoke"
    case pluginList = "plugin list"
    case pluginInfo = "plugin info"
    case pluginReload = "plugin reload"
    case publisherAdd = "publisher add"
    case publisherList = "publisher list"
    case publisherRemove = "publisher remove"
    case publisherRevoke = "publisher revoke"
    case tokenList = "token list"
    case tokenAllow = "token allow"
    case tokenDeny = "token deny"
    case fileList = "file list"
    case fileCheck = "file check"

    /// Names of the arguments it takes; any other is refused.
    public var arguments: Set<AdminArgument> {
        switch self {
        case .ping, .status, .metadataRefresh, .storeCheck, .pluginList, .pluginReload, .publisherList, .tokenList, .fileList: []
        case .tokenAllow: [.domain, .services, .bearer]
        case .tokenDeny: [.domain, .reset]
        case .fileCheck: [.address]
        case .pluginInstall: [.package, .capabilities, .downgrade]
        case .pluginRemove: [.plugin, .purge]
        case .pluginLoad, .pluginUnload, .pluginEnable, .pluginDisable, .pluginInfo: [.plugin]
        case .pluginPriority: [.plugin, .role, .value]
        case .pluginPolicy: [.plugin, .value]
        case .pluginLimits: [.plugin, .seconds, .memory, .calls]
        case .pluginSet: [.plugin, .name, .value]
        case .pluginGrant, .pluginRevoke: [.plugin, .capabilities]
        case .publisherAdd: [.certificate, .label]
        case .publisherRemove: [.fingerprint]
        case .publisherRevoke: [.fingerprint, .reason]
        case .userAdd, .userQuota: [.address, .quota]
        case .userPassword, .userDisable, .userEnable, .userRemove: [.address]
        case .userList: [.after, .limit]
        case .keyList: [.address, .after, .limit]
        case .keyRevoke: [.address, .fingerprint]
        case .trustAdd: [.domain, .certificate, .fingerprint, .scope, .label, .replace]
        case .trustList: [.certificate]
        case .trustRemove: [.domain, .fingerprint, .scope]
        case .queueList: [.domain, .after, .limit]
        case .queueShow: [.job]
        case .queueRetry: [.job, .domain]
        case .queueDrop: [.job, .reason, .bounce]
        case .peerProbe: [.domain]
        }
    }

    /// Whether it carries a password, in `AdminRequest.secret`.
    public var takesSecret: Bool { self == .userAdd || self == .userPassword }

    /// Whether it changes anything: such acts are logged at `notice`.
    public var changesState: Bool {
        switch self {
        case .ping, .status, .userList, .keyList, .trustList, .queueList, .queueShow, .peerProbe, .storeCheck, .pluginList, .pluginInfo,
            .publisherList, .tokenList, .fileList, .fileCheck:
            false
        default: true
        }
    }
}

/// Names of arguments. None ever holds a secret: their values are logged.
public enum AdminArgument: String, Sendable, Hashable, CaseIterable {
    case address
    /// The cursor that the page before gave as detail `next`.
    case after
    /// "yes": tokens without a key count, too.
    case bearer
    /// Whether the author gets a bounce: "yes" (the default) or "no".
    case bounce
    /// Calls of a plug-in at a time; "-" takes the setting back.
    case calls
    /// Names of capabilities, by comma.
    case capabilities
    /// A root certificate as PEM; for `trust list`: "yes" asks for them.
    case certificate
    case domain
    /// "yes": an older version of a plug-in may replace a newer one.
    case downgrade
    case fingerprint
    case job
    case label
    case limit
    /// Megabytes of one call of a plug-in; "-" takes the setting back.
    case memory
    /// A plug-in's setting.
    case name
    /// A signed package, base64. Not logged.
    case package
    /// `package` or `package/name`.
    case plugin
    /// "yes": the plug-in's values go, too.
    case purge
    /// Megabytes; 0 is without limit.
    case quota
    case reason
    /// "yes": the domain's other anchors and what is known of it go.
    case replace
    /// "yes": a domain's own rule goes.
    case reset
    /// sending, delivery, extension or resolver.
    case role
    /// "domain" (the default) or "federation".
    case scope
    /// Longest call of a plug-in; "-" takes the setting back.
    case seconds
    /// What a token opens, by comma.
    case services
    /// Of a setting, a priority or a policy. Not logged for `plugin set`.
    case value
}
