import Identity
import MailModel
import SOAP

/// Metadata: what this server knows and trusts of a domain, for its users' clients.
struct DirectoryService: Sendable {
    let core: ServerCore
    let publisher: MetadataPublisher

    func metadata(_ request: MetadataOperation.Request) async throws -> MetadataOperation.Response {
        let anchors = core.trust.trust.anchors(for: request.domain).map(\.certificate.der)
        if request.domain == core.domain {
            return MetadataOperation.Response(metadata: try await publisher.octets(), anchors: anchors)
        }
        guard let known = try await core.trust.metadata(of: request.domain) else {
            throw SOAPFault(.unknownMessage, "this server has had no contact with \(request.domain)")
        }
        return MetadataOperation.Response(metadata: known.octets, anchors: anchors)
    }
}
