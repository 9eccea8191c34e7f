import Foundation
import Identity
import NIOCore
import Testing

@testable import BlobStore

/// The process dies anywhere; another one opens the folder.
@Suite("Uploads and crashes", .timeLimit(.minutes(1))) struct CrashedUploadTests {
    /// An upload with `written` octets in the file, of which `durable` were made durable, whose process died.
    private func crashed(
        _ yard: BlobYard, _ octets: [UInt8], durable: Int, written: Int
    ) async throws -> (id: String, secret: [UInt8]) {
        let upload = try await yard.open(octets)
        if durable > 0 {
            let writer = try await yard.store.append(to: upload.id, secret: upload.secret, at: 0, now: yard.now)
            try await writer.write(ByteBuffer(bytes: octets[..<durable]))
            #expect(try await writer.finish() == .partial(offset: UInt64(durable)))
        }
        let writer = try await yard.store.append(to: upload.id, secret: upload.secret, at: UInt64(durable), now: yard.now)
        if written > durable { try await writer.write(ByteBuffer(bytes: octets[durable..<written])) }
        try await yard.restart()
        withExtendedLifetime(writer) {}
        return (upload.id, upload.secret)
    }

    @Test func afterAKillEverythingWrittenIsStillThere() async throws {
        let yard = try await BlobYard { $0.pieceSize = 10 }
        let octets = BlobYard.octets(1_000)
        let upload = try await crashed(yard, octets, durable: 300, written: 700)
        #expect(try await yard.store.uploadStatus(upload.id, secret: upload.secret, now: yard.now) == (700, 1_000))
        // The old ticket is still good, and so is a new one.
        let writer = try await yard.store.append(to: upload.id, secret: upload.secret, at: 700, now: yard.now)
        try await writer.write(ByteBuffer(bytes: octets[700..<800]))
        await writer.abandon()
        #expect(try await yard.open(octets).offset == 800)
        try await yard.put(octets)
        #expect(try await yard.has(octets))
    }

    @Test func afterAPowerCutOnlyWhatWasDurableCounts() async throws {
        let yard = try await BlobYard { $0.pieceSize = 10 }
        let octets = BlobYard.octets(1_000)
        let upload = try await crashed(yard, octets, durable: 300, written: 700)
        try await yard.cutPower(upload.id, keeping: 300)
        #expect(try await yard.store.uploadStatus(upload.id, secret: upload.secret, now: yard.now) == (300, 1_000))
        #expect(try await yard.open(octets).offset == 300)
        // Killed before anything was appended: the zeros beyond must not be believed now.
        try await yard.restart()
        #expect(try await yard.open(octets).offset == 300)
        try await yard.put(octets)
        #expect(try await yard.has(octets))
    }

    @Test func aLongAppendIsNotedNowAndThen() async throws {
        let yard = try await BlobYard {
            $0.pieceSize = 10
            $0.checkpoint = 100
        }
        let octets = BlobYard.octets(1_000)
        let upload = try await yard.open(octets)
        let writer = try await yard.store.append(to: upload.id, secret: upload.secret, at: 0, now: yard.now)
        for start in stride(from: 0, to: 250, by: 10) { try await writer.write(ByteBuffer(bytes: octets[start..<start + 10])) }
        try await yard.restart()
        try await yard.cutPower(upload.id, keeping: 200)
        #expect(try await yard.open(octets).offset == 200)
        withExtendedLifetime(writer) {}
        try await yard.put(octets)
        #expect(try await yard.has(octets))
    }

    @Test func afterAFailedSyncOnlyWhatWasDurableCounts() async throws {
        let yard = try await BlobYard { $0.pieceSize = 10 }
        let octets = BlobYard.octets(1_000)
        let upload = try await yard.open(octets)
        let first = try await yard.store.append(to: upload.id, secret: upload.secret, at: 0, now: yard.now)
        try await first.write(ByteBuffer(bytes: octets[..<300]))
        _ = try await first.finish()
        do {
            let writer = try await yard.store.append(to: upload.id, secret: upload.secret, at: 300, now: yard.now)
            try await writer.write(ByteBuffer(bytes: octets[300..<700]))
            let token = try #require(yard.store.tables.record(upload.id)?.slot?.token)
            yard.store.distrust(upload.id, token)
        }
        #expect(try await yard.store.uploadStatus(upload.id, secret: upload.secret, now: yard.now) == (300, 1_000))
        try await yard.put(octets)
        #expect(try await yard.has(octets))
    }

    @Test(arguments: [0, 1, 299]) func aShorterFileThanNotedIsTakenAsItIs(_ length: Int) async throws {
        let yard = try await BlobYard { $0.pieceSize = 10 }
        let octets = BlobYard.octets(1_000)
        let upload = try await crashed(yard, octets, durable: 300, written: 700)
        try Data(octets[..<length]).write(to: URL(fileURLWithPath: yard.partial(upload.id)))
        let error = await blobError {
            _ = try await yard.store.append(to: upload.id, secret: upload.secret, at: 700, now: yard.now)
        }
        #expect(error?.code == .wrongOffset && error?.offset == UInt64(length))
        try await yard.put(octets)
        #expect(try await yard.has(octets))
    }

    @Test func zerosThatWereBelievedAreCaughtByTheDigest() async throws {
        let yard = try await BlobYard { $0.pieceSize = 10 }
        let octets = BlobYard.octets(1_000)
        let upload = try await crashed(yard, octets, durable: 300, written: 700)
        try Data(octets[..<300] + [UInt8](repeating: 0, count: 400)).write(to: URL(fileURLWithPath: yard.partial(upload.id)))
        let writer = try await yard.store.append(to: upload.id, secret: upload.secret, at: 700, now: yard.now)
        try await writer.write(ByteBuffer(bytes: octets[700...]))
        #expect(await blobError { _ = try await writer.finish() }?.code == .digestMismatch)
        #expect(try await yard.open(octets).offset == 0, "the client starts anew")
        try await yard.put(octets)
    }

    @Test func aWholeUploadThatWasNotFinishedIsCompletedWhenOpened() async throws {
        let yard = try await BlobYard { $0.pieceSize = 10 }
        let octets = BlobYard.octets(1_000)
        _ = try await crashed(yard, octets, durable: 300, written: 1_000)
        let digest = BlobYard.digest(octets)
        #expect(try await yard.store.openUpload(owner: yard.alice, digest: digest, size: 1_000, now: yard.now) == .complete)
        #expect(try await yard.has(octets))
        #expect(try yard.names("uploads") == [])
        #expect(try await yard.store.usage(of: yard.alice) == 1_000)
    }

    @Test func aWholeUploadOfOtherOctetsStartsAnewWhenOpened() async throws {
        let yard = try await BlobYard { $0.pieceSize = 10 }
        let octets = BlobYard.octets(1_000)
        let upload = try await crashed(yard, octets, durable: 300, written: 1_000)
        try Data(count: 1_000).write(to: URL(fileURLWithPath: yard.partial(upload.id)))
        #expect(try await yard.open(octets).offset == 0)
        try await yard.put(octets)
        #expect(try await yard.has(octets))
    }

    @Test func aPartialFileThatIsGoneIsBegunAnew() async throws {
        let yard = try await BlobYard { $0.pieceSize = 10 }
        let octets = BlobYard.octets(1_000)
        let upload = try await crashed(yard, octets, durable: 300, written: 300)
        try FileManager.default.removeItem(atPath: yard.partial(upload.id))
        let again = try await yard.open(octets)
        #expect(again.offset == 0 && again.id != upload.id)
        try FileManager.default.removeItem(atPath: yard.partial(again.id))
        #expect(
            await blobError { _ = try await yard.store.append(to: again.id, secret: again.secret, at: 0, now: yard.now) }?.code == .notFound
        )
        try await yard.put(octets)
        #expect(try await yard.store.usage(of: yard.alice) == 1_000)
    }

    @Test func leftOversOfCrashesAreCollectedAndLivingUploadsKept() async throws {
        let yard = try await BlobYard()
        let living = try await yard.open([1, 2, 3])
        func plant(_ name: String, _ text: String = "x") throws {
            try Data(text.utf8).write(to: URL(fileURLWithPath: yard.partial(name)))
        }
        let id = { RandomID.hex(16) }
        try plant(id())  // a partial file without a sidecar
        try plant(id() + ".json", "{}")  // the reverse
        let broken = id()
        try plant(broken)
        try plant(broken + ".json", "no JSON")
        let foreign = id()
        try plant(foreign)
        try plant(foreign + ".json", #"{"owner":"","digest":"zz","size":1e300,"secret":"","created":1,"expires":1,"durable":0,"boot":""}"#)
        let huge = id()
        try plant(huge)
        try plant(huge + ".json", String(repeating: " ", count: 9_000))
        try plant(id() + ".tmp")
        try plant(id() + ".new")
        symlink("/etc/passwd", yard.partial(id()))
        try plant("notes of the administrator")
        try FileManager.default.createDirectory(atPath: yard.partial(id()), withIntermediateDirectories: false)
        let before = try Data(contentsOf: URL(fileURLWithPath: "/etc/passwd"))
        try await yard.restart()
        let result = try await yard.collect()
        #expect(result.orphans == 11 && result.uploads == 0 && result.damaged.count == 2, "\(result)")
        #expect(try yard.names("uploads").count == 4)
        #expect(try await yard.open([1, 2, 3]).id == living.id)
        #expect(try Data(contentsOf: URL(fileURLWithPath: "/etc/passwd")) == before)
    }

    @Test func aCrashBetweenTheMoveAndTheEndLeavesAWholeFile() async throws {
        let yard = try await BlobYard()
        let octets = BlobYard.octets(1_000)
        let upload = try await yard.open(octets)
        let sidecar = try Data(contentsOf: URL(fileURLWithPath: yard.partial(upload.id) + ".json"))
        try await yard.put(octets)
        try sidecar.write(to: URL(fileURLWithPath: yard.partial(upload.id) + ".json"))
        try await yard.restart()
        #expect(try await yard.store.usage(of: yard.alice) == 1_000)
        #expect(try await yard.collect(olderThan: .distantPast).orphans == 1)
        #expect(try await yard.has(octets))
    }

    @Test func anOwnersFolderACrashLeftEmptyIsUsedOrCollected() async throws {
        let yard = try await BlobYard()
        let folder = yard.folder + "/" + FileKey.folder(of: yard.alice)
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        try await yard.put([1])
        #expect(try yard.names(FileKey.folder(of: yard.alice)).contains("owner"))
        #expect(try await yard.collect().files == 1)
        #expect(!FileManager.default.fileExists(atPath: folder))
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        #expect(try await yard.collect().orphans == 1)
        #expect(!FileManager.default.fileExists(atPath: folder))
        try await yard.put([1])
        #expect(try await yard.has([1]))
    }
}
