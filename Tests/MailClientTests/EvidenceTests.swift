import Foundation
import Identity
import MailModel
import SOAP
import Testing
import XMLCore
import XMLSecurity

@testable import MailClient

/// Evidence of alice@capicom.test's letter to bob@scopio.test, and what an enemy would make of it.
@Suite struct EvidenceTests {
    private let capicom: TestDomain
    private let scopio: TestDomain
    private let message: SealedMessage
    private let bob: Address

    init() throws {
        capicom = try TestDomain("capicom.test")
        scopio = try TestDomain("scopio.test")
        message = try letter()
        bob = try Address("bob@scopio.test")
    }

    /// As bob exports it.
    private func received() throws -> EvidenceBundle {
        var bundle = EvidenceBundle(message: message.octets, exported: now)
        let postmark = try capicom.postmark(message, to: [bob])
        bundle.postmark = postmark
        bundle.receipts = [try scopio.receipt(message, for: capicom.domain, postmark: postmark, [bob])]
        bundle.metadata = [try capicom.metadata(), try scopio.metadata()]
        bundle.certificates = [capicom.root.der, scopio.root.der]
        return bundle
    }

    /// As alice exports it: her domain's receipt for handing it in, and the peer's.
    private func sent() throws -> EvidenceBundle {
        var bundle = EvidenceBundle(message: message.octets, exported: now)
        let postmark = try capicom.postmark(message, to: [bob])
        bundle.receipts = [
            try capicom.receipt(message, for: capicom.domain, postmark: nil, [bob], .accepted),
            try scopio.receipt(message, for: capicom.domain, postmark: postmark, [bob]),
        ]
        bundle.metadata = [try capicom.metadata(), try scopio.metadata()]
        return bundle
    }

    private func judge(_ bundle: EvidenceBundle, roots: [MailCertificate]? = nil, at date: Date = now) async throws -> EvidenceReport {
        let pem = (roots ?? [capicom.root, scopio.root]).map(\.pem)
        // Through the document: what is tested is what a file can hold.
        return try await EvidenceVerifier(rootsPEM: pem, now: date).verify(document: bundle.document)
    }

    @Test func theDocumentRoundTrips() throws {
        let bundle = try received()
        #expect(try EvidenceBundle(parsing: bundle.document) == bundle)
        #expect(try XMLDocument.parse(bundle.document).root.attribute("version") == "1")
    }

    @Test func whatWasReceivedIsProved() async throws {
        let report = try await judge(try received())
        #expect(report.isVerified, "\(report.findings)")
        #expect(report.vouchedBy == capicom.domain && report.time == now && report.method == .x509)
        #expect(report.postmarkRecipients == [bob])
        #expect(report.statements.map(\.domain) == [scopio.domain])
        #expect(report.statements.first?.recipients.first?.state == .delivered)
    }

    @Test func whatWasSentIsProved() async throws {
        let report = try await judge(try sent())
        #expect(report.isVerified, "\(report.findings)")
        #expect(report.vouchedBy == capicom.domain)
        #expect(report.statements.count == 2)
    }

    @Test func anAuthorsSignatureIsPartOfIt() async throws {
        let signed = try letter(signedBy: try capicom.user("alice"))
        var bundle = EvidenceBundle(message: signed.octets, exported: now)
        bundle.postmark = try capicom.postmark(signed, to: [bob])
        bundle.metadata = [try capicom.metadata()]
        let report = try await judge(bundle)
        #expect(report.isVerified, "\(report.findings)")
        #expect(report.author == .verified(try Address("alice@capicom.test")))
    }

    @Test func itIsJudgedByItsOwnTimeEvenYearsLater() async throws {
        let later = now.addingTimeInterval(25 * 365 * 86_400)
        let report = try await judge(try received(), at: later)
        #expect(report.isVerified, "\(report.findings)")
    }

    // MARK: Enemies

    @Test func withoutTheRootsItProvesNothing() async throws {
        let report = try await judge(try received(), roots: [scopio.root])
        #expect(!report.isVerified && report.vouchedBy == nil)
        let words = report.findings.map(\.words).joined()
        // Says which root to get, but does not believe it for being in the bundle.
        #expect(words.contains(capicom.root.fingerprint.description))
    }

