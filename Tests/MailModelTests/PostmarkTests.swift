import Foundation
import Identity
import SOAP
import TestSupport
import Testing
import XMLCore
import XMLSecurity

@testable import MailModel

@Suite struct PostmarkTests {
    private let fixture: Fixture

    init() throws { fixture = try Fixture() }

    private func isBelieved(_ postmark: SealedPostmark, for message: SealedMessage) async -> Bool {
        (try? await postmark.verify(for: message, keys: fixture.keys)) != nil
    }

    @Test func aGoodPostmarkIsBelieved() async throws {
        let message = try fixture.message()
        let postmark = try fixture.postmark(message)
        #expect(await isBelieved(postmark, for: message))
        #expect(try SealedPostmark(octets: postmark.octets).postmark == postmark.postmark)
    }

    @Test func itIsAboutOneMessageOnly() async throws {
        let message = try fixture.message()
        let postmark = try fixture.postmark(message)
        #expect(await isBelieved(postmark, for: try fixture.message()) == false)
        var changed = message.message
        changed.text += "!"
        #expect(await isBelieved(postmark, for: try SealedMessage(changed)) == false)
    }

    @Test func aDomainVouchesForItsOwnAuthorsOnly() async throws {
        let message = try fixture.message()
        let byScopio = try fixture.postmark(message, by: Fixture.signer(fixture.scopio))
        #expect(await isBelieved(byScopio, for: message) == false)
        let stranger = try fixture.postmark(message, sender: try Address("carol@capicom.test"))
        #expect(await isBelieved(stranger, for: message) == false)
    }

    @Test func aKeyOfOneDomainNeverSignsForAnother() async throws {
        let message = try fixture.message()
        let forged = try fixture.postmark(message, by: Fixture.signer(fixture.scopio, for: fixture.capicom.domain))
        #expect(forged.postmark.domain == fixture.capicom.domain)
        #expect(await isBelieved(forged, for: message) == false)
    }

    @Test func recipientsAreOfTheDestination() async throws {
        let message = try fixture.message()
        let postmark = try fixture.postmark(message, recipients: [fixture.bob, fixture.alice])
        #expect(await isBelieved(postmark, for: message) == false)
    }

    @Test(arguments: [
        ("bob@scopio", "eve@scopio"), ("<Hops>0", "<Hops>1"), ("<Destination>scopio", "<Destination>sc0pio"),
        ("method=\"password\"", "method=\"x509\""), ("<Time>2027", "<Time>2026"),
        ("method=\"password\"", "method=\"plugin\""),
        ("<Hops>", "<Removed by=\"org.example.x/y\" sha256=\"\(PostmarkTests.digest)\">x</Removed><Hops>"),
        ("<Recipient>", "<Recipient>eve@scopio.test</Recipient><Recipient>"),
    ])
    func anyChangeBreaksIt(old: String, new: String) async throws {
        let message = try fixture.message()
        let text = String(decoding: try fixture.postmark(message).octets, as: UTF8.self)
        #expect(text.contains(old))
        let changed = try SealedPostmark(octets: Array(text.replacingOccurrences(of: old, with: new).utf8))
        #expect(await isBelieved(changed, for: message) == false)
    }

    fileprivate static let digest = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

    @Test func whatAPlugInDidSurvivesTheWire() async throws {
        let message = try fixture.message()
        let removed = [
            Postmark.Removed(name: "a <b> \"c\".exe", digest: [UInt8](repeating: 1, count: 32), plugin: "org.example.policy/attachments"),
            Postmark.Removed(name: "", digest: [UInt8](repeating: 2, count: 32), plugin: "org.example.policy/attachments"),
        ]
        let postmark = try fixture.postmark(message) { postmark in
            postmark.method = .plugin
            postmark.hops = 2
            postmark.removed = removed
        }
        let read = try SealedPostmark(octets: postmark.octets).postmark
        #expect(read.method == .plugin && read.hops == 2 && read.removed == removed)
        #expect(await isBelieved(postmark, for: message))
    }

    @Test(arguments: [
        "<Removed>x</Removed>", "<Removed sha256=\"\(PostmarkTests.digest)\">x</Removed>", "<Removed by=\"a.b/c\">x</Removed>",
        "<Removed by=\"\" sha256=\"\(PostmarkTests.digest)\">x</Removed>", "<Removed by=\"a.b/c\" sha256=\"AAAA\">x</Removed>",
        "<Removed by=\"a.b/c\" sha256=\"x\">x</Removed>", "<Removed by=\"a.b/c\" sha256=\"\(PostmarkTests.digest)\" why=\"x\">x</Removed>",
        "<Removed by=\"a.b/c\" sha256=\"\(PostmarkTests.digest)\"><b/></Removed>",
        "<Removed by=\"\(String(repeating: "x", count: 201))\" sha256=\"\(PostmarkTests.digest)\">x</Removed>",
        String(repeating: "<Removed by=\"a.b/c\" sha256=\"\(PostmarkTests.digest)\">x</Removed>", count: 65),
    ])
    func aRemovedFileIsNamedInFullOrRefused(_ removed: String) throws {
        let text = String(decoding: try fixture.postmark(fixture.message()).octets, as: UTF8.self)
        let altered = text.replacingOccurrences(of: "<Certificate>", with: removed + "<Certificate>")
        #expect(throws: MailModelError.self) { try SealedPostmark(octets: Array(altered.utf8)) }
        let good = String(repeating: "<Removed by=\"a.b/c\" sha256=\"\(PostmarkTests.digest)\">x</Removed>", count: 64)
        let many = text.replacingOccurrences(of: "<Certificate>", with: good + "<Certificate>")
        #expect(try SealedPostmark(octets: Array(many.utf8)).postmark.removed.count == 64)
    }

