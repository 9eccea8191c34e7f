import Foundation

/// The one place that uses Foundation for more than dates and bytes: the standard library has no public NFC.
enum Normalization {
    /// Unicode normalisation form C; ASCII is returned as it is.
    static func nfc(_ string: String) -> String {
        string.utf8.allSatisfy { $0 < 0x80 } ? string : string.precomposedStringWithCanonicalMapping
    }

    /// NFC of the lower-cased NFC form: one spelling for names that differ in case only.
    static func nfcLowercased(_ string: String) -> String {
        nfc(nfc(string).lowercased())
    }

    /// `==` on `String` compares canonical equivalents as equal; this compares what is really there.
    static func sameScalars(_ one: String, _ other: String) -> Bool {
        one.utf8.elementsEqual(other.utf8)
    }
}
