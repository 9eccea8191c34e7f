import Foundation
import Identity

/// What a domain's server shows of itself before anybody believes it: the roots for a person to compare.
public struct FirstContact: Sendable {
    public let address: Address
    public let connection: ConnectionSettings
    /// As the server says. Nothing but the person's comparison makes one believed.
    public let roots: [MailCertificate]

    /// - Throws: `untrustedServer` if it shows none.
    init(address: Address, connection: ConnectionSettings, roots: [MailCertificate]) throws(MailClientError) {
        self.address = address
        self.connection = connection
        self.roots = roots
        guard !roots.isEmpty else {
            throw MailClientError(
                .untrustedServer, "the server of \(address.domain) shows no root",
                advice: "Check the domain's spelling; else tell the domain's operator.")
        }
    }

    /// The root with the fingerprint that the person got from somewhere else.
    /// - Throws: `fingerprintMismatch`.
    public func root(_ fingerprint: Fingerprint) throws(MailClientError) -> MailCertificate {
        guard let root = roots.first(where: { $0.fingerprint == fingerprint }) else {
            let shown = roots.map(\.fingerprint.description).joined(separator: ", ")
            throw MailClientError(
                .fingerprintMismatch, "the server of \(address.domain) shows another root: \(shown)",
                advice: "Do not go on: the fingerprint is mistyped, or somebody is in between. Ask the domain's operator.")
        }
        return root
    }

    /// The root to offer to a person who will compare it, or to take unseen (trust on first use).
    /// - Throws: `fingerprintMismatch` where there are several: then only a fingerprint tells which.
    public func onlyRoot() throws(MailClientError) -> MailCertificate {
        guard roots.count == 1 else {
            let shown = roots.map(\.fingerprint.description).joined(separator: ", ")
            throw MailClientError(
                .fingerprintMismatch, "the server of \(address.domain) shows several roots: \(shown)",
                advice: "Ask the domain's operator which one is right, and give it with --fingerprint.")
        }
        return roots[0]
    }
}
