import Identity
import PluginAPI
import XMLCore
import XMLSecurity

/// Reads what a package, or the manifest source of one, says.
///
/// The order of elements and the white space between them are not looked at: for packages, ``PackageEnvelope`` compares
/// the whole text with what ``PackageWriter`` makes of it; a source that people write may have them as it likes.
struct PackageReader {
    /// Gives the content of a file that a manifest source names; nil for packages, which hold everything themselves.
    var file: ((String) throws -> [UInt8])?

    static let signature = XMLName(SecurityNamespace.ds, "Signature")

    var isSource: Bool { file != nil }

    func content(_ root: XMLElement) throws(PluginError) -> PackageContent {
        guard root.isNamed(PackageXML.name("PluginPackage")) else {
            throw .refused("this is no plug-in package: its root is \(root.name.description.prefix(150))")
        }
        if isSource {
            try root.allowOnly(["Manifest", "Plugin"])
        } else {
            try root.allowOnly(["Manifest", "Plugin", "Certificate"], attributes: ["Id"], foreign: Self.signature)
        }
        var content = try manifest(readingXML { () throws(XMLError) in try root.only(PackageXML.name("Manifest")) })
        for element in try root.all("Plugin", limit: PackageLimits.plugins) {
            content.members.append(try member(element, of: content))
        }
        guard !content.members.isEmpty else { throw .refused("the package holds no plug-in") }
        guard Set(content.members.map(\.name)).count == content.members.count else {
            throw .refused("two plug-ins of the package have the same name")
        }
        let extensions = content.members.flatMap { $0.descriptor.extensions.map(\.identifier) }
        guard Set(extensions).count == extensions.count else {
            throw .refused("an extension identifier is declared twice")
        }
        content.certificates = try PackageEnvelope.certificates(root)
        return content
    }

    private func manifest(_ element: XMLElement) throws(PluginError) -> PackageContent {
        try element.allowOnly(["Identifier", "Version", "Title", "Summary", "Publisher", "MinimumServer", "Location"])
        let identifier = try text(element, "Identifier")
        guard PluginIdentifier.isPackage(identifier) else {
            throw .refused("\"\(identifier.prefix(100))\" is no package identifier such as org.example.vacation")
        }
        let content = PackageContent(
            identifier: identifier, version: try version(text(element, "Version")), title: try text(element, "Title"),
            summary: try text(element, "Summary"), publisher: try text(element, "Publisher"),
            minimumServer: try optionalText(element, "MinimumServer").map(version),
            location: try optionalText(element, "Location"), members: [], certificates: [])
        try PackageText.requireLine(content.title, "Title", limit: PackageLimits.title)
        try PackageText.requireLine(content.summary, "Summary", limit: PackageLimits.summary)
        try PackageText.requirePublisher(content.publisher)
        if let location = content.location { try PackageText.requireLocation(location) }
        return content
    }

    private func version(_ text: String) throws(PluginError) -> PluginVersion {
        do { return try PluginVersion(text) } catch { throw .refused(error.reason) }
    }

    // MARK: Texts

    func text(_ parent: XMLElement, _ localName: String) throws(PluginError) -> String {
        let child = try readingXML { () throws(XMLError) in try parent.only(PackageXML.name(localName)) }
        return try text(of: child)
    }

    func optionalText(_ parent: XMLElement, _ localName: String) throws(PluginError) -> String? {
        let child = try readingXML { () throws(XMLError) in try parent.optional(PackageXML.name(localName)) }
        guard let child else { return nil }
        return try text(of: child)
    }

    /// Character data without attributes. In a source, lines may be broken anywhere.
    func text(of element: XMLElement, attributes: Set<String> = []) throws(PluginError) -> String {
        try element.allowOnlyAttributes(attributes)
        let text = try readingXML { () throws(XMLError) in try element.simpleText() }
        guard isSource else { return text }
        return text.split { $0.isWhitespace || $0.isNewline }.joined(separator: " ")
    }
}

extension Optional {
    /// `map` that keeps the type of what the closure throws.
    fileprivate func map<Value>(
        _ body: (Wrapped) throws(PluginError) -> Value
    ) throws(PluginError) -> Value? {
        guard let self else { return nil }
        return try body(self)
    }
}
