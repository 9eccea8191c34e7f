import Foundation
import Identity
import MailModel
import SOAP
import SOAPClient
import Testing
import WSSecurity

@testable import MailServer

/// Nobody but the administrator of the machine manages plug-ins.
@Suite(.serialized, .timeLimit(.minutes(2))) struct PluginManagementTests {
    @Test func `no operation of the service leads to the management of plug-ins`() {
        // The table of operations is all that the endpoint dispatches; management is not in it.
        let names = Set(MailOperation.allCases.map { $0.rawValue.lowercased() })
        for command in AdminCommand.allCases where command.rawValue.hasPrefix("plugin") || command.rawValue.hasPrefix("publisher") {
            #expect(!names.contains(command.rawValue), "\(command.rawValue)")
        }
        #expect(names.allSatisfy { !$0.contains("plugin") && !$0.contains("publisher") && !$0.contains("admin") })
    }

    @Test func `users and foreign servers reach no management function, by any extension or action`() async throws {
        let (domains, workshop) = try await TwoDomains.startWithPlugins()
        try await domains.scopio.install(workshop.package("noop"))
        let bob = try TestUser("bob", of: domains.scopio)
        let before = try await domains.scopio.plugin("org.example.noop")
        for command in AdminCommand.allCases where command.rawValue.hasPrefix("p") {
            let name = command.rawValue.replacing(" ", with: ":")
            for identifier in ["urn:wsemail:2:\(name)", "urn:wsemail:admin:\(name)", "urn:wsemail:plugin:org.example.noop"] {
                let fault = await #expect(throws: SOAPClientError.self) {
                    try await bob.extend(identifier, "<x xmlns=\"urn:x\"><plugin>org.example.noop</plugin></x>")
                }
                #expect(fault?.fault?.subcode == .unknownExtension)
            }
        }
        #expect(try await domains.scopio.plugin("org.example.noop")["state"] == before["state"])
        await bob.close()
        try await domains.remove()
    }

    @Test func `an extension for users is closed to foreign servers, and to nobody's calls`() async throws {
        let (domains, workshop) = try await TwoDomains.startWithPlugins()
        try await domains.scopio.install(workshop.package("vacation"), grant: "clock,key-value,send")
        let get = "<Get xmlns=\"urn:wsemail:example:vacation\"/>"
        let request = try ExtensionOperation.Request(
            identifier: "urn:wsemail:example:vacation", content: ExtensionOperation.canonical(Array(get.utf8)))
        // A trusted domain's server, with its own key, in a session of its own.
        let peer = try AttackPeer("evil.test")
        try await domains.scopio.trust(peer)
        let transport = TLSTransport()
        let caller = try peer.caller(to: domains.scopio, stapling: peer.octets(peer.metadata()), over: transport)
        let fault = await #expect(throws: SOAPClientError.self) {
            _ = try await caller.call(.extension, at: domains.scopio.destination) { try request.write(into: &$0) }
        }
        #expect(fault?.fault?.subcode == .forbidden)
        await caller.close()
        await transport.shutDown()
        try await domains.remove()
    }

    @Test func `the admin socket and the plug-ins' cache are the server's own`() async throws {
        let (domains, workshop) = try await TwoDomains.startWithPlugins()
        try await domains.scopio.install(workshop.package("noop"))
        let configuration = domains.scopio.configuration
        for (path, mode) in [(configuration.adminSocketPath, 0o600), (configuration.pluginCacheDirectory, 0o700)] {
            let attributes = try FileManager.default.attributesOfItem(atPath: path)
            #expect((attributes[.posixPermissions] as? NSNumber)?.intValue == mode, "\(path)")
        }
        try await domains.remove()
    }
}
