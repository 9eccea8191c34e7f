import NIOCore

/// Which addresses we may connect to for somebody else's sake (design §4): a domain's DNS must not make this server talk to
/// itself, its neighbours or its cloud's metadata service.
///
/// The judged literal is the one that is connected to; nothing is resolved in between.
public struct AddressPolicy: Sendable, Hashable {
    /// For tests, and for federations inside one private network.
    public let allowsPrivateTargets: Bool

    public init(allowPrivateTargets: Bool = false) {
        self.allowsPrivateTargets = allowPrivateTargets
    }

    /// True when a connection to this IP literal is allowed. Anything that is not an IP literal is not.
    public func permits(_ address: String) -> Bool {
        guard let bytes = Self.bytes(of: address) else { return false }
        return allowsPrivateTargets || Self.isPublic(bytes)
    }

    /// Keeps the permitted addresses, and the endpoints that still have one.
    /// - Throws: `privateTarget` when none is left.
    public func filter(_ endpoints: [ServiceEndpoint]) throws(DeliveryError) -> [ServiceEndpoint] {
        let allowed = endpoints.compactMap { endpoint -> ServiceEndpoint? in
            let addresses = endpoint.addresses.filter(permits)
            guard !addresses.isEmpty else { return nil }
            return ServiceEndpoint(
                target: endpoint.target, port: endpoint.port, priority: endpoint.priority, weight: endpoint.weight,
                addresses: addresses, secure: endpoint.secure, isAlias: endpoint.isAlias)
        }
        guard !allowed.isEmpty else {
            throw DeliveryError(.privateTarget, "all addresses of the domain's servers are private or reserved")
        }
        return allowed
    }

    private static func bytes(of address: String) -> [UInt8]? {
        // Scoped literals (fe80::1%eth0) never come from DNS.
        guard !address.contains("%"), let parsed = try? SocketAddress(ipAddress: address, port: 0) else { return nil }
        switch parsed {
        case .v4(let v4): return withUnsafeBytes(of: v4.address.sin_addr) { Array($0) }
        case .v6(let v6): return withUnsafeBytes(of: v6.address.sin6_addr) { Array($0) }
        case .unixDomainSocket: return nil
        }
    }

    private static func isPublic(_ bytes: [UInt8]) -> Bool {
        if bytes.count == 4 { return !reservedV4.contains { $0.contains(bytes) } }
        if let embedded = embeddedV4(bytes) { return !reservedV4.contains { $0.contains(embedded) } }
        // IANA hands out global unicast from 2000::/3 only (RFC 4291 §2.4).
        return Block([0x20], 3).contains(bytes) && !reservedV6.contains { $0.contains(bytes) }
    }

    /// The IPv4 address that an IPv6 one leads to: mapped, NAT64 (RFC 6052) or 6to4 (RFC 3056).
    private static func embeddedV4(_ bytes: [UInt8]) -> [UInt8]? {
        if bytes.starts(with: [UInt8](repeating: 0, count: 10) + [0xff, 0xff]) { return Array(bytes[12..<16]) }
        if bytes.starts(with: [0x00, 0x64, 0xff, 0x9b] + [UInt8](repeating: 0, count: 8)) { return Array(bytes[12..<16]) }
        if bytes.starts(with: [0x20, 0x02]) { return Array(bytes[2..<6]) }
        return nil
    }

    private struct Block: Sendable {
        let prefix: [UInt8]
        let bits: Int

        init(_ prefix: [UInt8], _ bits: Int) {
            self.prefix = prefix
            self.bits = bits
        }

        func contains(_ bytes: [UInt8]) -> Bool {
            for index in 0..<((bits + 7) / 8) {
                let significant = min(8, bits - index * 8)
                let mask = UInt8(truncatingIfNeeded: 0xff << (8 - significant))
                let wanted = index < prefix.count ? prefix[index] : 0
                if bytes[index] & mask != wanted & mask { return false }
            }
            return true
        }
    }

    /// IANA IPv4 Special-Purpose Address Registry (RFC 6890 and later), multicast and class E.
    private static let reservedV4: [Block] = [
        Block([0], 8), Block([10], 8), Block([100, 64], 10), Block([127], 8), Block([169, 254], 16), Block([172, 16], 12),
        Block([192, 0, 0], 24), Block([192, 0, 2], 24), Block([192, 88, 99], 24), Block([192, 168], 16),
        Block([198, 18], 15), Block([198, 51, 100], 24), Block([203, 0, 113], 24), Block([224], 4), Block([240], 4),
    ]

    /// The special-purpose parts of 2000::/3: protocol assignments with Teredo, and documentation.
    private static let reservedV6: [Block] = [
        Block([0x20, 0x01, 0x00], 23), Block([0x20, 0x01, 0x0d, 0xb8], 32), Block([0x3f, 0xff], 20),
    ]
}
