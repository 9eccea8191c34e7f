/// What a module says of itself: the answer of `describe`.
public struct DescriptionFrame: Sendable, Hashable {
    /// Version of the ABI that this server speaks.
    public static let abi = "1"

    /// Roles that `handle` takes.
    public let roles: Set<PluginRole>

    public init(roles: Set<PluginRole>) { self.roles = roles }

    /// Roles of a later version are passed over. Throws ``PluginError`` `.invalidModule` for another ABI or a frame that is none.
    public init(octets: [UInt8]) throws(PluginError) {
        do throws(PluginError) {
            let reader = try FrameReader(octets)
            let abi = try reader.text(.abi)
            guard abi == Self.abi else {
                throw PluginError(.invalidModule, "the module is for version \"\(abi.prefix(10))\" of the ABI, this server speaks 1")
            }
            roles = Set(try reader.texts(.describedRole).compactMap { PluginRole(rawValue: $0) })
        } catch {
            throw error.code == .invalidModule ? error : PluginError(.invalidModule, "describe: \(error.reason)")
        }
    }

    public var octets: [UInt8] {
        var frame = PluginFrame()
        frame.add(.abi, Self.abi)
        for role in roles.sorted() { frame.add(.describedRole, role.rawValue) }
        return frame.octets
    }
}
