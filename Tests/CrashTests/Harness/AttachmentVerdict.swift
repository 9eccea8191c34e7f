import BlobStore
import Crypto
import Foundation
import Identity
import MailStore
import NIOPosix
import PluginHost
import SOAPClient
import Testing

@testable import MailServer

/// What must be true of a site's files once it has stopped.
enum AttachmentVerdict {
    /// How much was looked at.
    struct Figures {
        var holds = 0
        var files = 0
        /// Files and uploads that were nobody's: what kills left, and what was never sent.
        var collected = 0
    }

    /// Collects as if a long time had passed; then exactly the files that holds name are there, whole.
    @discardableResult
    static func check(_ site: Site) async throws -> Figures {
        var figures = Figures()
        let before = try Set(names(in: site))
        let (expected, held) = try await site.withStore { store in
            try await collect(site, store)
            return try await holds(in: store)
        }
        figures.holds = held
        let found = try names(in: site)
        figures.files = found.count
        figures.collected = before.subtracting(found).count
        let surplus = Set(found).subtracting(expected.keys)
        #expect(surplus.isEmpty, "files that nobody holds at \(site.domain): \(surplus.sorted())")
        for (name, size) in expected {
            let content = FileManager.default.contents(atPath: site.configuration.filesPath + "/" + name)
            let octets = try #require(content, "a hold without its file at \(site.domain): \(name)")
            #expect(UInt64(octets.count) == size && name.hasSuffix(Hex.encode(Array(SHA256.hash(data: octets)))), "\(name) is damaged")
        }
        return figures
    }

    /// As the server does it hourly, when all times of grace are over.
    private static func collect(_ site: Site, _ store: any MailStore) async throws {
        let pool = NIOThreadPool(numberOfThreads: 2)
        pool.start()
        let later = Date().addingTimeInterval(30 * 86_400)
        do {
            let blobs = try await DiskBlobStore.open(folder: site.configuration.filesPath, pool: pool)
            try await FileCollector(blobs: blobs, store: store, logger: quiet).round(now: later)
        } catch {
            try? await pool.shutdownGracefully()
            throw error
        }
        try await pool.shutdownGracefully()
    }

    /// The paths and sizes that the holds name, and how many holds there are.
    private static func holds(in store: any MailStore) async throws -> ([String: UInt64], Int) {
        var expected: [String: UInt64] = [:]
        var count = 0
        var cursor: [UInt8]?
        while true {
            let keys = try await store.pluginKeys(prefix: [], after: cursor, limit: 500, of: HostValues.holds)
            for key in keys {
                let hold = try #require(HostValues.hold(key))
                let value = try #require(try await store.pluginValue(key, of: HostValues.holds))
                let folder = Hex.encode(Array(SHA256.hash(data: Data(hold.owner.description.utf8))))
                expected[folder + "/" + Hex.encode(hold.digest)] = HostValues.holdSize(value.value)
                count += 1
            }
            guard let last = keys.last else { return (expected, count) }
            cursor = last
        }
    }

    /// All files but those that say whose the others are.
    private static func names(in site: Site) throws -> [String] {
        let root = site.configuration.filesPath
        var found: [String] = []
        for folder in try FileManager.default.contentsOfDirectory(atPath: root) {
            for name in try FileManager.default.contentsOfDirectory(atPath: root + "/" + folder) where name != "owner" {
                found.append(folder + "/" + name)
            }
        }
        return found
    }

    /// Fetches all files of all messages in a user's Inbox, some at a time.
    /// - Parameter revoked: GUIDs of those that must be refused.
    /// - Returns: how many were fetched, and how many refused.
    static func fetchAll(
        of user: AttachmentUser, at home: Site, keptBy keeper: Site, revoked: Set<String> = []
    ) async throws -> (fetched: Int, refused: Int) {
        let files = try await user.received().files
        let token = home.domain == keeper.domain ? nil : try await user.token(for: keeper.domain)
        let atOnce = 4
        try await withThrowingTaskGroup(of: Void.self) { group in
            for part in 0..<atOnce {
                group.addTask {
                    for file in stride(from: part, to: files.count, by: atOnce).map({ files[$0] }) {
                        if revoked.contains(file.guid) {
                            await expectRefusal(of: file, to: user, by: keeper, token)
                        } else {
                            let octets = try await user.fetch(file, from: keeper, token: token)
                            #expect(
                                UInt64(octets.count) == file.size && Array(SHA256.hash(data: octets)) == file.digest,
                                "\(user.address) does not get \(file.guid) of \(file.message) whole")
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
        let refused = files.filter { revoked.contains($0.guid) }.count
        return (files.count - refused, refused)
    }

    private static func expectRefusal(
        of file: ReceivedFile, to user: AttachmentUser, by keeper: Site, _ token: FederatedCaller.Credential?
    ) async {
        do {
            _ = try await user.fetch(file, from: keeper, token: token)
            Issue.record("\(user.address) gets \(file.guid), which was revoked")
        } catch {
            #expect((error as? SOAPClientError)?.fault?.subcode == .extensionFailed, "\(error)")
        }
    }
}
