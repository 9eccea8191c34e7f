import Foundation
import Identity
import NIOConcurrencyHelpers
import NIOCore

/// SRV resolution with a cache, over any ``DNSLookup``.
///
/// There is no fall-back to the address records of the domain itself: a web server would be asked for mail, and the
/// absence of a service could not be told from its failure.
public final class DNSServiceResolver: ServiceResolver, HostResolver {
    /// What the cache keeps: endpoints not yet drawn, or a definite "none".
    private typealias Cached = Result<[ServiceEndpoint], DeliveryError>

    private let lookup: any DNSLookup
    private let configuration: ResolverConfiguration
    private let cache: NIOLockedValueBox<DNSCache<Cached>>
    private let draw: @Sendable ([SRVRecord]) -> [SRVRecord]

    /// - Parameter draw: orders records by RFC 2782; tests pass a deterministic one.
    public init(
        lookup: any DNSLookup, configuration: ResolverConfiguration = ResolverConfiguration(),
        draw: @escaping @Sendable ([SRVRecord]) -> [SRVRecord] = { records in
            var generator = SystemRandomNumberGenerator()
            return SRVOrdering.order(records, using: &generator)
        }
    ) {
        self.lookup = lookup
        self.configuration = configuration
        self.draw = draw
        self.cache = NIOLockedValueBox(DNSCache(capacity: configuration.maxCachedDomains))
    }

    public func resolve(_ domain: MailDomain, now: Date) async throws(DeliveryError) -> [ServiceEndpoint] {
        if let known = cache.withLockedValue({ $0.value(domain.ascii, now: now) }) {
            return ordered(try known.get())
        }
        let name = "_wsemail._tcp.\(domain.ascii)"
        let answer = try await lookup.lookup(name, .srv)
        let records = answer.records.compactMap(SRVRecord.init(data:))
        if let refusal = Self.refusal(answer, records, name: name) {
            // A broken answer is not "none": ask again the next time.
            if refusal.code != .dnsFailure { remember(.failure(refusal), domain, answer.ttl, now) }
            throw refusal
        }
        let (endpoints, ttl) = try await endpoints(Array(draw(records).prefix(configuration.maxTargets)), answer)
        remember(.success(endpoints), domain, ttl, now)
        return ordered(endpoints)
    }

    public func addresses(of host: String, now: Date) async throws(DeliveryError) -> [String] {
        if (try? SocketAddress(ipAddress: host, port: 0)) != nil { return [host] }
        let found = try await addresses(of: host)
        guard !found.list.isEmpty else { throw DeliveryError(.noAddress, "\(host) has no address") }
        return found.list
    }

    /// Forgets all answers (`queue retry` after a repair).
    public func clearCache() {
        cache.withLockedValue { $0 = DNSCache(capacity: configuration.maxCachedDomains) }
    }

    // MARK: Judging answers

    private static func refusal(_ answer: DNSAnswer, _ records: [SRVRecord], name: String) -> DeliveryError? {
        if answer.records.isEmpty {
            return DeliveryError(
                .noService, "\(name) \(answer.isNameError ? "does not exist" : "has no SRV record")",
                isTransient: !answer.isSecure)
        }
        if records.isEmpty { return DeliveryError(.dnsFailure, "\(name) has no readable SRV record") }
        // RFC 2782: a single record with target "." means that the service is decidedly not available.
        if records.allSatisfy(\.target.isEmpty) {
            return DeliveryError(.serviceDenied, "\(name) says that there is no WSEmail service")
        }
        return nil
    }

    private func remember(_ value: Cached, _ domain: MailDomain, _ ttl: Int, _ now: Date) {
        let range: ClosedRange<Int>
        if case .success = value { range = configuration.ttlRange } else { range = configuration.negativeTTLRange }
        let seconds = min(max(ttl, range.lowerBound), range.upperBound)
        cache.withLockedValue { $0.insert(value, for: domain.ascii, seconds: seconds, now: now) }
    }

