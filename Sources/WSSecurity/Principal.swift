import Identity

/// On whose behalf a call is made, once it is proven.
public enum Principal: Sendable, Hashable {
    case user(Address)
    case peer(MailDomain)
    /// A user known by an assertion of their domain. It is not `.user`: an assertion opens what its audience opens to holders of
    /// assertions, nothing else, wherever the user's mailbox is.
    case federated(Address)
    case anonymous

    public var kind: PrincipalKind {
        switch self {
        case .user: .user
        case .peer: .peer
        case .federated: .federated
        case .anonymous: .anonymous
        }
    }
}

extension Principal: CustomStringConvertible {
    public var description: String {
        switch self {
        case .user(let address): address.description
        case .peer(let domain): "@" + domain.ascii
        // No address has a colon: not to be taken for the user logged in.
        case .federated(let address): "federated:" + address.description
        case .anonymous: "anonymous"
        }
    }
}

public enum PrincipalKind: String, Sendable, Hashable, CaseIterable {
    case user, peer, federated, anonymous
}

/// How the principal was proven. The raw values appear in `Postmark/Sender/@method`.
public enum AuthenticationMethod: String, Sendable, Hashable, CaseIterable, Codable {
    case none, password, x509, session, federated
}

/// What kind of credential a call carries.
public enum CredentialKind: String, Sendable, Hashable, CaseIterable {
    /// SecurityContextToken and HMAC.
    case session
    /// UsernameToken with PasswordText.
    case username
    /// Signature with an X.509 key.
    case x509
    /// SAML assertion: signature with the key it names, or none.
    case federated
    case anonymous
}

/// What the transport knows about the connection a request came on.
public struct ChannelFacts: Sendable, Hashable {
    /// The bytes came over TLS (or over a local socket of equal worth).
    public let tls: Bool
    /// The caller wants replies signed with RSA (it posted to `/wsemail/rsa`).
    public let prefersRSA: Bool

    public init(tls: Bool, prefersRSA: Bool = false) {
        self.tls = tls
        self.prefersRSA = prefersRSA
    }
}

/// Values of `wsa:To`.
public enum ServiceName {
    /// How our own clients name the mail service of a domain, wherever DNS says it runs.
    public static func domain(_ domain: MailDomain) -> String { AssertionAudience.name(of: domain) }
}
