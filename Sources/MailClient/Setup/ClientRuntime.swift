import Delivery
import Foundation
import Identity
import SOAPClient
import Synchronization
import WSSecurity

/// What all accounts of one process share: the folder, the connections, the clock. End it with ``close()``.
public final class ClientRuntime: Sendable {
    public let folder: ClientFolder
    let clock: @Sendable () -> Date
    private let transport: any HTTPTransport
    private let files: any FileTransport
    private let ownTransport: TLSTransport?
    private let resolvers = Mutex<[ConnectionSettings: UnboundResolver]>([:])
    /// Tests find their servers without DNS.
    private let fixedResolver: (any ServiceResolver & HostResolver)?

    /// - Parameters:
    ///   - transport: nil makes one of its own.
    ///   - files: how files travel; nil: over TLS connections of their own.
    ///   - resolver: nil asks DNS as each account says.
    public init(
        folder: ClientFolder, transport: (any HTTPTransport)? = nil, files: (any FileTransport)? = nil,
        resolver: (any ServiceResolver & HostResolver)? = nil, clock: @escaping @Sendable () -> Date
    ) {
        self.folder = folder
        self.clock = clock
        self.files = files ?? TLSFileTransport()
        if let transport {
            self.transport = transport
            ownTransport = nil
        } else {
            let own = TLSTransport()
            self.transport = own
            ownTransport = own
        }
        fixedResolver = resolver
    }

    /// Ends connections and resolvers.
    public func close() async {
        await ownTransport?.shutDown(within: .seconds(1))
        for resolver in resolvers.withLock({ Array($0.values) }) { resolver.close() }
    }

    /// The mailbox of an account. Nothing is connected before the first call.
    /// - Parameter password: only for an account without a key.
    /// - Throws: `password` where there is neither.
    public func client(_ account: ClientAccount, password: String? = nil) throws(MailClientError) -> MailClient {
        let credentials: CallerCredentials
        if let identity = account.identity {
            credentials = .certificate(identity)
        } else if let password {
            credentials = .password(account.address, password)
        } else {
            throw MailClientError(
                .password, "the account \(account.address) has no key",
                advice: "Enrol one: wsemail account add \(account.address) --renew")
        }
        let cache = DomainCache(folder.folder(of: account.address))
        let book = HomeMetadataBook(cache: cache, root: account.root, clock: clock)
        let keeper = try keeper(account, credentials: credentials, book: book, isShared: true)
        let network = ClientNetwork(
            files: files, calls: transport, locator: try locator(account.address.domain, account.connection), root: account.root,
            clock: clock)
        return MailClient(account: account, folder: folder, server: keeper, network: network, clock: clock)
    }

    func keeper(
        _ account: ClientAccount, credentials: CallerCredentials, book: any MetadataBook, isShared: Bool
    ) throws(MailClientError) -> SessionKeeper {
        let domain = account.address.domain
        let anchor: TrustAnchor
        do { anchor = try TrustAnchor(account.root, scope: .domain(domain)) } catch { throw MailClientError(error) }
        return SessionKeeper(
            account: account, credentials: credentials, transport: transport,
            trust: AnchoredReplyTrust(TrustStore([anchor]), book: book), locator: try locator(domain, account.connection),
            file: isShared ? SessionFile(folder.folder(of: account.address)) : nil, clock: clock)
    }

    func locator(_ domain: MailDomain, _ connection: ConnectionSettings) throws(MailClientError) -> HomeLocator {
        HomeLocator(domain: domain, connection: connection, resolver: try resolver(connection))
    }

    private func resolver(
        _ connection: ConnectionSettings
    ) throws(MailClientError) -> any ServiceResolver & HostResolver {
        if let fixedResolver { return fixedResolver }
        if let known = resolvers.withLock({ $0[connection] }) { return known }
        let made = try HomeLocator.resolver(for: connection)
        resolvers.withLock { $0[connection] = made }
        return made
    }

    func forgetSession(_ account: ClientAccount) async throws(MailClientError) {
        let file = SessionFile(folder.folder(of: account.address))
        let lock = try await file.lock()
        defer { lock.release() }
        try file.clear(nil, lock)
    }

    /// The roots that a domain's server shows, not believed.
    func offeredRoots(
        _ domain: MailDomain, _ connection: ConnectionSettings
    ) async throws(MailClientError) -> [MailCertificate] {
        let endpoints = try await locator(domain, connection).destination(.certificates([]), now: clock()).endpoints
        do {
            return try await RootOffer.fetch(domain, at: endpoints, transport: transport)
        } catch {
            let failure = MailClientError(error)
            guard failure.code == .notVerified else { throw failure }
            throw MailClientError(
                .untrustedServer, "the server's metadata cannot be read: \(failure.reason)",
                advice: "Check that it is a WSEmail server of \(domain): https://HOST:PORT/.well-known/wsemail")
        }
    }

    /// The document that a domain shows to everybody.
    func fetchMetadata(_ destination: HTTPDestination) async throws(MailClientError) -> [UInt8] {
        let call = HTTPCall(
            to: destination, method: .get, path: "/.well-known/wsemail", timeout: .seconds(20),
            maxReplyBytes: DomainMetadata.maximumSize, mayCompress: false)
        let reply: HTTPReply
        do { reply = try await transport.send(call) } catch { throw MailClientError(error) }
        guard reply.status == 200 else {
            throw MailClientError(
                .unreachable, "that server does not show its metadata (HTTP status \(reply.status))",
                advice: "Check that it is a WSEmail server: https://HOST:PORT/.well-known/wsemail", isTransient: true)
        }
        return reply.body
    }
}
