import X509

/// An issuer name as text (RFC 4514 and the older spellings stacks still write), parsed so that escapes, spaces and
/// the order of writing do not matter.
struct DistinguishedNameText {
    struct Attribute: Hashable {
        /// Dotted decimal.
        let type: String
        let value: String
    }

    /// Relative names in the order of the text; each a set of attributes.
    let relativeNames: [Set<Attribute>]

    private static let maximumLength = 2048
    private static let types: [String: String] = [
        "CN": "2.5.4.3", "SN": "2.5.4.4", "SERIALNUMBER": "2.5.4.5", "C": "2.5.4.6", "L": "2.5.4.7", "ST": "2.5.4.8",
        "S": "2.5.4.8", "STREET": "2.5.4.9", "O": "2.5.4.10", "OU": "2.5.4.11", "T": "2.5.4.12", "TITLE": "2.5.4.12",
        "POSTALCODE": "2.5.4.17", "G": "2.5.4.42", "GN": "2.5.4.42", "UID": "0.9.2342.19200300.100.1.1",
        "DC": "0.9.2342.19200300.100.1.25", "E": "1.2.840.113549.1.9.1", "EMAIL": "1.2.840.113549.1.9.1",
        "EMAILADDRESS": "1.2.840.113549.1.9.1",
    ]

    /// Nil if malformed, too long, of an unknown attribute type, or with a `#hex` value (nobody sends them).
    init?(parsing text: String) {
        guard text.utf8.count <= Self.maximumLength else { return nil }
        var parser = Parser(characters: Array(text.unicodeScalars)[...])
        var names: [Set<Attribute>] = []
        var current: Set<Attribute> = []
        repeat {
            guard let attribute = parser.attribute() else { return nil }
            current.insert(attribute)
            if parser.take("+") { continue }
            names.append(current)
            current = []
            if !parser.take(",") && !parser.take(";") { break }
        } while true
        guard parser.isAtEnd else { return nil }
        relativeNames = names
    }

    /// RFC 4514 writes the last relative name first; some stacks write in the certificate's order.
    func matches(_ name: DistinguishedName) -> Bool {
        var actual: [Set<Attribute>] = []
        for relative in name {
            var attributes: Set<Attribute> = []
            for attribute in relative {
                guard let value = String(attribute.value) else { return false }
                attributes.insert(Attribute(type: attribute.type.description, value: Self.collapsed(value)))
            }
            actual.append(attributes)
        }
        return actual == relativeNames.reversed() || actual == relativeNames
    }

    private static func collapsed(_ value: String) -> String {
        value.split(separator: " ", omittingEmptySubsequences: true).joined(separator: " ")
    }

    private struct Parser {
        var characters: ArraySlice<Unicode.Scalar>

        var isAtEnd: Bool { characters.isEmpty }

        mutating func take(_ character: Unicode.Scalar) -> Bool {
            skipSpace()
            guard characters.first == character else { return false }
            characters.removeFirst()
            return true
        }

        mutating func skipSpace() {
            while let first = characters.first, first == " " || first == "\n" || first == "\r" || first == "\t" {
                characters.removeFirst()
            }
        }

        mutating func attribute() -> Attribute? {
            skipSpace()
            let name = characters.prefix { $0 != "=" }
            var key = String(String.UnicodeScalarView(name)).uppercased()
            while key.last == " " { key.removeLast() }
            characters.removeFirst(name.count)
            if key.hasPrefix("OID.") { key.removeFirst(4) }
            let isOID = key.contains(".") && key.unicodeScalars.allSatisfy { $0 == "." || ("0"..."9").contains($0) }
            guard take("="), let type = isOID ? key : types[key] else { return nil }
            skipSpace()
            guard characters.first != "#", let value = characters.first == "\"" ? quoted() : plain() else { return nil }
            return Attribute(type: type, value: collapsed(value))
        }

        mutating func quoted() -> String? {
            characters.removeFirst()
            var bytes: [UInt8] = []
            while let character = characters.popFirst() {
                if character == "\"" { return String(decoding: bytes, as: UTF8.self) }
                guard append(character, to: &bytes) else { return nil }
            }
            return nil
        }

        mutating func plain() -> String? {
            var bytes: [UInt8] = []
            while let character = characters.first, character != ",", character != "+", character != ";" {
                characters.removeFirst()
                guard character != "\"", append(character, to: &bytes) else { return nil }
            }
            return String(decoding: bytes, as: UTF8.self)
        }

        /// One character, or what an escape stands for: `\,` or `\C3\A9`.
        mutating func append(_ character: Unicode.Scalar, to bytes: inout [UInt8]) -> Bool {
            guard character == "\\" else {
                bytes.append(contentsOf: String(character).utf8)
                return true
            }
            guard let next = characters.popFirst() else { return false }
            guard let high = Self.hex(next) else {
                bytes.append(contentsOf: String(next).utf8)
                return true
            }
            guard let low = characters.popFirst().flatMap(Self.hex) else { return false }
            bytes.append(high << 4 | low)
            return true
        }

        static func hex(_ character: Unicode.Scalar) -> UInt8? {
            switch character {
            case "0"..."9": UInt8(character.value - 0x30)
            case "a"..."f": UInt8(character.value - 0x61 + 10)
            case "A"..."F": UInt8(character.value - 0x41 + 10)
            default: nil
            }
        }
    }
}
