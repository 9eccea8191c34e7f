import Identity

/// Asks a domain's server what root certificates it offers, before anything of it is trusted.
///
/// The answer is worth nothing until a person (or a script that was given it) has compared a fingerprint that came another way.
public enum RootOffer {
    /// - Parameter endpoints: where the domain's server is.
    /// - Returns: the roots in the metadata document that the server shows; unverified.
    /// - Throws: when the server is not reached, or shows no readable document of this domain.
    public static func fetch(
        _ domain: MailDomain, at endpoints: [HTTPDestination.Endpoint], transport: any HTTPTransport
    ) async throws -> [MailCertificate] {
        let destination = HTTPDestination(name: domain.ascii, endpoints: endpoints, roots: .unproven)
        let reply = try await transport.send(
            HTTPCall(
                to: destination, method: .get, path: "/.well-known/wsemail", timeout: .seconds(20),
                maxReplyBytes: DomainMetadata.maximumSize, mayCompress: false))
        guard reply.status == 200 else {
            throw SOAPClientError(.httpStatus, "the server answered \(reply.status) when asked for its metadata")
        }
        return try DomainMetadata.offeredRoots(reply.body, of: domain)
    }
}
