import Foundation
import Testing

@testable import Identity

@Suite struct FingerprintTests {
    @Test func showsAndReads() throws {
        let fingerprint = Fingerprint(of: Array("abc".utf8))
        let text = fingerprint.description
        #expect(text.hasPrefix("SHA256:BA:78:16:BF:"))
        #expect(try Fingerprint(text) == fingerprint)
        let bare = String(text.dropFirst(7))
        for spelling in [
            bare, bare.lowercased(), bare.replacingOccurrences(of: ":", with: ""), "  " + text + "\n",
            bare.replacingOccurrences(of: ":", with: " "), "sha256 Fingerprint=" + bare,
        ] {
            #expect(try Fingerprint(spelling) == fingerprint)
        }
    }

    @Test(arguments: ["", "SHA256:", "SHA256:AB", "zz", String(repeating: "A", count: 65), "SHA1:AB:CD"])
    func refused(text: String) {
        expectCode(.invalidFingerprint) { try Fingerprint(text) }
    }
}

@Suite struct MessageIDTests {
    @Test func randomOnesAreCanonicalAndDiffer() throws {
        let ids = Set((0..<1000).map { _ in MessageID.random() })
        #expect(ids.count == 1000)
        for id in ids.prefix(20) {
            #expect(try MessageID(id.urn) == id)
            #expect(id.urn.utf8.count == 45)
            let digits = Array(id.urn)
            #expect(digits[9 + 14] == "4" && "89ab".contains(digits[9 + 19]))
        }
    }

    @Test func upperCaseIsCanonicalised() throws {
        let id = try MessageID("URN:UUID:0123ABCD-0123-0123-0123-0123456789AB")
        #expect(id.urn == "urn:uuid:0123abcd-0123-0123-0123-0123456789ab")
    }

    @Test(arguments: [
        "", "urn:uuid:", "0123abcd-0123-0123-0123-0123456789ab", "urn:uuid:0123abcd-0123-0123-0123-0123456789a",
        "urn:uuid:0123abcd-0123-0123-0123-0123456789ag", "urn:uuid:0123abcd00123-0123-0123-0123456789ab",
        "urn:uuid:0123abcd-0123-0123-0123-0123456789ab ", "urn\u{1A}uuid:0123abcd-0123-0123-0123-0123456789ab",
        "urn:uuid:{123abcd-0123-0123-0123-0123456789a}",
    ])
    func refused(text: String) {
        expectCode(.invalidIdentifier) { try MessageID(text) }
    }

    @Test func tokens() {
        #expect(RandomID.hex(16).utf8.count == 32)
        #expect(RandomID.bytes(0).isEmpty && RandomID.bytes(7).count == 7)
        #expect(Hex.decode("00fF10".utf8) == [0, 255, 16])
        #expect(Hex.decode("0".utf8) == nil && Hex.decode("0g".utf8) == nil)
    }
}

@Suite struct UTCSecondsTests {
    @Test(arguments: [
        (0.0, "1970-01-01T00:00:00Z"), (951_782_399, "2000-02-28T23:59:59Z"), (951_868_799, "2000-02-29T23:59:59Z"),
        (1_780_315_200, "2026-06-01T12:00:00Z"), (4_107_542_400, "2100-03-01T00:00:00Z"),
    ])
    func bothWays(seconds: Double, text: String) {
        #expect(UTCSeconds.format(Date(timeIntervalSince1970: seconds)) == text)
        #expect(UTCSeconds.parse(text) == Date(timeIntervalSince1970: seconds))
    }

    @Test(arguments: [
        "", "2026-06-01", "2026-06-01T12:00:00", "2026-06-01T12:00:00.0Z", "2026-13-01T12:00:00Z",
        "2026-02-29T12:00:00Z", "2026-06-01T24:00:00Z", "2026-06-01T12:60:00Z", "2026-06-01 12:00:00Z",
        "2026-06-01T12:00:60Z", "0000-00-00T00:00:00Z", "-026-06-01T12:00:00Z",
    ])
    func refused(text: String) { #expect(UTCSeconds.parse(text) == nil) }
}
