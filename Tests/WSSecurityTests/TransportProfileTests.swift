import FoundationEssentials
import Identity
import SOAP
import Testing
import XMLCore
import XMLSecurity

@testable import WSSecurity

@Suite struct UsernameTokenTests {
    private let fixture: Fixture

    init() throws { fixture = try Fixture() }

    private func call(_ password: String = "correct horse", at time: Date? = nil) throws -> ProtectedRequest {
        try fixture.protect(.list, .password(fixture.alice, password), at: time)
    }

    @Test func theRightPasswordOverTLS() async throws {
        let call = try call()
        let request = try await fixture.verify(call.bytes)
        #expect(request.principal == .user(fixture.alice) && request.method == .password)
        guard case .transport = request.payload.protection else { throw TestFailure.accepted }
        #expect(request.payload.digest == nil)
        let reply = try await fixture.check(try fixture.reply(to: request), for: call)
        #expect(reply.certificate == fixture.keys.server.certificate)
    }

    @Test func neverWithoutTLS() async throws {
        #expect(try await fixture.refusal(try call().bytes, tls: false) == .forbidden)
        var policy = SecurityPolicy.standard
        policy[.list]?.requiresTLS = false
        let lax = try Fixture(policy: policy)
        let call = try lax.protect(.list, .password(lax.alice, "correct horse"))
        #expect(try await lax.refusal(call.bytes, tls: false) == .forbidden)
    }

    @Test func wrongPasswordsAndNobodyLookTheSame() async throws {
        let wrong = try await fixture.rejection(try call("incorrect").bytes)
        let nobody = try fixture.protect(.list, .password(Address("nobody@capicom.test"), "correct horse"))
        let unknown = try await fixture.rejection(nobody.bytes)
        #expect(wrong.fault == unknown.fault && wrong.fault.subcode == .failedAuthentication)
        let malformed = try call().bytes.replacing(">alice@capicom.test<", with: ">alice<")
        #expect(try await fixture.rejection(malformed).fault == wrong.fault)
    }

    @Test func onlyText() async throws {
        let bytes = try call().bytes
        let digest = try bytes.replacing("#PasswordText", with: "#PasswordDigest")
        #expect(try await fixture.refusal(digest) == .failedAuthentication)
        let untyped = try bytes.replacing(" Type=\"\(URIs.passwordText)\"", with: "")
        #expect(try await fixture.refusal(untyped) == nil)
        let none = try bytes.removing("o:Password")
        #expect(try await fixture.refusal(none) == .malformedEnvelope)
    }

    @Test func credentialsHaveFiniteLength() async throws {
        let inside = try call(String(repeating: "x", count: 1024))
        #expect(try await fixture.rejection(inside.bytes).logReason == "wrong password")
        let outside = try call(String(repeating: "x", count: 1025))
        #expect(try await fixture.rejection(outside.bytes).logReason != "wrong password")
        #expect(try await fixture.refusal(outside.bytes) == .failedAuthentication)
    }

    @Test func aCallCountsOnce() async throws {
        let call = try call()
        #expect(try await fixture.refusal(call.bytes) == nil)
        #expect(try await fixture.refusal(call.bytes) == .replay)
    }

    @Test func staleOnesAreRefusedBeforeThePasswordIsTried() async throws {
        let old = try call("incorrect", at: fixture.now.addingTimeInterval(-301))
        #expect(try await fixture.refusal(old.bytes) == .staleTimestamp)
    }

    @Test(arguments: ["a:MessageID", "a:To", "a:Action", "u:Timestamp"])
    func missingHeaders(tag: String) async throws {
        #expect(try await fixture.refusal(try call().bytes.removing(tag)) == .missingHeader)
    }

    @Test func twoCredentialsAtOnce() async throws {
        let token = try call().bytes.element("o:UsernameToken")
        let signed = try fixture.protect(.list, .certificate(fixture.keys.bob, embed: true))
        let both = try signed.bytes.replacing("<ds:Signature", with: token + "<ds:Signature")
        #expect(try await fixture.refusal(both) == .failedAuthentication)
        let twice = try call().bytes.replacing("</o:Security>", with: token + "</o:Security>")
        #expect(try await fixture.refusal(twice) == .malformedEnvelope)
    }

    @Test func anonymousOperationsNeedNothing() async throws {
        let bare = IncomingEnvelopeText.bare("<w:Challenge xmlns:w=\"urn:wsemail:2\"/>")
        let request = try await fixture.verify(bare, tls: false)
        #expect(request.principal == .anonymous && request.operation == .challenge && request.messageID == nil)
        let list = IncomingEnvelopeText.bare("<w:List xmlns:w=\"urn:wsemail:2\"/>")
        #expect(try await fixture.refusal(list) == .failedAuthentication)
        let call = try fixture.protect(.challenge, .none)
        let answered = try await fixture.verify(call.bytes)
        _ = try await fixture.check(try fixture.reply(to: answered), for: call)
    }

    @Test func anAssertionIsNoAnonymousCall() async throws {
        let assertion = "<saml:Assertion xmlns:saml=\"\(Namespaces.saml2)\" ID=\"x\"></saml:Assertion>"
        for (operation, refusal) in [(MailOperation.list, FaultSubcode.forbidden), (.challenge, .forbidden), (.send, .invalidToken)] {
            let call = try fixture.protect(operation, .none)
            let bytes = try call.bytes.replacing("</o:Security>", with: assertion + "</o:Security>")
            #expect(try await fixture.refusal(bytes) == refusal)
        }
    }
}

enum IncomingEnvelopeText {
    static func bare(_ payload: String) -> [UInt8] {
        Array("<s:Envelope xmlns:s=\"\(Namespaces.soap12)\"><s:Body>\(payload)</s:Body></s:Envelope>".utf8)
    }
}
