import Foundation

/// Names that others gave to files, made fit for a folder of ours.
public enum SafeFileName {
    /// UTF-8 octets: with `.part.json` behind it, it stays below the 255 that file systems take.
    static let maximum = 200

    /// A name without path, without what would hide the file, look like an option, or mislead who reads it. Never empty.
    public static func make(_ name: String) -> String {
        var scalars = String.UnicodeScalarView()
        for scalar in name.precomposedStringWithCanonicalMapping.unicodeScalars {
            if "/\\:*?\"<>|".unicodeScalars.contains(scalar) {
                scalars.append("_")
            } else if scalar.properties.isWhitespace {
                scalars.append(" ")
            } else if !isInvisible(scalar) {
                scalars.append(scalar)
            }
        }
        // By scalars: a mark behind a dot makes another Character of it, and no other file name.
        var text = scalars.drop { $0 == "." || $0 == " " }
        while let last = text.last, last == "." || last == " " { text.removeLast() }
        var result = String(text)
        if let first = text.first, first == "-" || first == "~" { result = "_" + String(text.dropFirst()) }
        result = shortened(result)
        if result.isEmpty { return "attachment" }
        return isDevice(result) ? "_" + result : result
    }

    /// Names for several files in one folder: the second `a.pdf` becomes `a (2).pdf`. Also where only the case differs.
    static func distinct(_ names: [String]) -> [String] {
        var taken: Set<String> = []
        return names.map { name in
            let safe = make(name)
            var candidate = safe
            var number = 2
            while !taken.insert(candidate.lowercased()).inserted {
                let (stem, end) = parts(safe)
                candidate = "\(stem) (\(number))\(end)"
                number += 1
            }
            return candidate
        }
    }

    /// Control, format and unassigned characters, among them all that turn the direction of writing.
    private static func isInvisible(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator: true
        default: false
        }
    }

    private static func parts(_ name: String) -> (stem: String, end: String) {
        guard let dot = name.lastIndex(of: "."), dot != name.startIndex, name[dot...].utf8.count <= 20 else { return (name, "") }
        return (String(name[..<dot]), String(name[dot...]))
    }

    private static func shortened(_ name: String) -> String {
        guard name.utf8.count > maximum else { return name }
        let (stem, end) = parts(name)
        var short = stem
        while short.utf8.count + end.utf8.count > maximum, !short.isEmpty { short.removeLast() }
        return short + end
    }

    /// What Windows takes for devices, with whatever end: such a file could not be copied there.
    private static func isDevice(_ name: String) -> Bool {
        let stem = name.prefix { $0 != "." }.uppercased()
        if ["CON", "PRN", "AUX", "NUL"].contains(stem) { return true }
        return stem.count == 4 && (stem.hasPrefix("COM") || stem.hasPrefix("LPT")) && stem.last?.isNumber == true
    }
}
