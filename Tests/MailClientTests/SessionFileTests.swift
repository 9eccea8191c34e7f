import Foundation
import Identity
import Testing
import WSSecurity

@testable import MailClient

@Suite struct SessionFileTests {
    private static func session(_ id: String = "urn:uuid:1") -> ClientSession {
        ClientSession(id: id, secret: .random(), created: now, expires: now.addingTimeInterval(3600))
    }

    private static func file(_ place: TemporaryFolder) throws -> SessionFile {
        let folder = try ClientFolder(path: place.path).folder(of: Address("alice@capicom.test"))
        try ClientFolder.create(folder.path)
        return SessionFile(folder)
    }

    @Test func keepsASessionPrivately() async throws {
        let place = try TemporaryFolder()
        let file = try Self.file(place)
        let session = Self.session()
        let lock = try await file.lock()
        #expect(try file.take(lock) == nil)
        try file.store(session, lock)
        #expect(place.mode("accounts/alice@capicom.test/session.json") == 0o600)
        let taken = try #require(try file.take(lock))
        #expect(taken.id == session.id && taken.secret == session.secret && taken.expires == session.expires)
    }

    @Test func handsOutEveryNumberOnce() async throws {
        let place = try TemporaryFolder()
        let file = try Self.file(place)
        let first = try await file.lock()
        try file.store(Self.session(), first)
        first.release()
        // Tasks here stand for processes: each opens the lock file anew.
        let blocks = try await withThrowingTaskGroup(of: UInt64.self) { group in
            for _ in 0..<20 {
                group.addTask {
                    let lock = try await file.lock()
                    defer { lock.release() }
                    return try #require(try file.take(lock)).nextSequence
                }
            }
            return try await group.reduce(into: [UInt64]()) { $0.append($1) }.sorted()
        }
        #expect(blocks.count == 20)
        // Whoever stored the session has its first block.
        #expect(blocks.first == 1 + SessionFile.block)
        for (one, next) in zip(blocks, blocks.dropFirst()) { #expect(next - one >= SessionFile.block) }
    }

    @Test func jumpsAheadWhenTheServerSaysSo() async throws {
        let place = try TemporaryFolder()
        defer { withExtendedLifetime(place) {} }
        let file = try Self.file(place)
        let lock = try await file.lock()
        try file.store(Self.session(), lock)
        #expect(try file.take(lock, atLeast: 5_000)?.nextSequence == 5_000)
        #expect(try file.take(lock)?.nextSequence == 5_000 + SessionFile.block)
    }

    @Test func forgetsOnlyTheSessionThatEnded() async throws {
        let place = try TemporaryFolder()
        defer { withExtendedLifetime(place) {} }
        let file = try Self.file(place)
        let lock = try await file.lock()
        try file.store(Self.session("urn:uuid:new"), lock)
        try file.clear("urn:uuid:old", lock)
        #expect(try file.take(lock) != nil)
        try file.clear("urn:uuid:new", lock)
        #expect(try file.take(lock) == nil)
    }

    @Test func aDamagedFileIsAsGoodAsNone() async throws {
        let place = try TemporaryFolder()
        let file = try Self.file(place)
        try PrivateFile.write("{", to: place.path + "/accounts/alice@capicom.test/session.json")
        let lock = try await file.lock()
        #expect(try file.take(lock) == nil)
    }

    @Test func aReadableFileIsRefused() async throws {
        let place = try TemporaryFolder()
        let file = try Self.file(place)
        let lock = try await file.lock()
        try file.store(Self.session(), lock)
        try FileManager.default.setAttributes(
            [.posixPermissions: 0o640], ofItemAtPath: place.path + "/accounts/alice@capicom.test/session.json")
        await expect(.storage) { try file.take(lock) }
    }

    @Test func waitsForTheLockButNotForever() async throws {
        let place = try TemporaryFolder()
        defer { withExtendedLifetime(place) {} }
        let file = try Self.file(place)
        let held = try await file.lock()
        await expect(.busy) { try await file.lock(timeout: .milliseconds(60)) }
        held.release()
        _ = try await file.lock(timeout: .milliseconds(60))
    }
}