    @Test(arguments: ["", "session", "Plugin", "plugin "])
    func anUnknownMethodIsRefused(_ method: String) throws {
        let text = String(decoding: try fixture.postmark(fixture.message()).octets, as: UTF8.self)
        let altered = text.replacingOccurrences(of: "method=\"password\"", with: "method=\"\(method)\"")
        #expect(throws: MailModelError.self) { try SealedPostmark(octets: Array(altered.utf8)) }
    }

    @Test func withoutSignatureItIsNothing() async throws {
        let message = try fixture.message()
        var text = String(decoding: try fixture.postmark(message).octets, as: UTF8.self)
        let start = try #require(text.range(of: "<ds:Signature "))
        let end = try #require(text.range(of: "</ds:Signature>"))
        let signature = String(text[start.lowerBound..<end.upperBound])
        let twice = text.replacingOccurrences(of: signature, with: signature + signature)
        text.removeSubrange(start.lowerBound..<end.upperBound)
        #expect(await isBelieved(try SealedPostmark(octets: Array(text.utf8)), for: message) == false)
        #expect(await isBelieved(try SealedPostmark(octets: Array(twice.utf8)), for: message) == false)
    }

    /// A signed Postmark wrapped in a false one: the reference would still find its id.
    @Test func wrappingIsRefused() throws {
        let message = try fixture.message()
        let good = String(decoding: try fixture.postmark(message).octets, as: UTF8.self)
        let evil = good.replacingOccurrences(of: "bob@scopio", with: "eve@scopio")
            .replacingOccurrences(of: "</Postmark>", with: good + "</Postmark>")
        #expect(throws: MailModelError.self) { try SealedPostmark(octets: Array(evil.utf8)) }
    }

    @Test(arguments: ["<Hops>-1", "<Hops>x", "<Hops>99999999999999999999"])
    func hopsAreANumber(hops: String) throws {
        let text = String(decoding: try fixture.postmark(fixture.message()).octets, as: UTF8.self)
        #expect(throws: MailModelError.self) {
            try SealedPostmark(octets: Array(text.replacingOccurrences(of: "<Hops>0", with: hops).utf8))
        }
    }

    @Test func recipientsHaveALimit() throws {
        let message = try fixture.message()
        let many = try (0...1_000).map { try Address("u\($0)@scopio.test") }
        #expect(try fixture.postmark(message, recipients: Array(many.dropLast())).postmark.recipients.count == 1_000)
        #expect(throws: MailModelError.self) { try fixture.postmark(message, recipients: many) }
        #expect(throws: MailModelError.self) { try fixture.postmark(message, recipients: []) }
    }
}

@Suite struct ReceiptTests {
    private let fixture: Fixture

    init() throws { fixture = try Fixture() }

    private func isBelieved(_ receipt: SealedReceipt) async -> Bool {
        (try? await receipt.verify(keys: fixture.keys)) != nil
    }

    @Test func aGoodReceiptIsBelieved() async throws {
        let receipt = try fixture.receipt(
            fixture.message(), by: Fixture.signer(fixture.scopio), recipients: [RecipientStatus(fixture.bob, .delivered)])
        #expect(await isBelieved(receipt))
        #expect(try SealedReceipt(octets: receipt.octets).receipt == receipt.receipt)
    }

    @Test(arguments: [RecipientStatus.State.delivered, .read])
    func aDomainSpeaksForItsOwnMailboxesOnly(state: RecipientStatus.State) async throws {
        let receipt = try fixture.receipt(
            fixture.message(), by: Fixture.signer(fixture.capicom), recipients: [RecipientStatus(fixture.bob, state)])
        #expect(await isBelieved(receipt) == false)
    }

    @Test func aKeyOfOneDomainNeverSignsForAnother() async throws {
        let receipt = try fixture.receipt(
            fixture.message(), by: Fixture.signer(fixture.capicom, for: fixture.scopio.domain),
            recipients: [RecipientStatus(fixture.bob, .delivered)])
        #expect(await isBelieved(receipt) == false)
    }

    @Test(arguments: [
        ("status=\"refused\"", "status=\"delivered\""), ("bob@scopio", "eve@scopio"), ("<For>capicom", "<For>c4picom"),
        ("<Time>2027", "<Time>2026"),
    ])
    func anyChangeBreaksIt(old: String, new: String) async throws {
        let receipt = try fixture.receipt(
            fixture.message(), by: Fixture.signer(fixture.scopio), recipients: [RecipientStatus(fixture.bob, .refused)])
        let text = String(decoding: receipt.octets, as: UTF8.self)
        #expect(text.contains(old))
        let changed = try SealedReceipt(octets: Array(text.replacingOccurrences(of: old, with: new).utf8))
        #expect(await isBelieved(changed) == false)
    }

    @Test func itNamesARecipientAtLeast() throws {
        #expect(throws: MailModelError.self) {
            try fixture.receipt(fixture.message(), by: Fixture.signer(fixture.scopio), recipients: [])
        }
    }
}
