/// One of a user's rules.
struct Rule {
    enum Action {
        case file(folder: Bytes, seen: Bool, flagged: Bool)
        case discard
        case redirect([Bytes])
    }

    private var name: Bytes = []
    /// In lower case, as what they are compared with.
    private var fromContains: Bytes?
    private var subjectContains: Bytes?
    private var toIs: Bytes?
    /// Octets.
    private var above: Int64?
    private(set) var action = Action.discard

    func fits(_ message: Message) -> Bool {
        if let fromContains, !message.from.lowercased.contains(fromContains) { return false }
        if let subjectContains, !(message.subject ?? []).lowercased.contains(subjectContains) { return false }
        if let above, message.size <= above { return false }
        guard let toIs else { return true }
        for address in message.to where address.lowercased == toIs { return true }
        for address in message.cc where address.lowercased == toIs { return true }
        return false
    }
}

// MARK: - XML

extension Rule {
    init(_ element: XMLElement) throws(Fault) {
        name = (element.attribute("name") ?? []).trimmed
        guard name.count <= 100 else { throw Fault("a rule's name has more than 100 octets") }
        var actions = 0
        var conditions = 0
        for child in element.children {
            guard child.namespace == element.namespace else { throw unknown(child) }
            switch child.name {
            case "From": fromContains = try Self.value(child, "contains").lowercased
            case "Subject": subjectContains = try Self.value(child, "contains").lowercased
            case "To": toIs = try Self.value(child, "is").lowercased
            case "Size":
                guard let number = try Self.value(child, "above").number, number >= 0 else { throw Fault("Size above is no number") }
                above = number
            case "File", "Discard", "Redirect":
                actions += 1
                action = try Self.action(child)
                continue
            default: throw unknown(child)
            }
            conditions += 1
        }
        guard conditions > 0 else { throw Fault(join("rule \"", name, "\" has no condition")) }
        guard actions == 1 else { throw Fault(join("rule \"", name, "\" needs exactly one of File, Discard, Redirect")) }
    }

    static func xml(_ rules: [Rule], _ namespace: Bytes) -> Bytes {
        var xml = join("<Rules xmlns=\"", XML.escape(namespace), "\">")
        for rule in rules {
            xml += join("<Rule name=\"", XML.escape(rule.name), "\">")
            if let value = rule.fromContains { xml += empty("From", "contains", value) }
            if let value = rule.subjectContains { xml += empty("Subject", "contains", value) }
            if let value = rule.toIs { xml += empty("To", "is", value) }
            if let value = rule.above { xml += empty("Size", "above", Bytes(decimal: value)) }
            switch rule.action {
            case .discard: xml += "<Discard></Discard>"
            case .redirect(let targets): xml += empty("Redirect", "to", joined(targets))
            case .file(let folder, let seen, let flagged):
                let flags = joined((seen ? ["seen"] : []) + (flagged ? ["flagged"] : []))
                xml += join("<File flags=\"", flags, "\" folder=\"", XML.escape(folder), "\"></File>")
            }
            xml += "</Rule>"
        }
        return join(xml, "</Rules>")
    }

    private func unknown(_ child: XMLElement) -> Fault { Fault(join("rule \"", name, "\" has an unknown element ", child.name)) }

    private static func action(_ element: XMLElement) throws(Fault) -> Action {
        switch element.name {
        case "Discard": return .discard
        case "File":
            let folder = try value(element, "folder")
            guard folder.count <= 100 else { throw Fault("a folder's name has more than 100 octets") }
            guard folder.isOneLine else { throw Fault("a folder's name has control characters") }
            let flags = (element.attribute("flags") ?? []).split(at: 0x20)
            for flag in flags where flag != "seen" && flag != "flagged" { throw Fault(join("there is no flag ", flag)) }
            return .file(folder: folder, seen: flags.contains("seen"), flagged: flags.contains("flagged"))
        default:
            var targets: [Bytes] = []
            for target in try value(element, "to").lowercased.split(at: 0x20) {
                guard target.isPlainAddress else { throw Fault(join(target, " is no address")) }
                if !targets.contains(target) { targets.append(target) }
            }
            guard targets.count <= 5 else { throw Fault("a rule redirects to at most 5 addresses") }
            return .redirect(targets)
        }
    }

    private static func value(_ element: XMLElement, _ attribute: Bytes) throws(Fault) -> Bytes {
        guard let value = element.attribute(attribute)?.trimmed, !value.isEmpty, value.count <= 300 else {
            throw Fault(join(element.name, " needs an attribute \"", attribute, "\" of at most 300 octets"))
        }
        return value
    }

    private static func empty(_ name: Bytes, _ attribute: Bytes, _ value: Bytes) -> Bytes {
        join("<", name, " ", attribute, "=\"", XML.escape(value), "\"></", name, ">")
    }

    private static func joined(_ parts: [Bytes]) -> Bytes {
        var joined: Bytes = []
        for part in parts {
            if !joined.isEmpty { joined.append(0x20) }
            joined += part
        }
        return joined
    }
}

// MARK: - Store

extension Rule {
    static func stored(for user: Bytes) -> [Rule] {
        guard let value = KeyValue.get(join("u:", user)) else { return [] }
        var rules: [Rule] = []
        for field in FrameReader.fields(of: value) { rules.append(Rule(frame: field.value)) }
        return rules
    }

    static func store(_ rules: [Rule], for user: Bytes) throws(Fault) {
        guard !rules.isEmpty else { return KeyValue.delete(join("u:", user)) }
        var frame = FrameWriter()
        for rule in rules { frame.add(1, rule.frame) }
        guard frame.octets.count <= 60_000 else { throw Fault("the rules are too long together") }
        KeyValue.set(join("u:", user), frame.octets)
    }

    private var frame: Bytes {
        var frame = FrameWriter()
        frame.add(1, name)
        if let fromContains { frame.add(2, fromContains) }
        if let subjectContains { frame.add(3, subjectContains) }
        if let toIs { frame.add(4, toIs) }
        if let above { frame.add(5, Bytes(decimal: above)) }
        switch action {
        case .discard: break
        case .file(let folder, let seen, let flagged):
            frame.add(6, folder)
            if seen { frame.add(7, "seen") }
            if flagged { frame.add(7, "flagged") }
        case .redirect(let targets): for target in targets { frame.add(8, target) }
        }
        return frame.octets
    }

    private init(frame: Bytes) {
        var folder: Bytes?
        var flags: [Bytes] = []
        var targets: [Bytes] = []
        for (tag, value) in FrameReader.fields(of: frame) {
            switch tag {
            case 1: name = value
            case 2: fromContains = value
            case 3: subjectContains = value
            case 4: toIs = value
            case 5: above = value.number
            case 6: folder = value
            case 7: flags.append(value)
            case 8: targets.append(value)
            default: break
            }
        }
        if let folder {
            action = .file(folder: folder, seen: flags.contains("seen"), flagged: flags.contains("flagged"))
        } else if !targets.isEmpty {
            action = .redirect(targets)
        }
    }
}
