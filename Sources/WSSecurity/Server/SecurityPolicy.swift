import SOAP

/// Who may call what, with which credential: one row per operation.
public struct SecurityPolicy: Sendable {
    public struct Rule: Sendable, Hashable {
        public var credentials: Set<CredentialKind>
        public var principals: Set<PrincipalKind>
        /// With X.509: whose To, Action, MessageID must be signed too. (Sessions and holders of assertions always sign them;
        /// zeep and JAX-WS never do.)
        public var addressingSigned: Set<PrincipalKind>
        /// Also for credentials that would survive plain HTTP.
        public var requiresTLS: Bool

        public init(
            _ credentials: Set<CredentialKind>, by principals: Set<PrincipalKind>,
            addressingSigned: Set<PrincipalKind> = [], requiresTLS: Bool = true
        ) {
            self.credentials = credentials
            self.principals = principals
            self.addressingSigned = addressingSigned
            self.requiresTLS = requiresTLS
        }
    }

    private var rules: [MailOperation: Rule]

    public init(rules: [MailOperation: Rule]) {
        self.rules = rules
    }

    /// Nil: nobody may call it.
    public subscript(_ operation: MailOperation) -> Rule? {
        get { rules[operation] }
        set { rules[operation] = newValue }
    }

    public static let standard: SecurityPolicy = {
        let user = Rule([.session, .username, .x509], by: [.user])
        // Handing in mail, and plug-ins' services: the server asks its own rules about the issuer besides.
        let userOrFederated = Rule([.session, .username, .x509, .federated], by: [.user, .federated])
        let peer = Rule([.session, .x509], by: [.peer], addressingSigned: [.peer])
        let any = Rule(
            [.session, .username, .x509, .federated], by: [.user, .peer, .federated], addressingSigned: [.peer])
        let open = Rule(
            [.session, .username, .x509, .anonymous], by: [.user, .peer, .anonymous], requiresTLS: false)
        return SecurityPolicy(rules: [
            .send: userOrFederated, .list: user, .retrieve: user, .delete: user, .mark: user, .move: user, .status: user,
            // A certificate or a new password is given to who knows the password, not to who holds a certificate.
            .enroll: Rule([.session, .username], by: [.user]),
            .changePassword: Rule([.session, .username], by: [.user]),
            .deliver: peer, .peerStatus: peer,
            .extension: any,
            .challenge: open, .metadata: user,
            .issueToken: Rule([.username, .x509], by: [.user, .peer], addressingSigned: [.user, .peer]),
            .renewToken: Rule([.session], by: [.user, .peer]),
            .cancelToken: Rule([.session], by: [.user, .peer]),
            // Tokens buy no tokens: who holds an assertion gets neither another one nor a session for it.
            .issueAssertion: Rule([.session, .username, .x509], by: [.user], addressingSigned: [.user]),
        ])
    }()
}
