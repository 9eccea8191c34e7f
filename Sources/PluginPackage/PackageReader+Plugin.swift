import Crypto
import Identity
import PluginAPI
import XMLCore

extension PackageReader {
    func member(_ element: XMLElement, of package: PackageContent) throws(PluginError) -> PluginPackage.Member {
        let name = try element.required("name")
        let identifier: PluginIdentifier
        do {
            identifier = try PluginIdentifier(package: package.identifier, name: name)
        } catch { throw .refused(error.reason) }
        switch try element.required("kind") {
        case "server": return try server(element, identifier, package.version)
        case "client": return try client(element, identifier, package.version)
        case let kind: throw .refused("\(name) is of the kind \"\(kind.prefix(40))\", which this version does not know")
        }
    }

    // MARK: Server

    private func server(
        _ element: XMLElement, _ identifier: PluginIdentifier, _ version: PluginVersion
    ) throws(PluginError) -> PluginPackage.Member {
        try element.allowOnly(
            ["Summary", "Role", "Extension", "Capability", "FailurePolicy", "Setting", "Module"],
            attributes: ["kind", "name"])
        let summary = try text(element, "Summary")
        try PackageText.requireLine(summary, "the Summary of \(identifier.name)", limit: PackageLimits.summary)
        let policyName = try isSource ? optionalText(element, "FailurePolicy") ?? "open" : text(element, "FailurePolicy")
        guard let policy = FailurePolicy(rawValue: policyName) else {
            throw .refused("\"\(policyName.prefix(40))\" is no failure policy: open or closed")
        }
        let descriptor = PluginDescriptor(
            identifier: identifier, version: version, summary: summary, roles: try roles(element),
            extensions: try extensions(element), capabilities: try capabilities(element), failurePolicy: policy,
            settings: try settings(element))
        guard !descriptor.roles.isEmpty else { throw .refused("\(identifier.name) has no role") }
        guard descriptor.extensions.isEmpty == (descriptor.roles[.extension] == nil) else {
            throw .refused("\(identifier.name): the role extension and Extension elements belong together")
        }
        let module = try readingXML { () throws(XMLError) in try element.only(PackageXML.name("Module")) }
        let (data, digest) = try data(module, limit: PackageLimits.module)
        if let type = module.attribute("mediaType") {
            guard type == PackageXML.moduleType else {
                throw .refused("the module of \(identifier.name) is no WebAssembly (\(PackageXML.moduleType))")
            }
        }
        return PluginPackage.Member(descriptor: descriptor, kind: .server(module: data), moduleDigest: digest)
    }

    private func roles(_ plugin: XMLElement) throws(PluginError) -> [PluginRole: Int] {
        var roles: [PluginRole: Int] = [:]
        for element in try plugin.all("Role", limit: PluginRole.allCases.count) {
            try element.allowOnly([], attributes: ["name", "priority"])
            let name = try element.required("name")
            guard let role = PluginRole(rawValue: name) else { throw .refused("\"\(name.prefix(40))\" is no role") }
            let text = try element.required("priority")
            guard let priority = Int(text), PackageLimits.priority.contains(priority) else {
                throw .refused("\"\(text.prefix(40))\" is no priority: 0 to 1000")
            }
            guard roles.updateValue(priority, forKey: role) == nil else { throw .refused("the role \(name) is given twice") }
        }
        return roles
    }

    private func extensions(_ plugin: XMLElement) throws(PluginError) -> [ExtensionDeclaration] {
        var result: [ExtensionDeclaration] = []
        for element in try plugin.all("Extension", limit: PackageLimits.extensions) {
            try element.allowOnly([], attributes: ["callers", "identifier"])
            let identifier = try element.required("identifier")
            try PackageText.requireURI(identifier, "the extension")
            var callers: Set<ExtensionCaller> = []
            for word in try element.required("callers").split(separator: " ") {
                guard let caller = ExtensionCaller(rawValue: String(word)) else {
                    throw .refused("\"\(word.prefix(40))\" is no caller of an extension: user, peer or federated")
                }
                guard callers.insert(caller).inserted else { throw .refused("an extension's caller is given twice") }
            }
            guard !callers.isEmpty else { throw .refused("nobody may call the extension \(identifier)") }
            result.append(ExtensionDeclaration(identifier: identifier, callers: callers))
        }
        return result
    }

    private func capabilities(_ plugin: XMLElement) throws(PluginError) -> Set<PluginCapability> {
        var result: Set<PluginCapability> = []
        for element in try plugin.all("Capability", limit: PluginCapability.allCases.count) {
            let name = try text(of: element)
            guard let capability = PluginCapability(rawValue: name) else {
                throw .refused("\"\(name.prefix(40))\" is no capability that this version knows")
            }
            // Whoever may run programs needs no sandbox, and a package must always have one; whoever keeps users' files decides
            // who reads them.
            guard !capability.isForCompiledInOnly else { throw .refused("a package cannot have the capability \(name)") }
            guard result.insert(capability).inserted else { throw .refused("the capability \(name) is given twice") }
        }
        return result
    }

