import Delivery
import MailStore
import SOAPClient

/// What a server takes from outside instead of making it itself. Tests and simulations fill it in; `serve` leaves it empty.
struct ServerSeams: Sendable {
    /// An open store; it is closed with the server, and also when the server cannot be built.
    var store: (any MailStore)?
    /// Finds other domains; nil asks DNS as configured.
    var resolver: (any ServiceResolver)?
    /// How delivery waits; nil sleeps by the machine's clock.
    var deliveryClock: DeliveryClock?
    /// Stands between the server and its connections to other domains.
    var transport: @Sendable (TLSTransport) -> any HTTPTransport = { $0 }
}
