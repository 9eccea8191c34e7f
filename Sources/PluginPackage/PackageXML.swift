import PluginAPI
import XMLCore

/// Names of the package format.
enum PackageXML {
    static let namespace = "urn:wsemail:2"
    static let id = "package"
    static let moduleType = "application/wasm"

    static func tag(_ localName: String) -> XMLTag { XMLTag("", namespace, localName) }
    static func name(_ localName: String) -> XMLName { XMLName(namespace, localName) }
}

extension XMLElement {
    /// Refuses children and attributes that the format does not know, and text beside the children: they would be signed,
    /// but never shown.
    func allowOnly(
        _ localNames: Set<String>, attributes names: Set<String> = [], foreign: XMLName? = nil
    ) throws(PluginError) {
        try allowOnlyAttributes(names)
        for child in children {
            if child.namespace == PackageXML.namespace, localNames.contains(child.localName) { continue }
            if let foreign, child.isNamed(foreign) { continue }
            throw .refused("\(localName) may not contain \(child.name.description.prefix(150))")
        }
        guard textBytes.allSatisfy({ $0 == 0x20 || $0 == 0x0A || $0 == 0x0D || $0 == 0x09 }) else {
            throw .refused("\(localName) may not contain text")
        }
    }

    func allowOnlyAttributes(_ names: Set<String>) throws(PluginError) {
        for (name, _) in attributes where !(name.namespace.isEmpty && names.contains(name.localName)) {
            throw .refused("\(localName) may not have the attribute \(name.description.prefix(150))")
        }
    }

    func required(_ attribute: String) throws(PluginError) -> String {
        guard let value = self.attribute(attribute) else { throw .refused("\(localName) has no attribute \(attribute)") }
        return value
    }

    /// The children of that name, at most `limit`.
    func all(_ localName: String, limit: Int) throws(PluginError) -> [XMLElement] {
        let found = all(PackageXML.name(localName))
        guard found.count <= limit else { throw .refused("there are more than \(limit) \(localName) elements in \(self.localName)") }
        return found
    }
}
