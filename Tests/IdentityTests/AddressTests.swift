import Foundation
import Testing

@testable import Identity

@Suite struct AddressTests {
    @Test(arguments: [
        ("Bob@Example.ORG", "bob@example.org"),
        ("first.last+tag@x.test", "first.last+tag@x.test"),
        ("!#$%&'*+-/=?^_`{|}~@x.test", "!#$%&'*+-/=?^_`{|}~@x.test"),
        ("Jürgen@Bücher.example", "jürgen@xn--bcher-kva.example"),
        ("JU\u{308}RGEN@x.test", "jürgen@x.test"),
        ("用户@例え.テスト", "用户@xn--r8jz45g.xn--zckzah"),
    ])
    func canonicalForm(text: String, expected: String) throws {
        let address = try Address(text)
        #expect(Normalization.sameScalars(address.description, expected))
        #expect(try Address(address.description) == address)
        #expect(try Address(address.unicode) == address)
    }

    @Test(arguments: [
        "", "bob", "@x.test", "bob@", "a@b@x.test", "\"quoted\"@x.test", "a b@x.test", ".a@x.test", "a.@x.test",
        "a..b@x.test", "a(c)@x.test", "a,b@x.test", "a\\b@x.test", "a\r\nb@x.test", "a\u{0}@x.test", "<a@x.test>",
        "a\u{200B}@x.test", "a\u{202E}b@x.test", "😀@x.test", "ａ@x.test", "\u{308}a@x.test", "a.\u{308}b@x.test",
        "a@x.test ", " a@x.test", "a;b@x.test", "a:b@x.test", "ﬁ@x.test",
    ])
    func refused(text: String) throws {
        do {
            _ = try Address(text)
            Issue.record("accepted \(text.debugDescription)")
        } catch {
            #expect(error.code == .invalidAddress || error.code == .invalidDomain)
            #expect(!error.reason.isEmpty)
        }
    }

    @Test func quotedStringsHaveAReason() async {
        let error = await expect(.invalidAddress) { try Address("\"a b\"@x.test") }
        #expect(error?.reason == "quoted local parts are not supported")
    }

    @Test func lengthLimits() throws {
        let local = String(repeating: "a", count: 64)
        _ = try Address(local + "@x.test")
        expectCode(.invalidAddress) { try Address(local + "a@x.test") }
        expectCode(.invalidAddress) { try Address(String(repeating: "ü", count: 33) + "@x.test") }
        let label = String(repeating: "b", count: 63)
        let domain = [label, label, String(repeating: "c", count: 61)].joined(separator: ".")
        #expect(try Address(local + "@" + domain).description.utf8.count == 254)
        expectCode(.invalidAddress) { try Address(local + "@" + domain + "c") }
        expectCode(.invalidAddress) { try Address(String(repeating: "a", count: 10_000_000) + "@x.test") }
    }

    @Test func oneSpellingIsOnePerson() throws {
        #expect(Set([try Address("BOB@x.test"), try Address("bob@X.TEST")]).count == 1)
        #expect(try Address("b@a.test") < Address("a@b.test"))
        let data = try JSONEncoder().encode(["k": try Address("bob@x.test")])
        #expect(String(decoding: data, as: UTF8.self) == #"{"k":"bob@x.test"}"#)
    }
}
