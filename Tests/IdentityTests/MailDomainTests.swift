import Foundation
import Testing

@testable import Identity

@Suite struct MailDomainTests {
    @Test(arguments: [
        ("Example.ORG", "example.org"),
        ("a-b.c1.test", "a-b.c1.test"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("BÜCHER.example", "xn--bcher-kva.example"),
        ("bu\u{308}cher.example", "xn--bcher-kva.example"),
        ("XN--BCHER-KVA.example", "xn--bcher-kva.example"),
        ("faß.de", "xn--fa-hia.de"),
        ("例え.テスト", "xn--r8jz45g.xn--zckzah"),
        ("президент.рф", "xn--d1abbgf6aiiy.xn--p1ai"),
        ("مثال.إختبار", "xn--mgbh0fb.xn--kgbechtv"),
        ("דוגמה.טעסט", "xn--6dbbec0c.xn--deba0ad"),
        ("παράδειγμα.δοκιμή", "xn--hxajbheg2az3al.xn--jxalpdlp"),
        ("l·l.cat", "xn--ll-0ea.cat"),
        ("1a.2b.com", "1a.2b.com"),
    ])
    func canonicalForm(text: String, expected: String) throws {
        let domain = try MailDomain(text)
        #expect(domain.ascii == expected)
        #expect(try MailDomain(domain.ascii) == domain)
        #expect(try MailDomain(domain.unicode) == domain)
    }

    @Test(arguments: [
        "", ".", "org", "localhost", "example.org.", ".example.org", "a..b", "-a.org", "a-.org", "ab--c.org",
        "under_score.org", "a b.org", "a\u{0}.org", "a@b.org", "127.0.0.1", "1.2", "a.0x1f", "[::1]", "[1.2.3.4]",
        "example.org:25", "xn--.org", "xn--a.org", "xn--abc-.org", "xn--99999999.org", "xn--bcher-kva\u{308}.org", "xn---tda.org",
        "example\u{3002}org", "example\u{FF0E}org", "ｅxample.org", "😀.org", "♥.org", "a\u{200B}b.org", "a\u{200D}b.org",
        "a\u{202E}b.org", "\u{308}a.org", "a\u{2024}b.org", "xn--ls8h.org", "אa.org", "1א.org", "a·b.cat", "1a.אב.test",
        "a\u{E000}.org", "a/b.org", "xn--fa-hia\u{DF}.de", "xn--BcherX.org.", "x\u{2488}com.org",
    ])
    func refused(text: String) {
        expectCode(.invalidDomain) { try MailDomain(text) }
    }

    @Test func anUpperCaseLabelBehindPunycodeIsRefused() throws {
        // "Bücher" (capital B, capital Ü) as somebody else would encode it: not canonical, would be a second spelling.
        let encoded = try #require(Punycode.encode(Array("bÜcher".unicodeScalars)))
        expectCode(.invalidDomain) { try MailDomain("xn--" + String(decoding: encoded, as: UTF8.self) + ".example") }
        let decomposed = try #require(Punycode.encode(Array("bu\u{308}cher".unicodeScalars)))
        expectCode(.invalidDomain) { try MailDomain("xn--" + String(decoding: decomposed, as: UTF8.self) + ".example") }
    }

    @Test func lengthLimits() throws {
        let label = String(repeating: "a", count: 63)
        _ = try MailDomain(label + ".org")
        expectCode(.invalidDomain) { try MailDomain(label + "a.org") }
        let long = [label, label, label, String(repeating: "b", count: 61)].joined(separator: ".")
        #expect(try MailDomain(long).ascii.utf8.count == 253)
        expectCode(.invalidDomain) { try MailDomain(long + "b") }
        expectCode(.invalidDomain) { try MailDomain(String(repeating: "a.", count: 1_000_000) + "org") }
        expectCode(.invalidDomain) { try MailDomain(String(repeating: "ü", count: 60) + ".org") }
    }

    @Test func displayHidesMixedScripts() throws {
        #expect(try MailDomain("xn--bcher-kva.example").unicode == "bücher.example")
        // Latin with a Cyrillic а.
        let spoof = try MailDomain("p\u{430}ypal.com")
        #expect(spoof.unicode == spoof.ascii)
        #expect(spoof.ascii.hasPrefix("xn--"))
    }

    @Test func orderingContainmentAndCoding() throws {
        let (a, b) = (try MailDomain("a.org"), try MailDomain("sub.a.org"))
        #expect(a < b && b.isWithin(a) && !a.isWithin(b) && a.isWithin(a))
        #expect(try !MailDomain("xa.org").isWithin(a))
        let data = try JSONEncoder().encode([a])
        #expect(try JSONDecoder().decode([MailDomain].self, from: data) == [a])
        #expect(throws: (any Error).self) { try JSONDecoder().decode(MailDomain.self, from: Data("\"x\"".utf8)) }
    }

    /// Canonicalising twice changes nothing, for every letter there is; and lower and upper case end as one.
    @Test func canonicalisationIsIdempotent() {
        for value in UInt32(0x80)...0x2FFFF {
            guard let scalar = Unicode.Scalar(value), scalar.properties.isAlphabetic else { continue }
            let once = Normalization.nfcLowercased(String(scalar))
            let isValid = once.unicodeScalars.allSatisfy(CodePoints.isValid)
            guard isValid else { continue }
            #expect(Normalization.sameScalars(Normalization.nfcLowercased(once), once), "\(CodePoints.name(scalar))")
        }
    }

    /// RFC 3492 §7.1 samples.
    @Test(arguments: [
        ("ليهمابتكلموشعربي؟", "egbpdaj6bu4bxfgehfvwxn"),
        ("他们为什么不说中文", "ihqwcrb4cv8a8dqg056pqjye"),
        ("Pročprostěnemluvíčesky", "Proprostnemluvesky-uyb24dma41a"),
        ("3年B組金八先生", "3B-ww4c5e180e575a65lsy2b"),
        ("-> $1.00 <-", "-> $1.00 <--"),
    ])
    func punycodeSamples(text: String, encoded: String) throws {
        let scalars = Array(text.unicodeScalars)
        #expect(Punycode.encode(scalars).map { String(decoding: $0, as: UTF8.self) } == encoded)
        #expect(Punycode.decode(Array(encoded.utf8)) == scalars)
    }

    @Test func punycodeSurvivesRandomInput() {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<5000 {
            let count = Int.random(in: 0...40, using: &generator)
            let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
            if let scalars = Punycode.decode(bytes) { #expect(scalars.count <= count) }
            let letters = (0..<count).map { _ in Array("abz059-".utf8).randomElement(using: &generator) ?? 97 }
            _ = try? MailDomain("xn--" + String(decoding: letters, as: UTF8.self) + ".org")
        }
    }
}
