import Foundation
import Identity
import SOAP
import Testing
import XMLCore
import XMLSecurity

@testable import WSSecurity

@Suite struct AssertionRequestTests {
    private let fixture: Fixture
    private let key = SigningKey.generateP256()
    private let scopio: MailDomain

    private static let wst = "http://docs.oasis-open.org/ws-sx/ws-trust/200512"

    init() throws {
        fixture = try Fixture()
        scopio = try MailDomain("scopio.test")
    }

    private func rst(_ children: String, attributes: String = "") throws -> XMLElement {
        let text = """
            <t:RequestSecurityToken xmlns:t="\(Self.wst)" xmlns:u="\(Namespaces.wsu)"\(attributes)>\(children)</t:RequestSecurityToken>
            """
        return try XMLDocument.parse(Array(text.utf8)).root
    }

    private func appliesTo(_ address: String = "urn:wsemail:domain:scopio.test", _ namespace: String = Namespaces.wsp) -> String {
        """
        <p:AppliesTo xmlns:p="\(namespace)"><a:EndpointReference xmlns:a="\(Namespaces.wsa)">\
        <a:Address>\(address)</a:Address></a:EndpointReference></p:AppliesTo>
        """
    }

    private let issue = "<t:RequestType>\(wst)/Issue</t:RequestType>"

    private func useKey() throws -> String {
        var writer = XMLWriter()
        try ConfirmationKey(key.publicKey).write(into: &writer)
        return "<t:UseKey>\(writer.bytes.string)</t:UseKey>"
    }

    private func parse(_ children: String, attributes: String = "", signedBy certificate: MailCertificate? = nil) throws -> AssertionRequest
    {
        try AssertionRequest.parse(rst(children, attributes: attributes), certificate: certificate, now: fixture.now)
    }

    private func refusal(_ children: String, signedBy certificate: MailCertificate? = nil) throws -> FaultSubcode? {
        do {
            _ = try parse(children, signedBy: certificate)
            return nil
        } catch let fault as SOAPFault {
            return fault.subcode
        }
    }

    // MARK: Reading

    /// As MSAL 1.3x sends it (wstrust_request.py), white space and all; the addresses are ours.
    @Test func readsWhatMSALSends() async throws {
        let envelope = """
            <s:Envelope xmlns:s='http://www.w3.org/2003/05/soap-envelope' xmlns:wsa='http://www.w3.org/2005/08/addressing' \
            xmlns:wsu='http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd'>
                <s:Header>
                    <wsa:Action s:mustUnderstand='1'>http://docs.oasis-open.org/ws-sx/ws-trust/200512/RST/Issue</wsa:Action>
                    <wsa:MessageID>urn:uuid:8e2dd3ba-5a4b-4c0f-b2ae-4f6b2f1a8c11</wsa:MessageID>
                    <wsa:ReplyTo>
                    <wsa:Address>http://www.w3.org/2005/08/addressing/anonymous</wsa:Address>
                    </wsa:ReplyTo>
                    <wsa:To s:mustUnderstand='1'>\(Fixture.endpoint)</wsa:To>

                    <wsse:Security s:mustUnderstand='1'
                    xmlns:wsse='http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd'>
                        <wsu:Timestamp wsu:Id='_0'>
                            <wsu:Created>\(DateTime.format(fixture.now, milliseconds: false))</wsu:Created>
                            <wsu:Expires>\(DateTime.format(fixture.now + 600, milliseconds: false))</wsu:Expires>
                        </wsu:Timestamp>
                        <wsse:UsernameToken wsu:Id='ADALUsernameToken'>
                            <wsse:Username>alice@capicom.test</wsse:Username>
                            <wsse:Password>correct horse</wsse:Password>
                        </wsse:UsernameToken>
                    </wsse:Security>

                </s:Header>
                <s:Body>
                <wst:RequestSecurityToken xmlns:wst='http://docs.oasis-open.org/ws-sx/ws-trust/200512'>
                <wsp:AppliesTo xmlns:wsp='http://schemas.xmlsoap.org/ws/2004/09/policy'>
                    <wsa:EndpointReference>
                        <wsa:Address>urn:wsemail:domain:scopio.test</wsa:Address>
                    </wsa:EndpointReference>
                </wsp:AppliesTo>
                <wst:KeyType>http://docs.oasis-open.org/ws-sx/ws-trust/200512/Bearer</wst:KeyType>
                    <wst:RequestType>http://docs.oasis-open.org/ws-sx/ws-trust/200512/Issue</wst:RequestType>
                </wst:RequestSecurityToken>
                </s:Body>
                </s:Envelope>
            """
        let request = try await fixture.verify(Array(envelope.utf8))
        #expect(request.operation == .issueAssertion && request.principal == .user(fixture.alice))
        let asked = try AssertionRequest.parse(request, now: fixture.now)
        #expect(asked.audience == scopio && asked.confirmation == .bearer)
        #expect(asked.tokenType == URIs.saml20TokenType && asked.context == nil && asked.lifetime == nil)
    }

