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

    /// Names of the arguments it takes; any other is refused.
    public var arguments: Set<AdminArgument> {
        switch self {
        case .ping, .status, .metadataRefresh, .storeCheck: []
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
        case .ping, .status, .userList, .keyList, .trustList, .queueList, .queueShow, .peerProbe, .storeCheck: false
        default: true
        }
    }
}

/// Names of arguments. None ever holds a secret: their values are logged.
public enum AdminArgument: String, Sendable, Hashable, CaseIterable {
    case address
    /// The cursor that the page before gave as detail `next`.
    case after
    /// Whether the author gets a bounce: "yes" (the default) or "no".
    case bounce
    /// A root certificate as PEM; for `trust list`: "yes" asks for them.
    case certificate
    case domain
    case fingerprint
    case job
    case label
    case limit
    /// Megabytes; 0 is without limit.
    case quota
    case reason
    /// "yes": the domain's other anchors and what is known of it go.
    case replace
    /// "domain" (the default) or "federation".
    case scope
}
