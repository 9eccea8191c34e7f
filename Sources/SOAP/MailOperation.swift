import XMLCore

/// What can be called on a server: one table of action, payload and reply for WSDL, policy and dispatch.
public enum MailOperation: String, CaseIterable, Sendable, Hashable {
    case send = "Send"
    case list = "List"
    case retrieve = "Retrieve"
    case delete = "Delete"
    case mark = "Mark"
    case move = "Move"
    case status = "Status"
    case enroll = "Enroll"
    case challenge = "Challenge"
    case changePassword = "ChangePassword"
    case deliver = "Deliver"
    case peerStatus = "PeerStatus"
    case metadata = "Metadata"
    /// Any XML, for a plug-in of the server that answers for an identifier.
    case `extension` = "Extension"
    /// WS-Trust: the three session operations (WS-SecureConversation 1.3 §3, §5, §6).
    case issueToken = "RequestSecurityToken"
    case renewToken = "RenewSecurityToken"
    case cancelToken = "CancelSecurityToken"
    /// WS-Trust's Issue binding: an identity token (SAML assertion) for the service of some domain (WS-Trust 1.3 §4).
    case issueAssertion = "IssueToken"

    /// `wsa:Action` of every fault we send.
    public static let faultAction = "urn:wsemail:2:Fault"

    private static let byAction: [String: MailOperation] = Dictionary(
        uniqueKeysWithValues: allCases.map { ($0.action, $0) })

    /// The operation named by a `wsa:Action` or by the content type's `action`.
    public init?(action: String) {
        guard let operation = Self.byAction[action] else { return nil }
        self = operation
    }

    /// `wsa:Action` of the request.
    public var action: String {
        switch self {
        case .issueToken: Namespaces.wst + "/RST/SCT"
        case .renewToken: Namespaces.wst + "/RST/SCT/Renew"
        case .cancelToken: Namespaces.wst + "/RST/SCT/Cancel"
        case .issueAssertion: Namespaces.wst + "/RST/Issue"
        default: Namespaces.wsemail + ":" + rawValue
        }
    }

    /// `wsa:Action` of the reply.
    public var replyAction: String {
        switch self {
        case .issueToken: Namespaces.wst + "/RSTR/SCT"
        case .renewToken: Namespaces.wst + "/RSTR/SCT/Renew"
        case .cancelToken: Namespaces.wst + "/RSTR/SCT/Cancel"
        case .issueAssertion: Namespaces.wst + "/RSTRC/IssueFinal"
        default: Namespaces.wsemail + ":" + rawValue + "Response"
        }
    }

    /// True for the operations whose payload is WS-Trust's.
    public var isTrust: Bool {
        switch self {
        case .issueToken, .renewToken, .cancelToken, .issueAssertion: true
        default: false
        }
    }

    /// The element that must be the Body's only child in a request.
    public var payloadName: XMLName {
        isTrust ? Names.requestSecurityToken : Names.wsemail(rawValue)
    }

    /// The element that is the Body's only child in a good reply.
    public var replyName: XMLName {
        switch self {
        case .issueToken, .renewToken, .cancelToken: Names.requestSecurityTokenResponse
        // WS-Trust 1.3 §4.3: the final response of an issuance is always a collection.
        case .issueAssertion: Names.requestSecurityTokenResponseCollection
        default: Names.wsemail(rawValue + "Response")
        }
    }

    /// True if the reply carries a secret (a bearer assertion is one): such a reply is never compressed (BREACH-like
    /// length leaks).
    public var replyCarriesSecret: Bool { self == .issueToken || self == .renewToken || self == .issueAssertion }
}
