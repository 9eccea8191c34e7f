import Foundation
import PluginAPI

extension PackageBuilder {
    /// Reads files of a folder, for ``init(manifest:file:)``: regular files at most as large as a module may be. A symbolic
    /// link that leads out of the folder is refused.
    /// - Throws: what it returns throws ``PluginError`` `.refused`.
    public static func folder(_ path: String) -> @Sendable (String) throws -> [UInt8] {
        { name in
            try PackageText.requirePath(name)
            let folder = URL(fileURLWithPath: path, isDirectory: true).resolvingSymlinksInPath().path
            let file = URL(fileURLWithPath: folder + "/" + name).resolvingSymlinksInPath().path
            guard file.hasPrefix(folder.hasSuffix("/") ? folder : folder + "/") else {
                throw PluginError.refused("\(name) leads out of the package's folder")
            }
            let attributes: [FileAttributeKey: Any]
            do { attributes = try FileManager.default.attributesOfItem(atPath: file) } catch {
                throw PluginError.refused("there is no file \(name) in the package's folder")
            }
            guard attributes[.type] as? FileAttributeType == .typeRegular else {
                throw PluginError.refused("\(name) is not a file")
            }
            guard let size = attributes[.size] as? NSNumber, size.intValue <= PackageLimits.module else {
                throw PluginError.refused("\(name) is larger than \(PackageLimits.module) octets")
            }
            do { return Array(try Data(contentsOf: URL(fileURLWithPath: file))) } catch {
                throw PluginError.refused("\(name) cannot be read")
            }
        }
    }
}
