import Identity
import PluginAPI

/// The texts of a package: what may stand where.
enum PackageText {
    /// One line that is shown to people.
    static func requireLine(_ text: String, _ what: String, limit: Int) throws(PluginError) {
        if let fault = PlainLine.fault(in: text, limit: limit, joiners: true) { throw .refused("\(what) \(fault)") }
    }

    /// The name of an identity: nothing in it may be invisible.
    static func requirePublisher(_ text: String) throws(PluginError) {
        if let fault = PlainLine.fault(in: text, limit: PublisherAuthority.maximumNameLength) {
            throw .refused("Publisher \(fault)")
        }
    }

    /// The value that a setting has until somebody sets it: empty, one line or more.
    static func requirePreset(_ text: String) throws(PluginError) {
        guard text.unicodeScalars.count <= PackageLimits.preset else {
            throw .refused("a setting's preset is longer than \(PackageLimits.preset) characters")
        }
        let isShowable = text.unicodeScalars.allSatisfy { scalar in
            scalar == "\n" || scalar == "\t"
                || scalar == " " || PlainLine.fault(in: String(scalar), limit: 1, joiners: true) == nil
        }
        guard isShowable else { throw .refused("a setting's preset holds a control character") }
    }

    /// 1 to 60 of a-z, 0-9, "-", "_" and "."; it may end in ".*".
    static func requireSetting(_ name: String) throws(PluginError) {
        let stem = name.hasSuffix(".*") ? name.dropLast(2) : name[...]
        let isAllowed = stem.utf8.allSatisfy { byte in
            isLowercaseOrDigit(byte) || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_") || byte == UInt8(ascii: ".")
        }
        guard isAllowed, !stem.isEmpty, name.utf8.count <= 60 else {
            throw .refused("\"\(name.prefix(80))\" is no name of a setting")
        }
    }

    /// An absolute URI (RFC 3986 §4.3) in printable ASCII.
    static func requireURI(_ text: String, _ what: String) throws(PluginError) {
        let scheme = text.utf8.prefix { $0 != UInt8(ascii: ":") }
        let isScheme =
            scheme.first.map { (0x61...0x7A).contains($0) } ?? false
            && scheme.allSatisfy { isLowercaseOrDigit($0) || $0 == 0x2B || $0 == 0x2D || $0 == 0x2E }
        guard isScheme, (scheme.count + 2...PackageLimits.uri).contains(text.utf8.count), isURIText(text) else {
            throw .refused("\(what) \"\(text.prefix(80))\" is no absolute URI of at most \(PackageLimits.uri) characters")
        }
    }

    /// An https URL with a host name, perhaps a port, and no user name in it: people click on it.
    static func requireLocation(_ text: String) throws(PluginError) {
        let fault = PluginError.refused("Location \"\(text.prefix(80))\" is no https address")
        let prefix = "https://"
        guard text.hasPrefix(prefix), text.utf8.count <= PackageLimits.location, isURIText(text) else { throw fault }
        let authority = text.dropFirst(prefix.count).prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        let parts = authority.split(separator: ":", omittingEmptySubsequences: false)
        guard let host = parts.first, parts.count <= 2, (try? MailDomain(String(host))) != nil else { throw fault }
        if parts.count == 2 {
            guard parts[1].utf8.allSatisfy({ (0x30...0x39).contains($0) }), UInt16(parts[1]) != nil else { throw fault }
        }
    }

    /// `type/subtype` without parameters.
    static func requireMediaType(_ text: String) throws(PluginError) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        let isToken = parts.allSatisfy { part in
            !part.isEmpty && part.utf8.allSatisfy { isLowercaseOrDigit($0) || [0x2B, 0x2D, 0x2E].contains($0) }
        }
        guard parts.count == 2, isToken, text.utf8.count <= 100 else {
            throw .refused("\"\(text.prefix(80))\" is no media type")
        }
    }

    /// A relative path of a file in the package's folder that cannot lead out of it: names of letters, digits, "-", "_"
    /// and ".", none beginning with ".".
    static func requirePath(_ text: String) throws(PluginError) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        let isPlain = parts.allSatisfy { part in
            !part.isEmpty && part.first != "."
                && part.utf8.allSatisfy { byte in
                    isLowercaseOrDigit(byte) || (0x41...0x5A).contains(byte) || [0x2D, 0x2E, 0x5F].contains(byte)
                }
        }
        guard isPlain, (1...PackageLimits.path).contains(text.utf8.count) else {
            throw .refused("\"\(text.prefix(80))\" is no path of a file inside the package's folder")
        }
    }

    /// The name of something that mail programs define: 1 to 40 of a-z, 0-9 and "-".
    static func requireToken(_ text: String, _ what: String) throws(PluginError) {
        let isToken = text.utf8.allSatisfy { isLowercaseOrDigit($0) || $0 == UInt8(ascii: "-") }
        guard isToken, (1...40).contains(text.utf8.count) else { throw .refused("\(what) \"\(text.prefix(80))\"") }
    }

    private static func isLowercaseOrDigit(_ byte: UInt8) -> Bool {
        (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte)
    }

    private static func isURIText(_ text: String) -> Bool {
        let forbidden = Set("\"<>\\^`{|}".utf8)
        return text.utf8.allSatisfy { (0x21...0x7E).contains($0) && !forbidden.contains($0) }
    }
}
