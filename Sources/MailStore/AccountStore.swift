import Foundation
import Identity

/// A local mail account.
public struct Account: Sendable, Hashable {
    public let address: Address
    public let created: Date
    /// A disabled account gets no mail, cannot log in and keeps what it has.
    public let isDisabled: Bool
    /// The most bytes the account's messages may take; nil is without limit.
    public let quotaBytes: Int64?
    /// Bytes that count against the quota: message and postmark octets of each mailbox entry.
    public let usedBytes: Int64
    public let hasPassword: Bool
    /// Grows with every change of password, with every revoked certificate and when the account is disabled.
    public let credentialGeneration: Int64

    public init(
        address: Address, created: Date, isDisabled: Bool, quotaBytes: Int64?, usedBytes: Int64, hasPassword: Bool,
        credentialGeneration: Int64
    ) {
        self.address = address
        self.created = created
        self.isDisabled = isDisabled
        self.quotaBytes = quotaBytes
        self.usedBytes = usedBytes
        self.hasPassword = hasPassword
        self.credentialGeneration = credentialGeneration
    }
}

/// What a login needs to know of an account, in one read.
public struct AccountCredential: Sendable, Hashable {
    /// The password's hash string (`$scrypt$…`); nil when no password was set.
    public let passwordHash: String?
    /// To be handed to `insertSession`, which refuses when it is no longer current.
    public let generation: Int64
    public let isDisabled: Bool

    public init(passwordHash: String?, generation: Int64, isDisabled: Bool) {
        self.passwordHash = passwordHash
        self.generation = generation
        self.isDisabled = isDisabled
    }
}

/// Local accounts. Methods that end sessions return the ids of those that ended, so that a cache can forget them.
public protocol AccountStore: Sendable {
    /// Creates an account with the folders Inbox and Sent. Throws `alreadyExists`.
    func createAccount(_ address: Address, passwordHash: String?, quotaBytes: Int64?, now: Date) async throws(StoreError)

    /// The account, or nil.
    func account(_ address: Address) async throws(StoreError) -> Account?

    /// Accounts ordered by address, at most `limit`, those after `cursor`.
    func accounts(after cursor: Address?, limit: Int) async throws(StoreError) -> [Account]

    /// What a login needs, or nil if there is no such account.
    func credential(of address: Address) async throws(StoreError) -> AccountCredential?

    /// Replaces the password's hash (nil removes the password) and ends all sessions of the account in the same
    /// transaction. Throws `unknownAccount`.
    @discardableResult
    func setPasswordHash(_ hash: String?, of address: Address, now: Date) async throws(StoreError) -> [String]

    /// Sets the quota; nil is without limit. A mailbox above its new quota keeps what it has. Throws `unknownAccount`.
    func setQuota(_ bytes: Int64?, of address: Address) async throws(StoreError)

    /// Disables the account and ends its sessions, in one transaction. Idempotent. Throws `unknownAccount`.
    @discardableResult
    func disableAccount(_ address: Address, now: Date) async throws(StoreError) -> [String]

    /// Enables the account. Idempotent. Throws `unknownAccount`.
    func enableAccount(_ address: Address, now: Date) async throws(StoreError)

    /// Removes the account: one transaction ends its sessions, revokes its certificates and hides the mailbox; then the
    /// mail is deleted in batches (continued by `prune` if the process dies). Records of what it sent stay until they
    /// expire. Throws `unknownAccount`.
    @discardableResult
    func removeAccount(_ address: Address, now: Date) async throws(StoreError) -> [String]
}

/// A certificate that this domain issued to a user, or a revoked one of its servers.
public struct IssuedCertificate: Sendable, Hashable {
    /// SHA-256 of `der`.
    public let thumbprint: [UInt8]
    /// The user; nil for a certificate of the domain itself.
    public let owner: Address?
    public let der: [UInt8]
    /// Serial number, big-endian bytes as in the certificate.
    public let serial: [UInt8]
    public let notAfter: Date
    public let added: Date
    public let revoked: Date?

    public init(
        thumbprint: [UInt8], owner: Address?, der: [UInt8], serial: [UInt8], notAfter: Date, added: Date, revoked: Date? = nil
    ) {
        self.thumbprint = thumbprint
        self.owner = owner
        self.der = der
        self.serial = serial
        self.notAfter = notAfter
        self.added = added
        self.revoked = revoked
    }
}

/// A revoked serial number of the domain's authority.
public struct RevokedSerial: Sendable, Hashable {
    public let serial: [UInt8]
    public let revoked: Date
    public let notAfter: Date

    public init(serial: [UInt8], revoked: Date, notAfter: Date) {
        self.serial = serial
        self.revoked = revoked
        self.notAfter = notAfter
    }
}

/// Certificates that the domain's own authority issued. They outlive the account of their owner.
public protocol CertificateStore: Sendable {
    /// Records an issued certificate. The same one again changes nothing. Throws `unknownAccount` if its owner has no
    /// account.
    func addCertificate(_ certificate: IssuedCertificate) async throws(StoreError)

    /// The certificate with that SHA-256 thumbprint, revoked or not, or nil.
    func certificate(thumbprint: [UInt8]) async throws(StoreError) -> IssuedCertificate?

    /// All certificates of a user (nil: of the domain itself), oldest first.
    func certificates(of owner: Address?) async throws(StoreError) -> [IssuedCertificate]

    /// Revokes a certificate; a user's sessions end in the same transaction. Idempotent: the first time of revocation
    /// stays. Throws `unknownCertificate`.
    @discardableResult
    func revokeCertificate(thumbprint: [UInt8], now: Date) async throws(StoreError) -> [String]

    /// Serials revoked and not yet expired at `now`, oldest revocation first: what the domain metadata publishes.
    func revokedSerials(now: Date) async throws(StoreError) -> [RevokedSerial]
}
