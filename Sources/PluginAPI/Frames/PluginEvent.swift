import Identity

/// What a plug-in is called for, one case a role.
public enum PluginEvent: Sendable, Hashable {
    case sending(SubmissionEvent)
    case delivery(DeliveryEvent)
    case `extension`(ExtensionEvent)
    /// Who is this unknown local address?
    case resolver(Address)

    public var role: PluginRole {
        switch self {
        case .sending: .sending
        case .delivery: .delivery
        case .extension: .extension
        case .resolver: .resolver
        }
    }
}
