import Foundation
import Identity
import Logging
import MailModel
import TestSupport
import Testing

@testable import MailServer

extension TestDomain {
    /// One administrative act over the server's own socket. The client blocks: it needs a thread of its own, as the servers in this
    /// process share all the others.
    @discardableResult
    func admin(_ command: AdminCommand, _ arguments: [AdminArgument: String] = [:]) async throws -> AdminReply {
        let client = AdminClient(path: configuration.adminSocketPath)
        let reply = try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread {
                continuation.resume(with: Result { try client.perform(AdminRequest(command, arguments)) })
            }
        }
        if let error = reply.error { throw error }
        return reply
    }

    func believe(_ workshop: PluginWorkshop) async throws {
        try await admin(.publisherAdd, [.certificate: workshop.authority.certificatePEM])
    }

    @discardableResult
    func install(_ package: [UInt8], grant: String? = nil) async throws -> AdminReply {
        var arguments: [AdminArgument: String] = [.package: Data(package).base64EncodedString()]
        arguments[.capabilities] = grant
        let reply = try await admin(.pluginInstall, arguments)
        #expect(reply.details["problems_count"] == "0", "\(reply.message)")
        return reply
    }

    /// A plug-in's row of `plugin list`.
    func plugin(_ name: String) async throws -> [String: String] {
        let list = try await admin(.pluginList)
        let row = try #require(list.rows.first { list.value("plugin", in: $0)?.hasPrefix(name) == true })
        return Dictionary(uniqueKeysWithValues: zip(list.columns, row))
    }
}

extension TwoDomains {
    /// Two domains whose servers run plug-ins of one publisher.
    static func startWithPlugins(
        change: @escaping (inout ServerConfiguration) -> Void = { _ in }, logger: Logger = quiet
    ) async throws -> (TwoDomains, PluginWorkshop) {
        let workshop = try PluginWorkshop()
        let domains = try await TwoDomains.start(
            change: { configuration in
                configuration.pluginEngineLibrary = PluginWorkshop.engine
                change(&configuration)
            }, logger: logger)
        try await domains.capicom.believe(workshop)
        try await domains.scopio.believe(workshop)
        return (domains, workshop)
    }
}

extension TestUser {
    /// Calls an extension and gives its answer.
    @discardableResult
    func extend(_ identifier: String, _ xml: String) async throws -> String {
        let request = try ExtensionOperation.Request(identifier: identifier, content: ExtensionOperation.canonical(Array(xml.utf8)))
        return String(decoding: try await call(ExtensionOperation.self, request).content, as: UTF8.self)
    }

    func retrieve(_ header: MessageHeader) async throws -> (message: SealedMessage, postmark: SealedPostmark) {
        let response = try await call(RetrieveOperation.self, .init(messageID: header.id, uid: header.uid))
        let postmark = try #require(response.postmark)
        return (try SealedMessage(octets: response.message), try SealedPostmark(octets: postmark))
    }

    /// Everything in a folder, all pages.
    func everything(in folder: String) async throws -> [MessageHeader] {
        var headers: [MessageHeader] = []
        while true {
            let page = try await list(folder, after: headers.last?.uid ?? 0)
            headers += page.headers
            if page.headers.isEmpty { return headers }
        }
    }
}
