import Delivery
import Foundation
import Identity
import SOAPClient

/// How files travel, and how other domains' servers are reached. Tests pass their own.
public protocol AttachmentNetwork: Sendable {
    var files: any FileTransport { get }
    var calls: any HTTPTransport { get }
    /// Where the home server is.
    func home() async throws(MailClientError) -> HTTPDestination
    /// Where the service of another domain is: as DNS says, under the anchors that count for that domain.
    func service(of domain: MailDomain, anchors: [TrustAnchor]) async throws(MailClientError) -> HTTPDestination
    /// Waits before another attempt.
    func pause(_ time: Duration) async throws
}

/// The network as it is.
struct ClientNetwork: AttachmentNetwork {
    let files: any FileTransport
    let calls: any HTTPTransport
    let locator: HomeLocator
    let root: MailCertificate
    let clock: @Sendable () -> Date

    func home() async throws(MailClientError) -> HTTPDestination {
        try await locator.destination(.certificates([root.der]), now: clock())
    }

    func service(of domain: MailDomain, anchors: [TrustAnchor]) async throws(MailClientError) -> HTTPDestination {
        try await locator.service(of: domain, .certificates(anchors.map(\.certificate.der)), now: clock())
    }

    func pause(_ time: Duration) async throws { try await Task.sleep(for: time) }
}
