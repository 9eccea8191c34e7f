import Testing

@testable import SOAP

@Suite struct MailOperationTests {
    @Test(arguments: MailOperation.allCases)
    func anActionNamesOneOperation(operation: MailOperation) {
        #expect(MailOperation(action: operation.action) == operation)
        #expect(MailOperation(action: operation.replyAction) == nil)
    }

    @Test func actionsFollowTheProtocol() {
        #expect(MailOperation.send.action == "urn:wsemail:2:Send")
        #expect(MailOperation.send.replyAction == "urn:wsemail:2:SendResponse")
        #expect(MailOperation.extension.action == "urn:wsemail:2:Extension")
        #expect(MailOperation.issueToken.action == "http://docs.oasis-open.org/ws-sx/ws-trust/200512/RST/SCT")
        #expect(MailOperation.renewToken.replyAction == "http://docs.oasis-open.org/ws-sx/ws-trust/200512/RSTR/SCT/Renew")
        #expect(MailOperation.issueAssertion.action == "http://docs.oasis-open.org/ws-sx/ws-trust/200512/RST/Issue")
        #expect(MailOperation.issueAssertion.replyAction == "http://docs.oasis-open.org/ws-sx/ws-trust/200512/RSTRC/IssueFinal")
        #expect(MailOperation.issueAssertion.payloadName == Names.requestSecurityToken)
        #expect(MailOperation.issueAssertion.replyName == Names.requestSecurityTokenResponseCollection)
        #expect(MailOperation.cancelToken.payloadName == Names.requestSecurityToken)
        #expect(MailOperation(action: "urn:wsemail:2:send") == nil)
        #expect(MailOperation(action: "") == nil)
    }

    @Test func secretsAreNeverCompressed() {
        #expect(MailOperation.allCases.filter(\.replyCarriesSecret) == [.issueToken, .renewToken, .issueAssertion])
    }
}