    @Test func whatWeWriteWeRead() throws {
        for confirmation in [
            Assertion.Confirmation.bearer, .holderOfKey(try ConfirmationKey(key.publicKey)),
            .holderOfKey(.certificate(fixture.keys.alice.certificate)),
        ] {
            let request = AssertionRequest(
                audience: scopio, confirmation: confirmation, lifetime: 120, tokenType: URIs.saml20Assertion, context: "urn:x:7")
            var writer = XMLWriter()
            request.write(into: &writer, now: fixture.now)
            let read = try AssertionRequest.parse(
                try XMLDocument.parse(writer.bytes).root, certificate: nil, now: fixture.now)
            #expect(read.audience == scopio && read.confirmation == confirmation && read.lifetime == 120)
            #expect(read.tokenType == URIs.saml20Assertion && read.context == "urn:x:7")
        }
    }

    @Test func theOrderOfChildrenDoesNotMatter() throws {
        let parts = [
            issue, appliesTo(), try useKey(), "<t:KeyType>\(Self.wst)/PublicKey</t:KeyType>",
            "<t:TokenType>\(URIs.saml20TokenType)</t:TokenType>",
            "<t:Lifetime><u:Expires>\(DateTime.format(fixture.now + 60))</u:Expires></t:Lifetime>",
        ]
        for shift in parts.indices {
            let request = try parse((parts[shift...] + parts[..<shift]).joined(separator: "\n  "))
            #expect(request.audience == scopio && request.lifetime == 60)
            #expect(request.confirmation == .holderOfKey(try ConfirmationKey(key.publicKey)))
        }
    }

    @Test(arguments: [
        ("http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.1#SAMLV2.0", FaultSubcode?.none),
        ("urn:oasis:names:tc:SAML:2.0:assertion", nil), (" urn:oasis:names:tc:SAML:2.0:assertion\n", nil),
        ("http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.1#SAMLV1.1", .forbidden),
        ("http://docs.oasis-open.org/ws-sx/ws-secureconversation/200512/sct", .forbidden),
    ])
    func bothSpellingsOfTheTokenType(type: String, outcome: FaultSubcode?) throws {
        #expect(try refusal(issue + appliesTo() + "<t:TokenType>\(type)</t:TokenType>") == outcome)
    }

    @Test(arguments: [Namespaces.wsp, Namespaces.wsp15])
    func bothNamespacesOfAppliesTo(namespace: String) throws {
        #expect(try parse(issue + appliesTo("urn:wsemail:domain:scopio.test", namespace)).audience == scopio)
    }

    @Test func keyTypes() throws {
        let certificate = fixture.keys.alice.certificate
        func type(_ uri: String) -> String { issue + appliesTo() + "<t:KeyType>\(uri)</t:KeyType>" }
        let (publicKey, bearer) = (Self.wst + "/PublicKey", Self.wst + "/Bearer")
        #expect(try parse(type(bearer), signedBy: certificate).confirmation == .bearer)
        #expect(try parse(type("http://docs.oasis-open.org/wssx/wstrust/200512/Bearer")).confirmation == .bearer)
        #expect(try parse(issue + appliesTo()).confirmation == .bearer)
        let own = Assertion.Confirmation.holderOfKey(.certificate(certificate))
        #expect(try parse(issue + appliesTo(), signedBy: certificate).confirmation == own)
        #expect(try parse(type(publicKey), signedBy: certificate).confirmation == own)
        let given = Assertion.Confirmation.holderOfKey(try ConfirmationKey(key.publicKey))
        #expect(try parse(issue + appliesTo() + useKey(), signedBy: certificate).confirmation == given)
        #expect(try parse(type(publicKey) + useKey()).confirmation == given)
        #expect(try refusal(type(publicKey)) == .malformedEnvelope)
        #expect(try refusal(type(bearer) + useKey()) == .malformedEnvelope)
        #expect(try refusal(type(Self.wst + "/SymmetricKey")) == .forbidden)
    }

