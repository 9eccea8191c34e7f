import Foundation
import Identity
import SOAP
import Testing
import XMLCore
import XMLTestSupport

@testable import WSSecurity

struct JudgeFailure: Error, CustomStringConvertible {
    let description: String
}

/// zeep, python-xmlsec and libxml2 as judges (`Tests/Interop/wss_judge.py`).
@Suite struct ForeignStackTests {
    private let fixture: Fixture

    init() throws { fixture = try Fixture() }

    private func judge(_ job: [String: any Sendable]) throws -> [String: Any] {
        let python = ProcessInfo.processInfo.environment["WSEMAIL_PYTHON"] ?? "python3"
        let result = try Tools.run(
            python, [Tools.interop.appending(path: "wss_judge.py").path],
            input: try JSONSerialization.data(withJSONObject: job),
            package: "python3 and, by pip, Tests/Interop/requirements.txt")
        guard let answer = try? JSONSerialization.jsonObject(with: result.output) as? [String: Any] else {
            throw JudgeFailure(description: "wss_judge.py failed: \(result.errors)")
        }
        if let error = answer["error"] as? String { throw JudgeFailure(description: error) }
        return answer
    }

    private var wsdl: String { WSDL.document(address: Fixture.endpoint).string }

    private func zeepCall(
        _ identity: SigningIdentity, _ algorithm: String, binary: Bool, format: String = "%Y-%m-%dT%H:%M:%SZ"
    ) throws -> [UInt8] {
        let answer = try judge([
            "op": "sign", "wsdl": wsdl, "operation": "List", "arguments": ["Folder": "Inbox"], "binary": binary,
            "key": try #require(identity.key.pemRepresentation), "certificate": identity.certificate.pem,
            "algorithm": algorithm, "now": fixture.now.timeIntervalSince1970, "format": format,
        ])
        return Array(try #require(answer["envelope"] as? String).utf8)
    }

    @Test(arguments: [
        ("ecdsa-sha256", true, "%Y-%m-%dT%H:%M:%SZ"), ("ecdsa-sha256", false, "%Y-%m-%dT%H:%M:%S.000Z"),
        ("rsa-sha256", true, "%Y-%m-%dT%H:%M:%S+00:00"), ("rsa-sha512", false, "%Y-%m-%dT%H:%M:%SZ"),
    ])
    func whatZeepSignsWeVerifyAndWhatWeAnswerZeepVerifies(algorithm: String, binary: Bool, format: String) async throws {
        let identity = algorithm.hasPrefix("rsa") ? fixture.keys.rsaAlice : fixture.keys.alice
        let bytes = try zeepCall(identity, algorithm, binary: binary, format: format)
        let request = try await fixture.verify(bytes)
        #expect(request.principal == .user(fixture.alice) && request.operation == .list)
        #expect(request.payload.element.first(Names.wsemail("Folder"))?.text == "Inbox")
        #expect(try await fixture.refusal(bytes) == .replay)
        let evil = try bytes.replacing("Inbox", with: "Other")
        #expect(try await fixture.refusal(evil) == .failedCheck)

        let server = algorithm.hasPrefix("rsa") ? fixture.keys.rsaServer : fixture.keys.server
        let replies = [
            try fixture.reply(to: request),
            try fixture.protector.fault(
                SOAPFault(.unknownFolder, "No such folder."), binding: request.binding, now: fixture.now),
        ]
        for reply in replies {
            let answer = try judge(["op": "verify", "envelope": reply.string, "certificate": server.certificate.pem])
            let signed = try #require(answer["signed"] as? [String])
            #expect(Set(signed) == ["Action", "RelatesTo", "Timestamp", "SignatureConfirmation", "Body"])
            let wrong = fixture.keys.otherServer.certificate.pem
            #expect(throws: JudgeFailure.self) {
                try judge(["op": "verify", "envelope": reply.string, "certificate": wrong])
            }
        }
    }

