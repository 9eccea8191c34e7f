import FoundationEssentials
import Testing
import XMLCore

@testable import SOAP

@Suite struct SOAPFaultTests {
    private func written(_ fault: SOAPFault) -> [UInt8] {
        var envelope = OutgoingEnvelope()
        envelope.body(id: "b", isFault: true) { fault.write(into: &$0) }
        return envelope.finish(signature: nil)
    }

    @Test(arguments: FaultSubcode.allCases.filter { $0 != .unrecognized })
    func everySubcodeComesBack(subcode: FaultSubcode) throws {
        let fault = SOAPFault(
            subcode, "Reason with <markup> & \"quotes\" — ünïcode",
            detail: .init(serverTime: Date(timeIntervalSince1970: 1_795_461_938.5), next: 77, reference: "abc"))
        let envelope = try IncomingEnvelope(parsing: written(fault))
        #expect(envelope.fault == fault)
        #expect(envelope.fault?.isTransient == subcode.isTransient)
    }

    @Test func theSubcodesPrefixIsPartOfWhatIsSigned() throws {
        let envelope = try IncomingEnvelope(parsing: written(SOAPFault(.forbidden, "No.")))
        let canonical = String(decoding: envelope.body.canonicalBytes(), as: UTF8.self)
        #expect(canonical.contains("xmlns:w=\"urn:wsemail:2\""))
        #expect(canonical.contains("w:Forbidden"))
    }

    @Test func whatIsWrittenIsCanonical() throws {
        var envelope = OutgoingEnvelope()
        envelope.body(id: "b", isFault: true) { SOAPFault(.busy, "Later.", detail: .init(next: 3)).write(into: &$0) }
        let range = try #require(envelope.parts.first?.range)
        let octets = Array(envelope.bytes[range])
        let parsed = try IncomingEnvelope(parsing: envelope.finish(signature: nil))
        #expect(parsed.body.canonicalBytes() == octets)
    }

    @Test func unknownSubcodesAreJudgedByTheCode() throws {
        func fault(_ code: String, _ value: String) throws -> SOAPFault? {
            let text = """
                <s:Envelope xmlns:s="\(Namespaces.soap12)" xmlns:w="urn:wsemail:2" xmlns:x="urn:x"><s:Body><s:Fault><s:Code>\
                <s:Value>s:\(code)</s:Value><s:Subcode><s:Value>\(value)</s:Value></s:Subcode></s:Code>\
                <s:Reason><s:Text xml:lang="en">why</s:Text></s:Reason></s:Fault></s:Body></s:Envelope>
                """
            return try IncomingEnvelope(parsing: Array(text.utf8)).fault
        }
        #expect(try fault("Sender", "w:Brandnew")?.subcode == .unrecognized)
        #expect(try fault("Sender", "w:Brandnew")?.isTransient == false)
        #expect(try fault("Receiver", "w:Brandnew")?.isTransient == true)
        #expect(try fault("Sender", "x:Forbidden")?.subcode == .unrecognized)
        #expect(try fault("Sender", "w:Forbidden")?.subcode == .forbidden)
        #expect(try fault("Sender", "Forbidden")?.subcode == .unrecognized)
        #expect(try fault("Nobody", "w:Forbidden") == nil)
    }

    @Test func reasonsAreCut() {
        let long = SOAPFault(.internal, String(repeating: "é", count: 2000))
        #expect(long.reason.utf8.count == SOAPFault.maximumReason)
        let exact = String(repeating: "x", count: SOAPFault.maximumReason)
        #expect(SOAPFault(.internal, exact).reason == exact)
    }

    @Test func blameFollowsTheTable() {
        #expect(SOAPFault(.busy, "").code == .receiver)
        #expect(SOAPFault(.forbidden, "").code == .sender)
        #expect(SOAPFault(.unsupportedVersion, "").code == .versionMismatch)
        #expect(SOAPFault(.mustUnderstand, "").code == .mustUnderstand)
        #expect(SOAPFault(.staleTimestamp, "").isTransient)
        #expect(!SOAPFault(.failedAuthentication, "").isTransient)
    }

    @Test(arguments: [
        (FaultSubcode.unknownExtension, "UnknownExtension", SOAPFault.Code.sender, false),
        (.extensionFailed, "ExtensionFailed", .sender, false), (.refusedByPolicy, "RefusedByPolicy", .sender, false),
        (.pluginUnavailable, "PluginUnavailable", .receiver, true),
    ])
    func plugInsHaveTheirOwnRows(subcode: FaultSubcode, name: String, code: SOAPFault.Code, isTransient: Bool) {
        let fault = SOAPFault(subcode, "")
        #expect(subcode.rawValue == name && fault.code == code && fault.isTransient == isTransient)
    }
}
