import Foundation
import Identity
import MailModel
import SOAP
import Testing

@testable import MailClient
@testable import wsemail

@Suite struct ExtensionCallTests {
    private let home: TestDomain
    private let place: TemporaryFolder

    init() throws {
        home = try TestDomain("capicom.test")
        place = try TemporaryFolder()
    }

    private func client(_ server: FakeServer) throws -> MailClient {
        try place.client("alice@capicom.test", home, server: server)
    }

    @Test func theRootElementIsSentInCanonicalForm() async throws {
        let server = FakeServer { operation, _ in
            #expect(operation == .extension)
            return ExtensionOperation.Response(content: Array("<ok></ok>".utf8))
        }
        let request = Array("<?xml version=\"1.0\"?>\n<status  a='1'/>\n".utf8)
        let answer = try await client(server).callExtension("urn:example:vacation:1", request)
        #expect(answer == Array("<ok></ok>".utf8))
        let sent = try #require(server.requests(ExtensionOperation.Request.self).first)
        #expect(sent.identifier == "urn:example:vacation:1" && sent.content == Array("<status a=\"1\"></status>".utf8))
    }

    @Test(arguments: [
        ("vacation", "<a/>"), ("", "<a/>"), ("urn:x y", "<a/>"), ("urn:x:y", ""), ("urn:x:y", "hello"), ("urn:x:y", "<a/><b/>"),
        ("urn:x:y", "<!DOCTYPE a><a/>"),
    ])
    func whatCannotBeAskedIsNotSent(_ identifier: String, _ request: String) async throws {
        let server = FakeServer { _, _ in throw SOAPFault(.internal, "nobody should have asked") }
        let client = try client(server)
        await expect(.invalidInput) { try await client.callExtension(identifier, Array(request.utf8)) }
        #expect(server.calls.isEmpty)
    }

    @Test(arguments: [
        (FaultSubcode.unknownExtension, false), (.extensionFailed, false), (.refusedByPolicy, false), (.pluginUnavailable, true),
    ])
    func faultsOfPlugInsAreToldApart(subcode: FaultSubcode, isTransient: Bool) async throws {
        let client = try client(FakeServer { _, _ in throw SOAPFault(subcode, "it says why") })
        let error = await expect(.refused) { try await client.callExtension("urn:x:y", Array("<a/>".utf8)) }
        #expect(error?.fault == subcode.rawValue && error?.isTransient == isTransient)
        #expect(error?.reason.hasSuffix("it says why") == true)
        #expect(CommandFailure.exitCode(try #require(error)) == .failure)
    }

    @Test func theCommandTakesAnIdentifierAndAFile() throws {
        let command = try #require(try WSEmailCommand.parseAsRoot(["extension", "urn:x:y", "a.xml", "--json"]) as? ExtensionCommand)
        #expect(command.identifier == "urn:x:y" && command.file == "a.xml" && command.common.isJSON)
        #expect((try WSEmailCommand.parseAsRoot(["extension", "urn:x:y"]) as? ExtensionCommand)?.file == "-")
        #expect(throws: (any Error).self) { try WSEmailCommand.parseAsRoot(["extension"]) }
    }
}