    /// A fresh draw over cached endpoints.
    private func ordered(_ endpoints: [ServiceEndpoint]) -> [ServiceEndpoint] {
        var left = endpoints
        let records = endpoints.map {
            SRVRecord(priority: $0.priority, weight: $0.weight, port: $0.port, target: $0.target)
        }
        return draw(records).compactMap { record in
            let index = left.firstIndex {
                $0.target == record.target && $0.port == record.port && $0.priority == record.priority
                    && $0.weight == record.weight
            }
            return index.map { left.remove(at: $0) }
        }
    }

    // MARK: Addresses

    private struct Addresses: Sendable {
        var list: [String] = []
        var ttl = Int.max
        var isAlias = false
    }

    private func endpoints(
        _ records: [SRVRecord], _ answer: DNSAnswer
    ) async throws(DeliveryError) -> (endpoints: [ServiceEndpoint], ttl: Int) {
        var ttl = answer.ttl
        var failure: DeliveryError?
        var endpoints: [ServiceEndpoint] = []
        let targets = records.filter { !$0.target.isEmpty && $0.port > 0 }
        for (record, found) in zip(targets, await addresses(of: targets.map(\.target))) {
            switch found {
            case .success(let found):
                guard !found.list.isEmpty else { continue }
                ttl = min(ttl, found.ttl)
                endpoints.append(
                    ServiceEndpoint(
                        target: record.target, port: record.port, priority: record.priority, weight: record.weight,
                        addresses: found.list, secure: answer.isSecure, isAlias: found.isAlias))
            case .failure(let error):
                // One dead target must not take the others along; ask again soon.
                ttl = 0
                failure = error
            }
        }
        if endpoints.isEmpty { throw failure ?? DeliveryError(.noAddress, "no SRV target has an address") }
        return (endpoints, ttl)
    }

    private func addresses(of hosts: [String]) async -> [Result<Addresses, DeliveryError>] {
        await withTaskGroup(of: (Int, Result<Addresses, DeliveryError>).self) { group in
            for (index, host) in hosts.enumerated() {
                group.addTask {
                    let found = await self.outcome(of: host)
                    return (index, found)
                }
            }
            var results: [Int: Result<Addresses, DeliveryError>] = [:]
            for await (index, result) in group { results[index] = result }
            return hosts.indices.map { results[$0] ?? .failure(DeliveryError(.dnsFailure, "not asked")) }
        }
    }

    /// Awaited before the tuple is built: of `(index, .success(try await …))` in a child task's `do` the optimiser of Swift
    /// 6.3.1 loses the index.
    private func outcome(of host: String) async -> Result<Addresses, DeliveryError> {
        do throws(DeliveryError) {
            return .success(try await addresses(of: host))
        } catch {
            return .failure(error)
        }
    }

    /// IPv6 first (RFC 6724 would); a failure of one family is no failure while the other has an address.
    private func addresses(of host: String) async throws(DeliveryError) -> Addresses {
        async let six = ask(host, .aaaa)
        async let four = ask(host, .a)
        var found = Addresses()
        var failure: DeliveryError?
        for result in [await six, await four] {
            switch result {
            case .success(let answer):
                found.isAlias = found.isAlias || answer.isAlias
                let literals = answer.records.compactMap(Self.literal)
                if !literals.isEmpty { found.ttl = min(found.ttl, answer.ttl) }
                found.list += literals
            case .failure(let error):
                failure = error
            }
        }
        if found.list.isEmpty, let failure { throw failure }
        return found
    }

    private func ask(_ host: String, _ type: DNSRecordType) async -> Result<DNSAnswer, DeliveryError> {
        do throws(DeliveryError) {
            return .success(try await lookup.lookup(host, type))
        } catch {
            return .failure(error)
        }
    }

    private static func literal(_ data: [UInt8]) -> String? {
        guard data.count == 4 || data.count == 16 else { return nil }
        return try? SocketAddress(packedIPAddress: ByteBuffer(bytes: data), port: 0).ipAddress
    }
}
