import Crypto
import Foundation
import Identity
import PluginAPI

/// What the host itself keeps among plug-ins' values, so that it commits with what plug-ins do: which files are held, and who
/// may fetch them. No plug-in can have these namespaces: no package can be named ``package``.
public enum HostValues {
    /// A package identifier that none can have.
    public static let package = "org.wsemail.host"
    /// One value for each attachment whose file must stay.
    public static let holds = "org.wsemail.host/holds"
    /// One value for each offer to fetch a file.
    public static let tickets = "org.wsemail.host/tickets"
    /// What is compiled into the server.
    static let builtIns = "org.wsemail.builtin"

    /// Whether values of a plug-in count for no quota: they are the server's own.
    public static func isUnmetered(_ plugin: String) -> Bool {
        plugin.hasPrefix(package + "/") || plugin.hasPrefix(builtIns + "/")
    }

    // MARK: Holds

    /// Owner, 0x00, digest, GUID: all holds of one file have one prefix.
    public static func holdKey(owner: Address, digest: [UInt8], guid: String) -> [UInt8] {
        holdPrefix(owner: owner, digest: digest) + guid.utf8
    }

    public static func holdPrefix(owner: Address, digest: [UInt8]) -> [UInt8] { Array(owner.description.utf8) + [0] + digest }

    /// What a hold's key says; nil for what is none.
    public static func hold(_ key: [UInt8]) -> (owner: Address, digest: [UInt8], guid: String)? {
        guard let end = key.firstIndex(of: 0), key.count == end + 1 + 32 + 32 else { return nil }
        let guid = String(decoding: key.suffix(32), as: UTF8.self)
        guard let owner = try? Address(String(decoding: key[..<end], as: UTF8.self)), VerdictRules.isGUID(guid) else { return nil }
        return (owner, Array(key[(end + 1)..<(end + 33)]), guid)
    }

    /// The file's size: 8 octets, big-endian.
    public static func holdValue(size: UInt64) -> [UInt8] { withUnsafeBytes(of: size.bigEndian) { Array($0) } }

    public static func holdSize(_ value: [UInt8]) -> UInt64? {
        value.count == 8 ? value.reduce(0) { $0 << 8 | UInt64($1) } : nil
    }

    // MARK: Tickets

    /// Who may fetch what, until when. The ticket itself is not kept, only its digest.
    public struct Ticket: Sendable, Hashable, Codable {
        public let owner: Address
        /// SHA-256 of the file, base64.
        private let digest: String
        /// Octets of the file.
        public let size: UInt64
        public let reader: Address
        /// Seconds since 1970; the ticket counts before.
        private let expires: Int64

        public var fileDigest: [UInt8] { Data(base64Encoded: digest).map(Array.init) ?? [] }
        public var expiry: Date { Date(timeIntervalSince1970: Double(expires)) }

        public init(owner: Address, digest: [UInt8], size: UInt64, reader: Address, expires: Date) {
            self.owner = owner
            self.digest = Data(digest).base64EncodedString()
            self.size = size
            self.reader = reader
            let bounded = min(max(expires.timeIntervalSince1970.rounded(.down), 0), 253_402_300_799)
            self.expires = Int64(bounded)
        }

        /// nil for what is none.
        public init?(_ value: [UInt8]) {
            guard let ticket = try? JSONDecoder().decode(Ticket.self, from: Data(value)), ticket.fileDigest.count == 32 else {
                return nil
            }
            self = ticket
        }

        /// - Throws: ``PluginError`` `.invalid`.
        func encoded() throws(PluginError) -> [UInt8] {
            let encoder = JSONEncoder()
            encoder.outputFormatting = .sortedKeys
            do { return Array(try encoder.encode(self)) } catch { throw PluginError(.invalid, "a ticket cannot be written") }
        }
    }

    /// GUID, 0x00, SHA-256 of the ticket.
    public static func ticketKey(guid: String, ticket: [UInt8]) -> [UInt8] {
        ticketPrefix(guid: guid) + Array(SHA256.hash(data: ticket))
    }

    public static func ticketPrefix(guid: String) -> [UInt8] { Array(guid.utf8) + [0] }
}
