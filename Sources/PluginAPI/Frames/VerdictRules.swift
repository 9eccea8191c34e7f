import Identity

/// What a verdict may say, whoever wrote it: a module's frame and a compiled-in plug-in go by the same rules.
public enum VerdictRules {
    /// Characters of a reason.
    public static let reasonLength = 500
    /// Addresses that one recipient can be passed on to by one plug-in.
    public static let targets = 1...20
    /// Addresses that a resolver can name for one.
    public static let resolved = 1...100
    /// Characters of a folder's name.
    public static let folderLength = 1...100
    /// Seconds of a postponement.
    public static let postponement = 1...86_400

    /// - Throws: ``PluginError`` `.invalid`.
    public static func checked(_ verdict: SendingVerdict) throws(PluginError) -> SendingVerdict {
        switch verdict {
        case .proceed: return .proceed
        case .dropAttachments(let digests):
            guard digests.allSatisfy({ $0.count == 32 }) else { throw PluginError(.invalid, "a SHA-256 has 32 octets") }
            return digests.isEmpty ? .proceed : verdict
        case .redirect(let replacements):
            for (_, addresses) in replacements { try check(addresses, targets) }
            return replacements.isEmpty ? .proceed : .redirect(replacements.mapValues(unique))
        case .keep(let guids):
            guard guids.keys.allSatisfy({ $0.count == 32 }) else { throw PluginError(.invalid, "a SHA-256 has 32 octets") }
            guard guids.values.allSatisfy(isGUID), Set(guids.values).count == guids.count else {
                throw PluginError(.invalid, "GUIDs have 32 lower-case hexadecimal digits and differ from each other")
            }
            return guids.isEmpty ? .proceed : verdict
        case .refuse(let reason, let isTransient): return .refuse(reason: try checked(reason: reason), isTransient: isTransient)
        }
    }

    /// Whether a text can name an attachment: 32 lower-case hexadecimal digits.
    public static func isGUID(_ text: String) -> Bool {
        text.utf8.count == 32 && text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
    }

    /// A postponement is brought into its bounds. Throws ``PluginError`` `.invalid`.
    public static func checked(_ verdict: DeliveryVerdict) throws(PluginError) -> DeliveryVerdict {
        switch verdict {
        case .proceed, .consume: return verdict
        case .file(let folder, let flags): return .file(folder: try checked(folder: folder), flags: flags)
        case .redirect(let addresses):
            try check(addresses, targets)
            return .redirect(unique(addresses))
        case .refuse(let reason): return .refuse(reason: try checked(reason: reason))
        case .later(let seconds, let reason):
            let seconds = min(max(seconds, postponement.lowerBound), postponement.upperBound)
            return .later(seconds: seconds, reason: try checked(reason: reason))
        }
    }

    /// - Throws: ``PluginError`` `.invalid` when a resolver names nobody or too many.
    public static func checked(resolved addresses: [Address]) throws(PluginError) -> [Address] {
        try check(addresses, resolved)
        return unique(addresses)
    }

    /// - Throws: ``PluginError`` `.invalid` for an empty or over-long name, or one with control characters.
    public static func checked(folder: String) throws(PluginError) -> String {
        guard folderLength.contains(folder.unicodeScalars.count), !folder.unicodeScalars.contains(where: isControl) else {
            throw PluginError(.invalid, "a folder's name has 1 to \(folderLength.upperBound) characters and no control characters")
        }
        return folder
    }

    /// A reason that fits: control characters (which no XML text and no log line should hold) become spaces.
    public static func checked(reason: String) throws(PluginError) -> String {
        guard reason.unicodeScalars.count <= reasonLength else {
            throw PluginError(.invalid, "a reason has at most \(reasonLength) characters")
        }
        return line(reason)
    }

    /// One line without control characters.
    public static func line(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: isControl) else { return text }
        var scalars = String.UnicodeScalarView()
        for scalar in text.unicodeScalars { scalars.append(isControl(scalar) ? " " : scalar) }
        return String(scalars)
    }

    /// Controls, line and paragraph separators, and what XML 1.0 §2.2 excludes.
    static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0x20, 0x7F..<0xA0, 0x2028, 0x2029, 0xFFFE, 0xFFFF: true
        default: false
        }
    }

    private static func check(_ addresses: [Address], _ bounds: ClosedRange<Int>) throws(PluginError) {
        guard bounds.contains(addresses.count) else {
            throw PluginError(.invalid, "\(addresses.count) addresses where 1 to \(bounds.upperBound) are allowed")
        }
    }

    private static func unique(_ addresses: [Address]) -> [Address] {
        var seen: Set<Address> = []
        return addresses.filter { seen.insert($0).inserted }
    }
}
