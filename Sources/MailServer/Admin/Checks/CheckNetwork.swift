import Identity

/// What `check` asks of the network: DNS and one TLS handshake.
public protocol CheckNetwork: Sendable {
    /// The servers that DNS names for a mail domain, best first. Throws with a reason for people.
    func services(of domain: MailDomain) async throws -> [CheckedService]
    /// Shakes hands and returns the certificates shown (DER, leaf first), believing none of them.
    func certificates(at address: String, port: Int, name: String) async throws -> [[UInt8]]
    /// Addresses of this machine's interfaces as text.
    func ownAddresses() -> Set<String>
    /// Whether mail may go to this address by the configuration (private ranges).
    func permits(_ address: String) -> Bool
}

/// One server as DNS names it.
public struct CheckedService: Sendable, Hashable {
    public let host: String
    public let port: Int
    public let addresses: [String]
    /// The answer was validated by DNSSEC.
    public let isSecure: Bool

    public init(host: String, port: Int, addresses: [String], isSecure: Bool) {
        self.host = host
        self.port = port
        self.addresses = addresses
        self.isSecure = isSecure
    }
}