    @Test func zeepVerifiesOurCalls() throws {
        let call = try fixture.protect(.list, .certificate(fixture.keys.alice, embed: true))
        let answer = try judge([
            "op": "verify", "envelope": call.bytes.string, "certificate": fixture.keys.alice.certificate.pem,
        ])
        #expect(
            Set(try #require(answer["signed"] as? [String])) == ["To", "Action", "MessageID", "Timestamp", "Body"])
    }

    @Test func zeepLoadsTheWSDLAndCallsWithPlainTypes() throws {
        let answer = try judge(["op": "wsdl", "wsdl": wsdl])
        #expect(answer["operations"] as? [String] == MailOperation.allCases.map(\.rawValue).sorted())
        #expect(answer["address"] as? String == Fixture.endpoint)
        let envelopes = try #require(answer["envelopes"] as? [String: String])
        for (name, text) in envelopes {
            let envelope = try IncomingEnvelope(parsing: Array(text.utf8))
            let operation = try #require(MailOperation(rawValue: name))
            #expect(envelope.payload?.isNamed(operation.payloadName) == true)
            #expect(envelope.addressing.action?.value == operation.action)
            #expect(envelope.addressing.messageID != nil && envelope.addressing.to?.value == Fixture.endpoint)
        }
        let payloads = try envelopes.values.map { text in
            let envelope = try IncomingEnvelope(parsing: Array(text.utf8))
            return try #require(envelope.payload).canonicalBytes().string
        }
        let verdict = try judge(["op": "schema", "schema": Schema.wsemail, "instances": payloads])
        #expect(try #require(verdict["errors"] as? [String]).allSatisfy(\.isEmpty))
    }

    @Test func theSchemaKnowsGoodFromBad() throws {
        let id = "<Id>urn:uuid:00000000-0000-4000-8000-000000000000</Id>"
        func list(_ content: String) -> String { "<List xmlns=\"urn:wsemail:2\">\(content)</List>" }
        func mark(_ content: String) -> String { "<Mark xmlns=\"urn:wsemail:2\">\(content)</Mark>" }
        func ask(_ identifier: String, _ content: String) -> String {
            "<Extension xmlns=\"urn:wsemail:2\" identifier=\"\(identifier)\">\(content)</Extension>"
        }
        let samples: [(String, Bool)] = [
            (list("<Folder>Inbox</Folder><After>7</After><Limit>5</Limit><Wait>30</Wait>"), true), (list("<After>x</After>"), false),
            (list("<Folder>Inbox</Folder><Limit>-5</Limit>"), false), (mark(id + id + "<Add>seen</Add>"), true),
            (mark("<Id>urn:uuid:x</Id>"), false), ("<Challenge xmlns=\"urn:wsemail:2\"/>", true),
            ("<Retrieve xmlns=\"urn:wsemail:2\">\(id)<Uid>1</Uid></Retrieve>", true),
            ("<Retrieve xmlns=\"urn:wsemail:2\"><Uid>1</Uid></Retrieve>", false),
            (ask("urn:example:vacation:1", "<status xmlns=\"\"/>"), true), (ask("urn:example:vacation:1", "<a/><b/>"), false),
            (ask("vacation", "<a/>"), false), (ask("urn:" + String(repeating: "x", count: 197), "<a/>"), false),
            (ask("urn:example:vacation:1", ""), false),
            (
                """
                <DeliverResponse xmlns="urn:wsemail:2"><Result><Fault code="Busy" transient="true">x</Fault></Result>\
                </DeliverResponse>
                """, true
            ),
        ]
        let answer = try judge(["op": "schema", "schema": Schema.wsemail, "instances": samples.map(\.0)])
        let errors = try #require(answer["errors"] as? [String])
        for (sample, error) in zip(samples, errors) { #expect(error.isEmpty == sample.1, "\(sample.0): \(error)") }
    }
}
