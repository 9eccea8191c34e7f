import Foundation
import Identity
import NIOCore
import NIOPosix
import Testing

@testable import BlobStore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Somebody or something meddled with the folder.
@Suite("Damaged folders of files", .timeLimit(.minutes(1))) struct DamageTests {
    private func replace(_ path: String, _ body: (String) throws -> Void) throws {
        try? FileManager.default.removeItem(atPath: path)
        try body(path)
    }

    @Test func aDamagedFileIsFoundAndHealedByUploadingItAgain() async throws {
        let yard = try await BlobYard()
        let octets = BlobYard.octets(1_000)
        let digest = BlobYard.digest(octets)
        try await yard.put(octets)
        try Data(octets[..<400]).write(to: URL(fileURLWithPath: yard.path(of: octets)))
        #expect(try await yard.store.verify(owner: yard.alice, digest: digest) == .damaged)
        try await yard.restart()
        #expect(try await yard.store.usage(of: yard.alice) == 400)
        try await yard.put(octets)
        #expect(try await yard.store.verify(owner: yard.alice, digest: digest) == .intact)
        #expect(try await yard.store.usage(of: yard.alice) == 1_000)
    }

    @Test func aFileThatShrinksUnderItsReaderIsAnError() async throws {
        let yard = try await BlobYard()
        let octets = BlobYard.octets(1_000)
        try await yard.put(octets)
        let reader = try #require(try await yard.store.reader(owner: yard.alice, digest: BlobYard.digest(octets)))
        #expect(truncate(yard.path(of: octets), 10) == 0)
        #expect(await blobError { _ = try await reader.read(at: 0, count: 100) }?.code == .ioFailure)
        #expect(try await reader.read(at: 0, count: 10).readableBytes == 10)
    }

    @Test func whatIsNoRegularFileIsNotThereAndIsReplaced() async throws {
        let yard = try await BlobYard()
        let octets = BlobYard.octets(1_000)
        let digest = BlobYard.digest(octets)
        try await yard.put(octets)
        let path = yard.path(of: octets)
        let secret = yard.folder + "/secret"
        try Data(octets).write(to: URL(fileURLWithPath: secret))
        let plants: [(String) -> Void] = [
            { symlink(secret, $0) }, { symlink("/nowhere", $0) }, { mkfifo($0, 0o600) }, { symlink($0, $0) },
        ]
        for plant in plants {
            try replace(path) { plant($0) }
            #expect(try await yard.store.reader(owner: yard.alice, digest: digest) == nil)
            #expect(try await yard.store.pin(owner: yard.alice, digest: digest) == nil)
            #expect(try await yard.store.verify(owner: yard.alice, digest: digest) == .damaged)
            #expect(try await yard.collect().damaged.contains { $0.hasSuffix(Hex.encode(digest)) })
            try await yard.put(octets)
            #expect(try await yard.has(octets))
        }
        #expect(try Data(contentsOf: URL(fileURLWithPath: secret)) == Data(octets))
        try replace(path) { try FileManager.default.createDirectory(atPath: $0, withIntermediateDirectories: false) }
        #expect(try await yard.store.reader(owner: yard.alice, digest: digest) == nil)
        #expect(await blobError { try await yard.put(octets) }?.code == .ioFailure)
        try FileManager.default.removeItem(atPath: path)
        #expect(try await yard.store.openUpload(owner: yard.alice, digest: digest, size: 1_000, now: yard.now) == .complete)
    }

    @Test func aPlantedOwnersFolderIsNotFollowed() async throws {
        let yard = try await BlobYard()
        let elsewhere = yard.folder + "/elsewhere"
        try FileManager.default.createDirectory(atPath: elsewhere, withIntermediateDirectories: false)
        let folder = yard.folder + "/" + FileKey.folder(of: yard.alice)
        symlink(elsewhere, folder)
        #expect(await blobError { try await yard.put([1]) }?.code == .ioFailure)
        #expect(try await yard.store.reader(owner: yard.alice, digest: BlobYard.digest([1])) == nil)
        try await yard.restart()
        #expect(try await yard.collect().damaged.sorted() == [FileKey.folder(of: yard.alice), "elsewhere"].sorted())
        #expect(try FileManager.default.contentsOfDirectory(atPath: elsewhere) == [])
        try FileManager.default.removeItem(atPath: folder)
        #expect(try await yard.store.openUpload(owner: yard.alice, digest: BlobYard.digest([1]), size: 1, now: yard.now) == .complete)
    }

    @Test func aPlantedPartialFileIsNotFollowed() async throws {
        let yard = try await BlobYard()
        let target = yard.folder + "/target"
        try Data("precious".utf8).write(to: URL(fileURLWithPath: target))
        let upload = try await yard.open([1, 2])
        try replace(yard.partial(upload.id)) { symlink(target, $0) }
        #expect(
            await blobError { _ = try await yard.store.append(to: upload.id, secret: upload.secret, at: 0, now: yard.now) }?.code
                == .notFound)
        #expect(try String(contentsOfFile: target, encoding: .utf8) == "precious")
        try await yard.put([1, 2])
    }

    @Test func withoutTheOwnersNameNothingOfItIsDeleted() async throws {
        let yard = try await BlobYard()
        try await yard.put([1])
        let name = yard.folder + "/" + FileKey.folder(of: yard.alice) + "/owner"
        for text in ["", "bob@capicom.test", "no address", String(repeating: "x", count: 5_000)] {
            try Data(text.utf8).write(to: URL(fileURLWithPath: name))
            let result = try await yard.collect()
            #expect(result.files == 0 && result.damaged == [FileKey.folder(of: yard.alice) + "/owner"])
            #expect(try await yard.has([1]))
        }
        // The owner's next file repairs it.
        try await yard.put([2])
        #expect(try await yard.collect().files == 2)
    }

    @Test func aFolderThatOthersCanWriteToIsRefused() async throws {
        let yard = try await BlobYard()
        try FileManager.default.setAttributes([.posixPermissions: 0o777], ofItemAtPath: yard.folder)
        #expect(await blobError { try await yard.restart() }?.code == .ioFailure)
    }

    @Test func stoppedThreadsAreAnErrorAndNoTrap() async throws {
        let yard = try await BlobYard()
        let pool = NIOThreadPool(numberOfThreads: 1)
        pool.start()
        let store = try await DiskBlobStore.open(folder: yard.folder, pool: pool)
        try await pool.shutdownGracefully()
        #expect(await blobError { _ = try await store.reader(owner: yard.alice, digest: BlobYard.digest([1])) }?.code == .ioFailure)
        #expect(
            await blobError { _ = try await store.openUpload(owner: yard.alice, digest: BlobYard.digest([1]), size: 1, now: yard.now) }?
                .code == .ioFailure)
    }
}
