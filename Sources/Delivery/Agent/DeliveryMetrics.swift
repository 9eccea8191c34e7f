import Identity

/// What delivery tells the metrics; the server turns it into counters.
public struct DeliveryMetrics: Sendable {
    public enum Event: Sendable, Hashable {
        /// A Deliver call went out with so many messages.
        case attempt(MailDomain, messages: Int)
        /// Recipients settled, by how.
        case settled(Settlement, recipients: Int)
        /// A job was put back, with the stable code of the cause.
        case deferred(MailDomain, code: String)
        case bounced
        case breakerOpened(MailDomain)
        case breakerClosed(MailDomain)
        /// The store refused an operation of the agent.
        case storeFailure
    }

    public enum Settlement: String, Sendable, Hashable { case accepted, delivered, refused, expired, unknown }

    public let record: @Sendable (Event) -> Void

    public init(_ record: @escaping @Sendable (Event) -> Void) {
        self.record = record
    }

    public static let none = DeliveryMetrics { _ in }
}
