import Foundation
import Identity
import MailModel
import SOAPClient
import TestSupport
import Testing

@testable import MailServer

/// Plug-ins at sites, installed through the running server's own socket.
extension Site {
    /// A role address of one domain and the persons behind it.
    struct Role: Sendable {
        let address: Address
        let persons: [Address]
    }

    /// One administrative act. The client blocks: not a thread that a server in this process needs as well.
    @discardableResult
    func admin(_ command: AdminCommand, _ arguments: [AdminArgument: String] = [:]) async throws -> AdminReply {
        let client = AdminClient(path: configuration.adminSocketPath)
        let deadline = ContinuousClock.now + .seconds(20)
        while true {
            let result = await withCheckedContinuation { continuation in
                DispatchQueue.global().async {
                    continuation.resume(returning: Result { try client.perform(AdminRequest(command, arguments)) })
                }
            }
            // A server that takes mail already may not have opened its socket yet.
            if case .failure(let error as AdminError) = result, error.code == .notRunning, ContinuousClock.now < deadline {
                try await Task.sleep(for: .milliseconds(5))
                continue
            }
            let reply = try result.get()
            if let error = reply.error { throw error }
            return reply
        }
    }

    /// Settings under which no call of a plug-in fails for want of time, whatever else the machine does.
    static func withPlugins(_ configuration: inout ServerConfiguration) {
        configuration.pluginEngineLibrary = PluginWorkshop.engine
        configuration.pluginTimeLimitMilliseconds = 60_000
    }

    func install(_ name: String, of workshop: PluginWorkshop, grant: String? = nil) async throws {
        var arguments: [AdminArgument: String] = [.package: Data(try workshop.package(name)).base64EncodedString()]
        arguments[.capabilities] = grant
        let reply = try await admin(.pluginInstall, arguments)
        #expect(reply.details["problems_count"] == "0", "\(reply.message)")
    }

    /// The marker, which leaves a value for each message it sees; mail waits when it cannot.
    func installMarker(_ workshop: PluginWorkshop) async throws {
        try await admin(.publisherAdd, [.certificate: workshop.authority.certificatePEM])
        try await install("marker", of: workshop, grant: "key-value")
        try await admin(.pluginPolicy, [.plugin: "org.example.marker", .value: "closed"])
    }

    func installRole(_ role: Role, _ workshop: PluginWorkshop) async throws {
        try await install("role-mapper", of: workshop)
        try await admin(
            .pluginSet,
            [
                .plugin: "org.example.role-mapper", .name: "role.\(role.address.local)",
                .value: role.persons.map(\.description).joined(separator: ", "),
            ])
    }

    /// The vacation plug-in, whose users' answers are as good as their mail: it waits when the plug-in cannot work.
    func installVacation(_ workshop: PluginWorkshop) async throws {
        let plugin = "org.example.vacation"
        try await install("vacation", of: workshop, grant: "clock,key-value,send")
        try await admin(.pluginPolicy, [.plugin: plugin, .value: "closed"])
        try await admin(.pluginSet, [.plugin: plugin, .name: "answers-a-day", .value: "1000"])
    }

    /// The marker at both, and at the second one a role that stands for a person of each and the vacation plug-in.
    static func installPlugins(_ one: Site, _ two: Site) async throws -> Role {
        let workshop = try PluginWorkshop()
        let role = Role(address: try two.address("purchasing"), persons: [try two.address("dave"), try one.address("carol")])
        try await one.installMarker(workshop)
        try await two.installMarker(workshop)
        try await two.installRole(role, workshop)
        try await two.installVacation(workshop)
        return role
    }

    /// Waits until nothing waits in the queues of two running servers.
    /// - Parameter depth: jobs in the queue of a site.
    static func drain(_ one: Site, _ two: Site, depth: (Site) async throws -> Int) async throws {
        let deadline = ContinuousClock.now + .seconds(60)
        // What leaves one goes to the other: a role's answer takes the way back, once.
        for site in [one, two, one, two, one] {
            while true {
                let jobs = try await depth(site)
                if jobs == 0 { break }
                try #require(ContinuousClock.now < deadline, "\(jobs) jobs still wait at \(site.domain)")
                try await Task.sleep(for: .milliseconds(5))
            }
        }
    }
}

extension MailUser {
    static let vacationSubject = "Away"

    /// Sets what the vacation plug-in answers. Everybody is answered anew when the text is.
    func setVacation(_ text: String) async throws {
        let identifier = "urn:wsemail:example:vacation"
        let xml = "<Set xmlns=\"\(identifier)\"><Subject>\(Self.vacationSubject)</Subject><Text>\(text)</Text></Set>"
        let request = try ExtensionOperation.Request(identifier: identifier, content: ExtensionOperation.canonical(Array(xml.utf8)))
        while true {
            do {
                _ = try await call(ExtensionOperation.self, request)
                return
            } catch let error as SOAPClientError where error.isTransient && error.code != .untrustedReply {
                try await Task.sleep(for: .milliseconds(20))
            }
        }
    }
}