    @Test func keysThatNoAssertionCanName() throws {
        let base = issue + appliesTo()
        let rsa = "<ds:KeyInfo xmlns:ds=\"\(Namespaces.ds)\"><ds:KeyValue><ds:RSAKeyValue/></ds:KeyValue></ds:KeyInfo>"
        #expect(try refusal(base + "<t:UseKey>\(rsa)</t:UseKey>") == .unsupportedAlgorithm)
        #expect(try refusal(base + "<t:UseKey/>") == .malformedEnvelope)
        let long = String(repeating: " ", count: MailCertificate.maximumSize * 2)
        #expect(try refusal(base + useKey().replacingOccurrences(of: "<ds:KeyValue>", with: long + "<ds:KeyValue>")) == .tooLarge)
    }

    @Test(arguments: [
        "capicom.test", "https://scopio.test/wsemail", "urn:wsemail:domain:", "urn:wsemail:domain:SCOPIO.test",
        "urn:wsemail:domain:scopio.test/x",
    ])
    func appliesToHasOneSpelling(address: String) throws {
        #expect(try refusal(issue + appliesTo(address)) == .malformedEnvelope)
    }

    @Test func oneServiceOnly() throws {
        #expect(try refusal(issue) == .malformedEnvelope)
        #expect(try refusal(issue + appliesTo() + appliesTo()) == .malformedEnvelope)
        #expect(try refusal(issue + appliesTo() + appliesTo("urn:wsemail:domain:x.test", Namespaces.wsp15)) == .malformedEnvelope)
    }

    @Test func theRequestTypeMustBeIssue() throws {
        #expect(try refusal(appliesTo()) == .actionMismatch)
        #expect(try refusal("<t:RequestType>\(Self.wst)/Renew</t:RequestType>" + appliesTo()) == .actionMismatch)
        #expect(try refusal(issue + issue + appliesTo()) == .malformedEnvelope)
    }

    @Test(arguments: ["Claims", "KeySize", "SignWith", "Renewing", "SignatureAlgorithm"])
    func harmlessWishesAreLeftAside(name: String) throws {
        #expect(try refusal(issue + appliesTo() + "<t:\(name)/>") == nil)
    }

    @Test(arguments: [
        "t:OnBehalfOf", "t:DelegateTo", "t:Forwardable", "t:Encryption", "t:AllowPostdating", "t:Participants", "t:RenewTarget",
    ])
    func whatWouldChangeTheMeaningIsRefused(name: String) throws {
        #expect(try refusal(issue + appliesTo() + "<\(name)/>") == .forbidden)
        let actAs = "<x:ActAs xmlns:x=\"http://docs.oasis-open.org/ws-sx/ws-trust/200802\"/>"
        #expect(try refusal(issue + appliesTo() + actAs) == .forbidden)
    }

    @Test func theContextIsShort() throws {
        let context = String(repeating: "x", count: 1024)
        #expect(try parse(issue + appliesTo(), attributes: " Context=\"\(context)\"").context == context)
        #expect(throws: SOAPFault.self) { try parse(issue + appliesTo(), attributes: " Context=\"\(context)x\"") }
    }

    // MARK: Who may ask

    @Test func sessionPasswordAndCertificateAsk() async throws {
        var (_, session) = fixture.open(.user(fixture.alice))
        for credential in [
            ClientCredential.session(session.call()), .password(fixture.alice, "correct horse"),
            .certificate(fixture.keys.alice, embed: true),
        ] {
            let request = try await fixture.verify(try fixture.protect(.issueAssertion, credential).bytes)
            #expect(request.operation == .issueAssertion && request.principal == .user(fixture.alice))
        }
    }

    @Test func serversAndStrangersDoNot() async throws {
        let peer = try fixture.protect(.issueAssertion, .certificate(fixture.keys.peer, embed: true))
        #expect(try await fixture.refusal(peer.bytes) == .forbidden)
        var (_, session) = fixture.open(.peer(scopio))
        #expect(try await fixture.refusal(try fixture.protect(.issueAssertion, .session(session.call())).bytes) == .forbidden)
        #expect(try await fixture.refusal(try fixture.protect(.issueAssertion, .none).bytes) == .failedAuthentication)
    }

    @Test func aCertificatesKeyIsWhatTheAssertionNames() async throws {
        let call = try fixture.client.protect(
            .issueAssertion, to: Fixture.service, credential: .certificate(fixture.keys.alice, embed: true), now: fixture.now
        ) { writer in
            writer.start(TrustTags.request)
            writer.element(TrustTags.requestType, URIs.trustIssue)
            TrustTags.writeAppliesTo(scopio, into: &writer)
            writer.end()
        }
        let asked = try AssertionRequest.parse(try await fixture.verify(call.bytes), now: fixture.now)
        #expect(asked.confirmation == .holderOfKey(.certificate(fixture.keys.alice.certificate)))
    }

