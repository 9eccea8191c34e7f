/// One domain label: from what a person types to the A-label on the wire, and back for display.
enum IDNALabel {
    static let prefix = "xn--"
    /// RFC 1035 §2.3.4, in octets of the A-label.
    static let maximumLength = 63

    /// The canonical lower-case A-label (or plain LDH label) of `label`; a fault in words if there is none.
    static func canonical(_ label: String) throws(IdentityError) -> String {
        guard !label.isEmpty else { throw fault(label, "is empty") }
        // Before any Unicode work: four octets per scalar is the most a 63-octet A-label could have stood for.
        guard label.utf8.count <= maximumLength * 4 else { throw fault("…", "is too long") }
        let result: String
        if label.utf8.allSatisfy({ $0 < 0x80 }) {
            result = try canonicalASCII(label.lowercased())
        } else {
            let folded = Normalization.nfcLowercased(label)
            try checkUnicode(folded)
            guard let encoded = Punycode.encode(Array(folded.unicodeScalars)) else {
                throw fault(label, "cannot be encoded")
            }
            result = prefix + String(decoding: encoded, as: UTF8.self)
        }
        guard result.utf8.count <= maximumLength else { throw fault(label, "is longer than 63 octets") }
        return result
    }

    /// The U-label for people; the A-label stays where showing it could mislead (mixed look-alike scripts).
    static func display(_ label: String) -> String {
        guard label.hasPrefix(prefix), let scalars = Punycode.decode(label.utf8.dropFirst(4)) else { return label }
        let scripts = Set(scalars.map(Script.init)).subtracting([.common])
        let lookalikes: Set<Script> = [.latin, .greek, .cyrillic, .armenian]
        guard scripts.intersection(lookalikes).count <= 1 else { return label }
        var view = String.UnicodeScalarView()
        view.append(contentsOf: scalars)
        return String(view)
    }

    static func isRightToLeft(_ label: String) -> Bool {
        guard label.hasPrefix(prefix), let scalars = Punycode.decode(label.utf8.dropFirst(4)) else { return false }
        return scalars.contains(where: CodePoints.isRightToLeft)
    }

    private static func canonicalASCII(_ label: String) throws(IdentityError) -> String {
        guard label.utf8.allSatisfy(isLDH) else {
            throw fault(label, "holds a character other than letters, digits and hyphens")
        }
        try checkHyphens(label)
        guard label.hasPrefix(prefix) else { return label }
        // RFC 5891 §5.4: an A-label must be the encoding of a valid U-label, and only that.
        guard let scalars = Punycode.decode(label.utf8.dropFirst(4)), scalars.contains(where: { !$0.isASCII }) else {
            throw fault(label, "is not valid punycode")
        }
        var view = String.UnicodeScalarView()
        view.append(contentsOf: scalars)
        let decoded = String(view)
        guard Normalization.sameScalars(Normalization.nfcLowercased(decoded), decoded) else {
            throw fault(label, "does not stand for a lower-case NFC label")
        }
        try checkUnicode(decoded)
        guard let again = Punycode.encode(scalars), label.utf8.dropFirst(4).elementsEqual(again) else {
            throw fault(label, "is not the shortest encoding of its label")
        }
        return label
    }

    private static func checkHyphens(_ label: String) throws(IdentityError) {
        let bytes = Array(label.utf8)
        guard bytes.first != UInt8(ascii: "-"), bytes.last != UInt8(ascii: "-") else {
            throw fault(label, "begins or ends with a hyphen")
        }
        // RFC 5891 §4.2.3.1: "--" in the third and fourth place is reserved.
        if bytes.count >= 4, bytes[2] == UInt8(ascii: "-"), bytes[3] == UInt8(ascii: "-"), !label.hasPrefix(prefix) {
            throw fault(label, "has \"--\" in the third and fourth place")
        }
    }

    private static func checkUnicode(_ label: String) throws(IdentityError) {
        try checkHyphens(label)
        guard !label.hasPrefix(prefix) else { throw fault(label, "mixes an A-label with other letters") }
        let scalars = Array(label.unicodeScalars)
        for scalar in scalars where !CodePoints.isValid(scalar) && !CodePoints.hasContextRule(scalar) {
            throw fault(label, "holds \(CodePoints.name(scalar)), which domain names may not")
        }
        if let first = scalars.first, CodePoints.isMark(first) {
            throw fault(label, "begins with a combining mark")  // RFC 5891 §4.2.3.2
        }
        if let reason = CodePoints.contextFault(in: scalars) { throw fault(label, reason) }
        try checkDirection(label, scalars)
    }

    /// A narrower rule than RFC 5893 §2: a right-to-left label holds right-to-left letters, marks, digits and inner
    /// hyphens only, and begins with a letter.
    private static func checkDirection(_ label: String, _ scalars: [Unicode.Scalar]) throws(IdentityError) {
        guard scalars.contains(where: CodePoints.isRightToLeft) else { return }
        let isNumber = { (scalar: Unicode.Scalar) in scalar.properties.generalCategory == .decimalNumber }
        let clean = scalars.allSatisfy {
            CodePoints.isRightToLeft($0) || CodePoints.isMark($0) || isNumber($0) || $0 == "-"
        }
        guard clean, let first = scalars.first, CodePoints.isRightToLeft(first), !isNumber(first) else {
            throw fault(label, "mixes writing directions")
        }
    }

    private static func isLDH(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"): true
        default: false
        }
    }

    private static func fault(_ label: String, _ reason: String) -> IdentityError {
        IdentityError(.invalidDomain, "the label \"\(label.prefix(80))\" \(reason)")
    }
}