    @Test func otherRootsOfTheSameNamesProveNothing() async throws {
        let impostors = [try TestDomain("capicom.test").root, try TestDomain("scopio.test").root]
        let report = try await judge(try received(), roots: impostors)
        #expect(!report.isVerified && report.vouchedBy == nil && report.statements.isEmpty)
    }

    @Test func oneDomainsRootIsNotAnothers() async throws {
        var bundle = try received()
        // scopio.test vouches for capicom.test's user.
        let signer = DomainSigner(domain: capicom.domain, key: scopio.key, certificate: scopio.certificate)
        bundle.postmark = try capicom.postmark(message, to: [bob], signer: signer)
        let report = try await judge(bundle)
        #expect(!report.isVerified && report.vouchedBy == nil)
    }

    @Test(arguments: ["message", "postmark", "receipt", "capicom", "scopio"])
    func everyAlteredByteIsNoticed(_ part: String) async throws {
        let good = try received()
        func flipped(_ octets: [UInt8], _ index: Int) -> [UInt8] {
            var octets = octets
            octets[index] ^= 0x01
            return octets
        }
        let length =
            [
                "message": good.message.count, "postmark": good.postmark?.count, "receipt": good.receipts[0].count,
                "capicom": good.metadata[0].count, "scopio": good.metadata[1].count,
            ][part].flatMap { $0 } ?? 0
        let verifier = try EvidenceVerifier(rootsPEM: [capicom.root.pem, scopio.root.pem], now: now)
        for index in stride(from: 0, to: length, by: max(1, length / 60)) {
            var bundle = good
            switch part {
            case "message": bundle.message = flipped(good.message, index)
            case "postmark": bundle.postmark = flipped(try #require(good.postmark), index)
            case "receipt": bundle.receipts[0] = flipped(good.receipts[0], index)
            case "capicom": bundle.metadata[0] = flipped(good.metadata[0], index)
            default: bundle.metadata[1] = flipped(good.metadata[1], index)
            }
            #expect(await !verifier.verify(bundle).isVerified, "\(part) byte \(index)")
        }
    }

    @Test(arguments: ["postmark", "metadata of capicom", "metadata of scopio", "all metadata"])
    func aMissingPartIsNoticed(_ part: String) async throws {
        var bundle = try received()
        switch part {
        // The receiving domain's receipt alone does not say who sent it.
        case "postmark": bundle.postmark = nil
        case "metadata of capicom": bundle.metadata.removeFirst()
        case "metadata of scopio": bundle.metadata.removeLast()
        default: bundle.metadata = []
        }
        let report = try await judge(bundle)
        #expect(!report.isVerified)
    }

    @Test func aMissingReceiptProvesLess() async throws {
        var bundle = try received()
        bundle.receipts = []
        let report = try await judge(bundle)
        #expect(report.isVerified && report.statements.isEmpty)
    }

    @Test func aReceiptOfAnotherMessageIsNoticed() async throws {
        var bundle = try received()
        let other = try letter(subject: "Another")
        let postmark = try capicom.postmark(other, to: [bob])
        bundle.receipts = [try scopio.receipt(other, for: capicom.domain, postmark: postmark, [bob])]
        #expect(try await !judge(bundle).isVerified)
    }

    @Test func aReceiptOfAnotherPostmarkIsNoticed() async throws {
        var bundle = try received()
        let again = try capicom.postmark(message, to: [bob], at: now.addingTimeInterval(1))
        bundle.receipts = [try scopio.receipt(message, for: capicom.domain, postmark: again, [bob])]
        #expect(try await !judge(bundle).isVerified)
    }

    @Test func aReceiptForAnotherDomainIsNoticed() async throws {
        var bundle = try received()
        bundle.receipts = [
            try scopio.receipt(message, for: try MailDomain("evil.test"), postmark: bundle.postmark, [bob])
        ]
        #expect(try await !judge(bundle).isVerified)
    }

    @Test func aReceiptOfADomainThatTheLetterDidNotGoToIsNoticed() async throws {
        let evil = try TestDomain("evil.test")
        var bundle = try received()
        let mallory = try Address("mallory@evil.test")
        bundle.receipts = [try evil.receipt(message, for: capicom.domain, postmark: bundle.postmark, [mallory])]
        bundle.metadata.append(try evil.metadata())
        #expect(try await !judge(bundle, roots: [capicom.root, scopio.root, evil.root]).isVerified)
    }

    @Test func aReceiptThatNamesOthersIsNoticed() async throws {
        var bundle = try received()
        let carol = try Address("carol@scopio.test")
        bundle.receipts = [try scopio.receipt(message, for: capicom.domain, postmark: bundle.postmark, [bob, carol])]
        #expect(try await !judge(bundle).isVerified)
    }

    @Test func aPeersReceiptWithoutAPostmarkDoesNotVouch() async throws {
        var bundle = try sent()
        bundle.receipts.removeFirst()
        let report = try await judge(bundle)
        #expect(!report.isVerified && report.vouchedBy == nil)
    }

    @Test func twoDocumentsOfOneDomainAreRefused() async throws {
        var bundle = try received()
        bundle.metadata.append(try capicom.metadata(version: 2))
        #expect(try await !judge(bundle).isVerified)
    }

    @Test func aKeyRevokedBeforeTheDeliveryProvesNothing() async throws {
        var bundle = EvidenceBundle(message: message.octets, exported: now)
        let delivered = now.addingTimeInterval(7200)
        let postmark = try capicom.postmark(message, to: [bob])
        bundle.postmark = postmark
        bundle.receipts = [
            try scopio.receipt(message, for: capicom.domain, postmark: postmark, [bob], at: delivered)
        ]
        let (newKey, revoked) = try renewed(revokedAt: now.addingTimeInterval(3600))
        bundle.metadata = [revoked, try scopio.metadata()]
        _ = newKey
        #expect(try await !judge(bundle, at: now.addingTimeInterval(86_400)).isVerified)
        // Revoked only after the delivery: it stays proved.
        bundle.metadata[0] = try renewed(revokedAt: now.addingTimeInterval(3 * 3600)).1
        let report = try await judge(bundle, at: now.addingTimeInterval(86_400))
        #expect(report.isVerified, "\(report.findings)")
    }

    /// Metadata signed by a new key that revokes the old one, still listed.
    private func renewed(revokedAt time: Date) throws -> (MailCertificate, [UInt8]) {
        let key = SigningKey.generateP256()
        let certificate = try capicom.authority.issueServerCertificate(publicKey: key.publicKey, now: now)
        let issued = now.addingTimeInterval(4 * 3600)
        var metadata = DomainMetadata(
            domain: capicom.domain, version: 2, issued: issued, nextUpdate: issued.addingTimeInterval(86_400),
            endpoint: "/wsemail", roots: [capicom.root], servers: [certificate, capicom.certificate],
            limits: .init(maximumMessageSize: 1, maximumRecipients: 1, maximumBatch: 1))
        metadata.revoked.insert(capicom.certificate.serial, at: time)
        return (certificate, try metadata.signed(by: key, certificate: certificate))
    }

    @Test func metadataOlderThanTheMessageDecidesNothing() async throws {
        var bundle = try received()
        bundle.metadata[0] = try capicom.metadata(issued: now.addingTimeInterval(-3000))
        #expect(try await judge(bundle).isVerified)
        let late = try TestDomain("capicom.test", at: now.addingTimeInterval(-20 * 86_400))
        bundle.postmark = try late.postmark(message, to: [bob])
        bundle.receipts = []
        bundle.metadata = [try late.metadata(issued: now.addingTimeInterval(-10 * 86_400))]
        #expect(try await !judge(bundle, roots: [late.root]).isVerified)
    }

    @Test func whatIsDatedInTheFutureIsRefused() async throws {
        #expect(try await !judge(try received(), at: now.addingTimeInterval(-3600)).isVerified)
    }

    @Test(arguments: [
        "", "<Evidence/>", #"<Evidence xmlns="urn:wsemail:2"/>"#, #"<Evidence xmlns="urn:wsemail:2" version="2"/>"#,
        #"<Evidence xmlns="urn:wsemail:2" version="1"><Exported>2026-06-01T12:00:00Z</Exported></Evidence>"#,
        #"<Evidence xmlns="urn:wsemail:2" version="1"><Exported>x</Exported><MessageOctets>AA==</MessageOctets></Evidence>"#,
        #"<!DOCTYPE x [<!ENTITY a "b">]><Evidence xmlns="urn:wsemail:2" version="1"/>"#,
    ])
    func whatIsNoBundleIsRefused(_ text: String) async throws {
        await expect(.invalidInput) { try EvidenceBundle(parsing: Array(text.utf8)) }
    }

    @Test(arguments: ["<Extra/>", "<MessageOctets>AA==</MessageOctets>", "<x:Extra xmlns:x='urn:x'/>"])
    func unknownAndRepeatedPartsAreRefused(_ extra: String) async throws {
        let text = String(decoding: try received().document, as: UTF8.self)
        let altered = text.replacing("</Evidence>", with: extra + "</Evidence>")
        await expect(.invalidInput) { try EvidenceBundle(parsing: Array(altered.utf8)) }
    }

    @Test func tooManyPartsAreRefused() async throws {
        var bundle = try received()
        bundle.metadata = Array(repeating: [1], count: EvidenceBundle.maximumDomains + 1)
        await expect(.invalidInput) { [bundle] in try EvidenceBundle(parsing: bundle.document) }
    }

    @Test func aMessageThatIsNotCanonicalIsRefused() async throws {
        var bundle = try received()
        bundle.message = Array((String(decoding: bundle.message, as: UTF8.self) + "\n").utf8)
        let report = try await judge(bundle)
        #expect(!report.isVerified && report.message == nil)
    }

    @Test func whatIsNoRootIsRefused() async throws {
        await expect(.invalidInput) { try EvidenceVerifier(rootsPEM: ["no pem"], now: now) }
        let leaf = capicom.certificate.pem
        await expect(.invalidInput) { try EvidenceVerifier(rootsPEM: [leaf], now: now) }
    }
}

/// The author's receipts name blind copies: whoever exports them is told, and may leave them out.
@Suite struct BlindCopyTests {
    @Test func theyAreFoundAndCanBeLeftOut() async throws {
        let capicom = try TestDomain("capicom.test")
        let scopio = try TestDomain("scopio.test")
        let place = try TemporaryFolder()
        let message = try letter()
        let (bob, carol) = (try Address("bob@scopio.test"), try Address("carol@capicom.test"))
        let submission = try capicom.receipt(message, for: capicom.domain, postmark: nil, [bob, carol], .accepted)
        let postmark = try capicom.postmark(message, to: [bob])
        let delivery = try scopio.receipt(message, for: capicom.domain, postmark: postmark, [bob])
        let server = FakeServer { _, request in
            switch request {
            case let request as RetrieveOperation.Request:
                return RetrieveOperation.Response(
                    message: message.octets, postmark: nil, receipt: request.withReceipt ? submission : nil, folder: "Sent",
                    flags: [])
            case is StatusOperation.Request: return StatusOperation.Response(lines: [], receipts: [delivery])
            case let request as MetadataOperation.Request:
                let domain = request.domain == capicom.domain ? capicom : scopio
                return MetadataOperation.Response(metadata: try domain.metadata(), anchors: [domain.root.der])
            default: throw SOAPFault(.unknownAction, "no")
            }
        }
        let client = try place.client("alice@capicom.test", capicom, server: server)
        let location = MessageLocation(message.message.id, in: "Sent")
        #expect(try await client.retrieve(location, withReceipt: true).blindCopies == [carol])
        let full = try await client.evidence(location)
        #expect(full.blindCopies == [carol] && full.report.isVerified, "\(full.report.findings)")
        #expect(full.bundle.receipts == [submission, delivery])
        let discreet = try await client.evidence(location, hidesBcc: true)
        #expect(discreet.blindCopies == [carol])
        #expect(discreet.bundle.receipts == [delivery])
        #expect(!discreet.report.isVerified)
    }
}
