import Identity
import PluginAPI

/// The server's files, as the host needs them. A file is known by who handed it in and its SHA-256; what is asked for in one
/// owner's name never finds another's.
public protocol HostFiles: Sendable {
    /// Octets of a file; nil if the owner has none of that digest, or not all of it.
    func size(of digest: [UInt8], owner: Address) async -> UInt64?

    /// Up to `count` octets from `offset` on; fewer only at the end. The host asks for at most 1 MiB.
    /// - Throws: ``PluginError`` `.unavailable` when there is no such file, `.storage`.
    func read(_ digest: [UInt8], owner: Address, at offset: UInt64, count: Int) async throws(PluginError) -> [UInt8]

    /// - Throws: ``PluginError`` `.limitExceeded` when the owner has no room for it, `.busy`, `.storage`.
    func openUpload(_ digest: [UInt8], size: UInt64, owner: Address) async throws(PluginError) -> UploadOffer
}

/// A file that a plug-in took into its custody at a submission.
public struct KeptFile: Sendable, Hashable {
    /// SHA-256.
    public let digest: [UInt8]
    /// 32 lower-case hexadecimal digits.
    public let guid: String
    public let plugin: PluginIdentifier

    public init(digest: [UInt8], guid: String, plugin: PluginIdentifier) {
        self.digest = digest
        self.guid = guid
        self.plugin = plugin
    }
}
