import Foundation
import Identity
import SOAPClient

/// Adds accounts: first contact, the person's comparison, then - over TLS under that root - the password, once, to enrol a key.
public struct AccountSetup: Sendable {
    private let runtime: ClientRuntime

    public init(_ runtime: ClientRuntime) { self.runtime = runtime }

    /// Asks the domain's server for its roots, believing nothing.
    public func discover(
        _ address: Address, connection: ConnectionSettings
    ) async throws(MailClientError) -> FirstContact {
        let roots = try await runtime.offeredRoots(address.domain, connection)
        return try FirstContact(address: address, connection: connection, roots: roots)
    }

    /// Proves the server under the confirmed root, then logs in, enrols a key and stores the account.
    /// - Parameter password: asked for only after the server was proved.
    public func add(
        _ contact: FirstContact, root: MailCertificate, password: () throws -> String
    ) async throws(MailClientError) -> ClientAccount {
        guard !runtime.folder.hasAccount(contact.address) else { throw Self.exists(contact.address) }
        let account = ClientAccount(
            address: contact.address, connection: contact.connection, root: root, added: runtime.clock())
        return try await enroll(account, password: password)
    }

    /// Enrols a new key for an account that is here already, under the root that was pinned when it was added.
    public func renew(
        _ account: ClientAccount, password: () throws -> String
    ) async throws(MailClientError) -> ClientAccount {
        try await enroll(account, password: password)
    }

    static func exists(_ address: Address) -> MailClientError {
        MailClientError(
            .accountExists, "there is an account \(address) already",
            advice: "Enrol a new key with --renew, or remove it first: wsemail account remove \(address)")
    }

    private func enroll(
        _ account: ClientAccount, password: () throws -> String
    ) async throws(MailClientError) -> ClientAccount {
        let book = try await prove(account)
        let secret: String
        do { secret = try password() } catch let error as MailClientError { throw error } catch {
            throw MailClientError(.password, "\(error)")
        }
        let keeper = try runtime.keeper(
            account, credentials: .password(account.address, secret), book: book, isShared: false)
        var enrolled = account
        let result: Result<Void, MailClientError>
        do throws(MailClientError) {
            let client = MailClient(account: account, folder: runtime.folder, server: keeper, clock: runtime.clock)
            enrolled.identity = try await client.enroll()
            result = .success(())
        } catch {
            result = .failure(error)
        }
        // The password's session has done its work.
        await keeper.cancel()
        try result.get()
        try runtime.folder.save(enrolled)
        // A session that the old key opened is not for the new one.
        try await runtime.forgetSession(enrolled)
        return enrolled
    }

    /// TLS and metadata of the domain must hold up under the root before any secret is sent.
    private func prove(_ account: ClientAccount) async throws(MailClientError) -> MemoryMetadataBook {
        let locator = try runtime.locator(account.address.domain, account.connection)
        let destination = try await locator.destination(.certificates([account.root.der]), now: runtime.clock())
        let octets = try await runtime.fetchMetadata(destination)
        let book = MemoryMetadataBook()
        do throws(IdentityError) {
            let domain = account.address.domain
            let trust = TrustStore([try TrustAnchor(account.root, scope: .domain(domain))])
            await book.keep(try await VerifiedMetadata.verify(octets, of: domain, trust: trust, at: runtime.clock()))
        } catch {
            throw MailClientError(
                .untrustedServer, "the server's metadata does not hold up under the root: \(error.reason)",
                advice: "Nothing was sent. Tell the domain's operator.")
        }
        return book
    }
}
