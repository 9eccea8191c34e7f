import PluginAPI
import XMLCore

/// Writes what a package says in its one spelling.
enum PackageWriter {
    /// Self-contained, canonical, without signature.
    static func octets(_ content: PackageContent) -> [UInt8] {
        var writer = XMLWriter(reserving: estimate(content))
        writer.start(PackageXML.tag("PluginPackage"), selfContained: true)
        writer.attribute("Id", PackageXML.id)
        write(manifest: content, into: &writer)
        for member in content.members { write(member, into: &writer) }
        for certificate in content.certificates {
            writer.start(PackageXML.tag("Certificate"))
            writer.base64(certificate)
            writer.end()
        }
        writer.end()
        return writer.bytes
    }

    /// A module is copied once only if there is room for it from the start.
    private static func estimate(_ content: PackageContent) -> Int {
        content.members.reduce(16 << 10) { total, member in
            switch member.kind {
            case .server(let module): total + module.count / 3 * 4 + 4096
            case .client(let form): form.resources.reduce(total + 4096) { $0 + $1.data.count / 3 * 4 + 512 }
            }
        }
    }

    private static func write(manifest content: PackageContent, into writer: inout XMLWriter) {
        writer.start(PackageXML.tag("Manifest"))
        writer.element(PackageXML.tag("Identifier"), content.identifier)
        writer.element(PackageXML.tag("Version"), content.version.description)
        writer.element(PackageXML.tag("Title"), content.title)
        writer.element(PackageXML.tag("Summary"), content.summary)
        writer.element(PackageXML.tag("Publisher"), content.publisher)
        if let version = content.minimumServer { writer.element(PackageXML.tag("MinimumServer"), version.description) }
        if let location = content.location { writer.element(PackageXML.tag("Location"), location) }
        writer.end()
    }

    private static func write(_ member: PluginPackage.Member, into writer: inout XMLWriter) {
        writer.start(PackageXML.tag("Plugin"))
        writer.attribute("name", member.name)
        switch member.kind {
        case .server(let module):
            writer.attribute("kind", "server")
            write(server: member.descriptor, into: &writer)
            writer.start(PackageXML.tag("Module"))
            writer.attribute("mediaType", PackageXML.moduleType)
            write(module, digest: member.moduleDigest, into: &writer)
        case .client(let form):
            writer.attribute("kind", "client")
            writer.element(PackageXML.tag("Title"), form.title)
            writer.element(PackageXML.tag("Summary"), member.descriptor.summary)
            for type in form.formTypes {
                writer.start(PackageXML.tag("Form"))
                writer.attribute("type", type)
                writer.end()
            }
            for capability in form.capabilities { writer.element(PackageXML.tag("Capability"), capability) }
            for resource in form.resources {
                writer.start(PackageXML.tag("Resource"))
                writer.attribute("mediaType", resource.mediaType)
                writer.attribute("name", resource.name)
                write(resource.data, digest: resource.digest, into: &writer)
            }
        }
        writer.end()
    }

    /// Ends the element that is open.
    private static func write(_ data: [UInt8], digest: [UInt8], into writer: inout XMLWriter) {
        writer.attribute("sha256", Base64.encodeToString(digest))
        writer.base64(data)
        writer.end()
    }

    private static func write(server descriptor: PluginDescriptor, into writer: inout XMLWriter) {
        writer.element(PackageXML.tag("Summary"), descriptor.summary)
        for (role, priority) in descriptor.roles.sorted(by: { $0.key < $1.key }) {
            writer.start(PackageXML.tag("Role"))
            writer.attribute("name", role.rawValue)
            writer.attribute("priority", String(priority))
            writer.end()
        }
        for declaration in descriptor.extensions {
            writer.start(PackageXML.tag("Extension"))
            writer.attribute("callers", declaration.callers.map(\.rawValue).sorted().joined(separator: " "))
            writer.attribute("identifier", declaration.identifier)
            writer.end()
        }
        for capability in descriptor.capabilities.sorted() {
            writer.element(PackageXML.tag("Capability"), capability.rawValue)
        }
        writer.element(PackageXML.tag("FailurePolicy"), descriptor.failurePolicy.rawValue)
        for setting in descriptor.settings {
            writer.start(PackageXML.tag("Setting"))
            writer.attribute("name", setting.name)
            writer.attribute("preset", setting.preset)
            writer.text(setting.explanation)
            writer.end()
        }
    }
}
