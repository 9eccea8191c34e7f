import Identity

/// What the administrator of a domain publishes in DNS.
public struct DNSRecords: Sendable, Hashable {
    /// Life of the records in seconds.
    public static let timeToLive = 3_600

    /// Leads other servers to ours (RFC 2782).
    public let service: String
    /// Where the host's own address belongs; the address is for the administrator to fill in.
    public let addressHint: String
    /// Optional: binds TLS at the host to our root (RFC 7671, DANE-TA with the whole certificate's SHA-256).
    public let tlsa: String

    /// - Parameter root: the domain's root certificate, which our TLS chain contains.
    public init(domain: MailDomain, host: MailDomain, port: Int, root: MailCertificate) {
        let life = DNSRecords.timeToLive
        service = "_wsemail._tcp.\(domain). \(life) IN SRV 0 0 \(port) \(host)."
        addressHint = "\(host). \(life) IN A (or AAAA) the address of this machine"
        let digest = root.thumbprintSHA256.map { byte in
            let digits = String(byte, radix: 16)
            return digits.count == 1 ? "0" + digits : digits
        }
        tlsa = "_\(port)._tcp.\(host). \(life) IN TLSA 2 0 1 \(digest.joined())"
    }
}
