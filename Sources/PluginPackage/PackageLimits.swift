import PluginAPI
import XMLCore

/// What a package may hold. Every limit is inclusive.
public enum PackageLimits {
    /// Octets of the whole file.
    public static let size = 16 << 20
    public static let plugins = 16
    /// Octets of one module.
    public static let module = 8 << 20
    /// Of one plug-in.
    public static let settings = 64
    /// Of one plug-in.
    public static let extensions = 16
    /// Octets of one file of a client's form.
    public static let resource = 4 << 20
    /// Of one client's form.
    public static let resources = 64
    /// Of one client's form.
    public static let formTypes = 16
    /// Of one client's form.
    public static let clientCapabilities = 32
    /// The publisher's certificate and its intermediates.
    public static let certificates = 4
    /// Roles' priorities.
    public static let priority = 0...1000

    /// Characters.
    static let title = 100
    static let summary = 300
    static let explanation = 500
    static let preset = 4096
    static let uri = 200
    static let location = 500
    static let path = 200

    /// Deepest: PluginPackage, Signature, SignedInfo, Reference, Transforms, Transform.
    static let xml = XMLLimits(
        maxBytes: size, maxDepth: 8, maxElements: 8192, maxAttributesPerElement: 8, maxNamespacesPerElement: 4,
        maxNamespacesInScope: 8, maxNameLength: 64, maxReferences: 1 << 17, maxTextRuns: 1 << 15)
}

extension PluginError {
    static func refused(_ reason: String) -> PluginError { PluginError(.refused, reason) }
}

/// Runs `body`; what it finds wrong with the XML refuses the package.
func readingXML<Value>(_ body: () throws(XMLError) -> Value) throws(PluginError) -> Value {
    do { return try body() } catch { throw .refused("the package is not what it should be: \(error.reason)") }
}
