import Delivery
import Foundation
import Identity
import MailStore
import SOAPClient

extension AdminHooks {
    /// What an administrative act needs while no server runs. Nothing is loaded or opened before it is used.
    static func direct(_ configuration: ServerConfiguration, clock: @escaping @Sendable () -> Date) -> AdminHooks {
        var hooks = AdminHooks()
        hooks.bounce = { job, reason in
            let keys = try DomainKeys(folder: configuration.keyDirectory, domain: configuration.domain)
            let failed = job.job.recipients.map { RecipientOutcome(recipient: $0, state: .bounced, reason: reason) }
            return try BounceWriter(signer: keys.signer).bounce(job, failed: failed, now: clock())
        }
        hooks.fetchRoots = { domain in
            let resolver = try MailServer.makeResolver(configuration)
            let transport = TLSTransport()
            let fetch = RootOffer.fetcher(configuration, resolver: resolver, transport: transport, clock: clock)
            let result: Result<[[UInt8]], any Error>
            do { result = .success(try await fetch(domain)) } catch { result = .failure(error) }
            await transport.shutDown(within: .seconds(1))
            resolver.close()
            return try result.get()
        }
        return hooks
    }
}
