import Foundation
import Identity
import MailModel
import SOAP
import Testing
import WSSecurity

@testable import MailClient
@testable import wsemail

/// bob@scopio.test hands mail in at capicom.test's server himself.
@Suite struct DirectTests {
    private let capicom: TestDomain
    private let scopio: TestDomain
    private let place: TemporaryFolder

    init() throws {
        capicom = try TestDomain("capicom.test")
        scopio = try TestDomain("scopio.test")
        place = try TemporaryFolder()
    }

    private func client(_ direct: @escaping @Sendable (Address) -> RecipientStatus.State) throws -> MailClient {
        let (capicom, scopio) = (capicom, scopio)
        let home = FakeServer { _, request in
            guard let asked = request as? MetadataOperation.Request else { throw SOAPFault(.unknownAction, "no") }
            guard let found = [capicom, scopio].first(where: { $0.domain == asked.domain }) else {
                throw SOAPFault(.unknownMessage, "no contact")
            }
            return MetadataOperation.Response(metadata: try found.metadata(), anchors: [found.root.der])
        } issue: { request in
            let assertion = try Assertion(
                subject: Address("bob@scopio.test"), audience: request.audience, confirmation: request.confirmation, method: .x509,
                authnInstant: now, now: now)
            return try AssertionResponse(
                issued: assertion.signed(by: scopio.key, certificate: scopio.certificate), for: request, metadata: scopio.metadata())
        }
        let foreign = ForeignServer(capicom, issuer: scopio, direct: direct) { _, _ in throw SOAPFault(.extensionFailed, "no") }
        return try place.client("bob@scopio.test", scopio, server: home, network: FakeNetwork(files: FakeFiles(), calls: foreign))
    }

    private func draft(_ addresses: String...) throws -> Draft {
        Draft(to: try addresses.map { Mailbox(try Address($0)) }, subject: "Now", text: "By hand.")
    }

    @Test func whatReachesSomebodyIsSent() async throws {
        let client = try client { $0.local == "alice" ? .accepted : .refused }
        let sent = try await client.sendDirectly(draft("alice@capicom.test", "none@capicom.test"))
        #expect(sent.keptIn == nil && sent.refused.map(\.address.description) == ["none@capicom.test"])
        #expect(try client.waiting().isEmpty)
    }

    @Test func whatReachesNobodyIsKept() async throws {
        let client = try client { _ in .refused }
        let sent = try await client.sendDirectly(draft("none@capicom.test"))
        let path = try #require(sent.keptIn)
        let kept = try #require(FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) })
        #expect(kept.contains("By hand.") && kept.contains("none@capicom.test"))
        #expect(try client.waiting().isEmpty)
    }

    @Test func whatCannotBeSentDirectlyHasANextStep() async throws {
        let client = try client { _ in .accepted }
        let unknown = await expect(.refused) { try await client.sendDirectly(draft("bob@nowhere.test")) }
        #expect(unknown?.advice?.contains("trust nowhere.test, or leave --direct out") == true)
        for people in [["alice@capicom.test", "x@nowhere.test"], ["carol@scopio.test"]] {
            let mixed = Draft(to: try people.map { Mailbox(try Address($0)) }, subject: "", text: "")
            let error = await expect(.invalidInput) { try await client.sendDirectly(mixed) }
            #expect(error?.advice == "Leave --direct out.")
        }
    }
}
