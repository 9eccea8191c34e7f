import Foundation
import Identity
import SOAP
import Testing
import XMLCore
import XMLSecurity
import XMLTestSupport

@testable import WSSecurity

/// signxml, python-xmlsec, lxml and MSAL's way of reading as judges (`Tests/Interop/saml_judge.py`).
@Suite struct ForeignAssertionTests {
    private let fixture: Fixture
    private let visitor: Visitor

    init() throws {
        fixture = try Fixture()
        visitor = try Visitor(fixture)
    }

    private func judge(_ job: [String: any Sendable]) throws -> [String: Any] {
        let python = ProcessInfo.processInfo.environment["WSEMAIL_PYTHON"] ?? "python3"
        let result = try Tools.run(
            python, [Tools.interop.appending(path: "saml_judge.py").path],
            input: try JSONSerialization.data(withJSONObject: job),
            package: "python3 and, by pip, Tests/Interop/requirements.txt")
        guard let answer = try? JSONSerialization.jsonObject(with: result.output) as? [String: Any] else {
            throw JudgeFailure(description: "saml_judge.py failed: \(result.errors)")
        }
        if let error = answer["error"] as? String { throw JudgeFailure(description: error) }
        return answer
    }

    @Test(arguments: [true, false])
    func othersVerifyAndReadOurAssertions(bearer: Bool) throws {
        let assertion = try visitor.assertion(bearer: bearer)
        let pem = fixture.keys.peer.certificate.pem
        let answer = try judge(["op": "verify", "assertion": assertion.string, "certificate": pem])
        #expect(answer["id"] as? String == (try visitor.id(assertion)) && answer["signed"] as? String == answer["id"] as? String)
        #expect(answer["subject"] as? String == "dave@scopio.test")
        #expect(answer["audience"] as? String == "urn:wsemail:domain:capicom.test")
        #expect(answer["order"] as? [String] == ["Issuer", "Signature", "Subject", "Conditions", "AuthnStatement"])
        let changed = try assertion.replacing("dave@", with: "eve@").string
        #expect(throws: JudgeFailure.self) { try judge(["op": "verify", "assertion": changed, "certificate": pem]) }
        let other = fixture.keys.server.certificate.pem
        #expect(throws: JudgeFailure.self) {
            try judge(["op": "verify", "assertion": assertion.string, "certificate": other])
        }
    }

    @Test func anAssertionMadeBySignxmlIsAccepted() async throws {
        let issuer = fixture.keys.peer
        let ours = try visitor.assertion()
        let answer = try judge([
            "op": "sign", "assertion": try ours.removing("ds:Signature").string, "key": try #require(issuer.key.pemRepresentation),
            "certificate": issuer.certificate.pem, "thumbprint": Base64.encodeToString(issuer.certificate.thumbprintSHA256),
        ])
        let signed = try #require(answer["assertion"] as? String)
        let call = try visitor.call(signed, hint: .samlID(try visitor.id(ours)))
        let request = try await fixture.verify(call)
        #expect(request.principal == .federated(visitor.dave) && request.assertion?.octets != ours)
    }

    @Test func theTokenCanBeCutOutOfTheReplyAsText() async throws {
        let call = try fixture.protect(.issueAssertion, .password(fixture.alice, "correct horse"))
        let request = try await fixture.verify(call.bytes)
        let asked = try AssertionRequest.parse(request, now: fixture.now)
        let assertion = try Assertion(
            subject: fixture.alice, audience: asked.audience, confirmation: asked.confirmation, method: .password,
            authnInstant: fixture.now, now: fixture.now
        ).signed(by: fixture.keys.server.key, certificate: fixture.keys.server.certificate)
        let metadata = Array("<DomainMetadata xmlns=\"urn:wsemail:2\" Id=\"metadata\"></DomainMetadata>".utf8)
        let response = try AssertionResponse(issued: assertion, for: asked, metadata: metadata)
        let reply = try fixture.protector.reply(to: request, now: fixture.now) { try response.write(into: &$0) }
        let answer = try judge(["op": "msal", "reply": reply.string])
        #expect(answer["type"] as? String == URIs.saml20TokenType)
        let token = try #require(answer["token"] as? String)
        #expect(token == assertion.string)
        let verdict = try judge(["op": "verify", "assertion": token, "certificate": fixture.keys.server.certificate.pem])
        #expect(verdict["subject"] as? String == "alice@capicom.test")
        // The reply itself is as good as any.
        let read = try await fixture.check(reply, for: call)
        let parsed = try AssertionResponse.parse(read.payload, for: asked)
        #expect(parsed.assertion.octets == assertion && parsed.metadata == metadata)
    }
}