    @Test func aSessionRequestAsksForNoAssertion() async throws {
        let request = try await fixture.verify(try fixture.protect(.issueToken, .password(fixture.alice, "correct horse")).bytes)
        #expect(throws: SOAPFault.self) { try AssertionRequest.parse(request, now: fixture.now) }
        let other = try await fixture.verify(try fixture.protect(.issueAssertion, .password(fixture.alice, "correct horse")).bytes)
        #expect(throws: SOAPFault.self) { try TokenRequest.parse(other, now: fixture.now) }
    }

    // MARK: The response

    private func issued(_ request: AssertionRequest) throws -> [UInt8] {
        try Assertion(
            subject: fixture.alice, audience: request.audience, confirmation: request.confirmation, method: .password,
            authnInstant: fixture.now, now: fixture.now
        ).signed(by: fixture.keys.server.key, certificate: fixture.keys.server.certificate)
    }

    private func written(_ request: AssertionRequest, metadata: [UInt8]? = nil) throws -> XMLElement {
        var writer = XMLWriter()
        try AssertionResponse(issued: issued(request), for: request, metadata: metadata).write(into: &writer)
        return try XMLDocument.parse(writer.bytes).root
    }

    @Test func theResponseSaysWhatTheRequestAsked() throws {
        let request = AssertionRequest(
            audience: scopio, confirmation: .holderOfKey(try ConfirmationKey(key.publicKey)), tokenType: URIs.saml20Assertion,
            context: "urn:x:7")
        let root = try written(request)
        #expect(root.isNamed(MailOperation.issueAssertion.replyName))
        let response = try root.only(Names.requestSecurityTokenResponse)
        #expect(response.attribute("Context") == "urn:x:7")
        #expect(
            response.children.map(\.localName) == [
                "TokenType", "RequestedSecurityToken", "Lifetime", "RequestedAttachedReference", "RequestedUnattachedReference",
                "AppliesTo", "KeyType",
            ])
        #expect(try response.only(TrustNames.keyType).simpleText() == URIs.publicKeyType)
        let read = try AssertionResponse.parse(root, for: request)
        #expect(read.tokenType == URIs.saml20Assertion && read.assertion.subject == fixture.alice)
        let reference = try response.only(Names.wst("RequestedAttachedReference")).only(Names.securityTokenReference)
        #expect(reference.children.first { _ in true }?.text == read.assertion.id)
    }

    @Test func theMetadataComesLast() throws {
        let metadata = Array("<DomainMetadata xmlns=\"urn:wsemail:2\" Id=\"metadata\"></DomainMetadata>".utf8)
        let request = AssertionRequest(audience: scopio, confirmation: .bearer)
        let root = try written(request, metadata: metadata)
        let names = try root.only(Names.requestSecurityTokenResponse).children.map(\.localName)
        #expect(names.last == "Metadata")
        #expect(try AssertionResponse.parse(root, for: request).metadata == metadata)
    }

    @Test func anAnswerToAnotherRequestIsRefused() throws {
        let held = Assertion.Confirmation.holderOfKey(try ConfirmationKey(key.publicKey))
        let root = try written(AssertionRequest(audience: scopio, confirmation: held, context: "a"))
        for other in [
            AssertionRequest(audience: try MailDomain("other.test"), confirmation: held, context: "a"),
            AssertionRequest(audience: scopio, confirmation: .bearer, context: "a"),
            AssertionRequest(
                audience: scopio, confirmation: .holderOfKey(try ConfirmationKey(SigningKey.generateP256().publicKey)), context: "a"),
            AssertionRequest(audience: scopio, confirmation: held, context: "b"), AssertionRequest(audience: scopio, confirmation: held),
        ] {
            #expect(throws: WSSecurityError.self) { try AssertionResponse.parse(root, for: other) }
        }
    }

    @Test func aKeyAndItsCertificateAreOneProof() throws {
        let alice = fixture.keys.alice
        let root = try written(AssertionRequest(audience: scopio, confirmation: .holderOfKey(.certificate(alice.certificate))))
        let asked = AssertionRequest(audience: scopio, confirmation: .holderOfKey(try ConfirmationKey(alice.key.publicKey)))
        #expect(try AssertionResponse.parse(root, for: asked).assertion.audience == "urn:wsemail:domain:scopio.test")
    }
}