    private func settings(_ plugin: XMLElement) throws(PluginError) -> [SettingDeclaration] {
        var result: [SettingDeclaration] = []
        for element in try plugin.all("Setting", limit: PackageLimits.settings) {
            let explanation = try text(of: element, attributes: ["name", "preset"])
            try PackageText.requireLine(explanation, "a setting's explanation", limit: PackageLimits.explanation)
            let name = try element.required("name")
            try PackageText.requireSetting(name)
            let preset = try isSource ? element.attribute("preset") ?? "" : element.required("preset")
            try PackageText.requirePreset(preset)
            guard preset.isEmpty || !name.hasSuffix(".*") else {
                throw .refused("the setting \(name) stands for many and cannot have a preset")
            }
            guard !result.contains(where: { $0.name == name }) else { throw .refused("the setting \(name) is given twice") }
            result.append(SettingDeclaration(name: name, preset: preset, explanation: explanation))
        }
        return result
    }

    // MARK: Client

    private func client(
        _ element: XMLElement, _ identifier: PluginIdentifier, _ version: PluginVersion
    ) throws(PluginError) -> PluginPackage.Member {
        try element.allowOnly(["Title", "Summary", "Form", "Capability", "Resource"], attributes: ["kind", "name"])
        let title = try text(element, "Title")
        let summary = try text(element, "Summary")
        try PackageText.requireLine(title, "the Title of \(identifier.name)", limit: PackageLimits.title)
        try PackageText.requireLine(summary, "the Summary of \(identifier.name)", limit: PackageLimits.summary)
        var types: [String] = []
        for form in try element.all("Form", limit: PackageLimits.formTypes) {
            try form.allowOnly([], attributes: ["type"])
            types.append(try form.required("type"))
            try PackageText.requireURI(types[types.count - 1], "the form type")
        }
        var capabilities: [String] = []
        for capability in try element.all("Capability", limit: PackageLimits.clientCapabilities) {
            capabilities.append(try text(of: capability))
            try PackageText.requireToken(capabilities[capabilities.count - 1], "no capability")
        }
        var resources: [PluginPackage.Resource] = []
        for resource in try element.all("Resource", limit: PackageLimits.resources) {
            resources.append(try self.resource(resource))
        }
        guard !resources.isEmpty else { throw .refused("\(identifier.name) has no Resource") }
        for names in [types, capabilities, resources.map(\.name)] where Set(names).count < names.count {
            throw .refused("\(identifier.name) gives a Form, Capability or Resource twice")
        }
        let form = PluginPackage.ClientForm(
            title: title, formTypes: types, capabilities: capabilities, resources: resources)
        let descriptor = PluginDescriptor(identifier: identifier, version: version, summary: summary, roles: [:])
        return PluginPackage.Member(descriptor: descriptor, kind: .client(form), moduleDigest: [])
    }

    private func resource(_ element: XMLElement) throws(PluginError) -> PluginPackage.Resource {
        let name = try element.required("name")
        let mediaType = try element.required("mediaType")
        try PackageText.requirePath(name)
        try PackageText.requireMediaType(mediaType)
        let (data, digest) = try data(element, limit: PackageLimits.resource, more: ["name"])
        return PluginPackage.Resource(name: name, mediaType: mediaType, data: data, digest: digest)
    }

    // MARK: Data

    /// The octets of a Module or Resource: in the package itself, or in the file that a source names.
    private func data(
        _ element: XMLElement, limit: Int, more: Set<String> = []
    ) throws(PluginError) -> (data: [UInt8], digest: [UInt8]) {
        let what = element.localName
        let data: [UInt8]
        if let file {
            try element.allowOnly([], attributes: more.union(["mediaType", "file"]))
            let path = try element.required("file")
            try PackageText.requirePath(path)
            do { data = try file(path) } catch let error as PluginError { throw error } catch {
                throw .refused("the file \(path) cannot be read: \(error)")
            }
        } else {
            try element.allowOnlyAttributes(more.union(["mediaType", "sha256"]))
            _ = try element.required("mediaType")
            data = try readingXML { () throws(XMLError) in try element.base64Bytes(limit: limit) }
        }
        guard !data.isEmpty else { throw .refused("a \(what) is empty") }
        guard data.count <= limit else { throw .refused("a \(what) is larger than \(limit) octets") }
        let digest = Array(SHA256.hash(data: data))
        if !isSource {
            guard Base64.decode(try element.required("sha256")) == digest else {
                throw .refused("a \(what) does not have the digest that the package gives for it")
            }
        }
        return (data, digest)
    }
}
