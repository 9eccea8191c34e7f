import Identity

/// What an extension answers.
public enum ExtensionVerdict: Sendable, Hashable {
    /// One XML element.
    case answer([UInt8])
    case refuse(PluginFault)
}

/// Verdicts as frames (docs/plugins.md, "ABI"): what `handle` answers.
///
/// Reading is strict, since a verdict that is half understood would do half of what its author meant: an unknown verdict, one
/// of another role, a field that is missing, repeated or of another verdict, and everything ``VerdictRules`` refuses throw
/// ``PluginError`` `.invalid` or `.limitExceeded`. Only tags without a meaning in this version are passed over.
public enum VerdictFrames {
    /// - Parameter octets: nil: proceed.
    public static func sending(_ octets: [UInt8]?) throws(PluginError) -> SendingVerdict {
        guard let octets else { return .proceed }
        switch try word(octets) {
        case .proceed:
            _ = try FrameReader(octets, allowed: [.verdict])
            return .proceed
        case .drop:
            let digests = try FrameReader(octets, allowed: [.verdict, .drop]).many(.drop)
            guard !digests.isEmpty else { throw PluginError(.invalid, "\"drop\" is missing") }
            return try VerdictRules.checked(.dropAttachments(Set(digests)))
        case .redirect: return try VerdictRules.checked(.redirect(try replacements(octets)))
        case .keep: return try VerdictRules.checked(.keep(try kept(octets)))
        case .refuse:
            let fault = try fault(octets)
            return .refuse(reason: fault.reason, isTransient: fault.isTransient)
        case let other: throw wrong(other, .sending)
        }
    }

    /// - Parameter octets: nil: proceed.
    public static func delivery(_ octets: [UInt8]?) throws(PluginError) -> DeliveryVerdict {
        guard let octets else { return .proceed }
        let verdict: DeliveryVerdict
        switch try word(octets) {
        case .proceed:
            _ = try FrameReader(octets, allowed: [.verdict])
            verdict = .proceed
        case .file: verdict = try file(octets)
        case .consume:
            _ = try FrameReader(octets, allowed: [.verdict])
            verdict = .consume
        case .redirect: verdict = .redirect(try FrameReader(octets, allowed: [.verdict, .target]).addresses(.target))
        case .refuse: verdict = .refuse(reason: try FrameReader(octets, allowed: [.verdict, .reason]).text(.reason))
        case .later:
            let reader = try FrameReader(octets, allowed: [.verdict, .seconds, .reason])
            verdict = .later(seconds: try reader.number(.seconds), reason: try reader.text(.reason))
        case let other: throw wrong(other, .delivery)
        }
        return try VerdictRules.checked(verdict)
    }

    /// - Parameter octets: nil throws: an extension always answers.
    public static func answer(_ octets: [UInt8]?) throws(PluginError) -> ExtensionVerdict {
        guard let octets else { throw PluginError(.invalid, "an extension must answer something") }
        switch try word(octets) {
        case .answer: return .answer(try FrameReader(octets, allowed: [.verdict, .answerXML]).one(.answerXML))
        case .refuse: return .refuse(try fault(octets))
        case let other: throw wrong(other, .extension)
        }
    }

    /// - Parameter octets: nil: not known.
    public static func resolved(_ octets: [UInt8]?) throws(PluginError) -> [Address]? {
        guard let octets else { return nil }
        switch try word(octets) {
        case .unknown:
            _ = try FrameReader(octets, allowed: [.verdict])
            return nil
        case .resolved:
            return try VerdictRules.checked(resolved: FrameReader(octets, allowed: [.verdict, .target]).addresses(.target))
        case let other: throw wrong(other, .resolver)
        }
    }

    enum Word: String {
        case proceed, drop, redirect, keep, refuse, file, consume, later, answer, resolved, unknown
    }

    private static func word(_ octets: [UInt8]) throws(PluginError) -> Word {
        let text = try FrameReader(octets).text(.verdict)
        guard let word = Word(rawValue: text) else { throw PluginError(.invalid, "\"\(text.prefix(40))\" is no verdict") }
        return word
    }

    private static func wrong(_ word: Word, _ role: PluginRole) -> PluginError {
        PluginError(.invalid, "\"\(word.rawValue)\" is no verdict of the role \(role.rawValue)")
    }

    private static func fault(_ octets: [UInt8]) throws(PluginError) -> PluginFault {
        let reader = try FrameReader(octets, allowed: [.verdict, .reason, .transient])
        let transient = try reader.optionalText(.transient) ?? "no"
        guard transient == "yes" || transient == "no" else { throw PluginError(.invalid, "\"transient\" is yes or no") }
        return PluginFault(try VerdictRules.checked(reason: reader.text(.reason)), isTransient: transient == "yes")
    }

    private static func file(_ octets: [UInt8]) throws(PluginError) -> DeliveryVerdict {
        let reader = try FrameReader(octets, allowed: [.verdict, .folder, .flag])
        var flags: Set<DeliveryFlag> = []
        for text in try reader.texts(.flag) {
            guard let flag = DeliveryFlag(rawValue: text) else { throw PluginError(.invalid, "\"\(text.prefix(40))\" is no flag") }
            flags.insert(flag)
        }
        return .file(folder: try reader.text(.folder), flags: flags)
    }

    private static func kept(_ octets: [UInt8]) throws(PluginError) -> [[UInt8]: String] {
        var guids: [[UInt8]: String] = [:]
        for octets in try FrameReader(octets, allowed: [.verdict, .keep]).many(.keep) {
            let field = try FrameReader(octets, allowed: [.sha256, .name])
            guard guids.updateValue(try field.text(.name), forKey: try field.one(.sha256)) == nil else {
                throw PluginError(.invalid, "a file is kept twice")
            }
        }
        guard !guids.isEmpty else { throw PluginError(.invalid, "\"keep\" is missing") }
        return guids
    }

    private static func replacements(_ octets: [UInt8]) throws(PluginError) -> [Address: [Address]] {
        var replacements: [Address: [Address]] = [:]
        for octets in try FrameReader(octets, allowed: [.verdict, .replacement]).many(.replacement) {
            let field = try FrameReader(octets, allowed: [.recipient, .target])
            let recipient = try field.address(.recipient)
            guard replacements.updateValue(try field.addresses(.target), forKey: recipient) == nil else {
                throw PluginError(.invalid, "\(recipient) is replaced twice")
            }
        }
        guard !replacements.isEmpty else { throw PluginError(.invalid, "\"replacement\" is missing") }
        return replacements
    }
}
