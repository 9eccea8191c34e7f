import Foundation
import Identity
import NIOCore
import Testing

@testable import BlobStore

/// Uploads as clients see them.
@Suite("Uploads", .timeLimit(.minutes(1))) struct UploadTests {
    @Test func aFileComesInPiecesAndIsReadBack() async throws {
        let yard = try await BlobYard { $0.pieceSize = 1_000 }
        let octets = BlobYard.octets(10_007)
        let upload = try await yard.open(octets)
        #expect(upload.id.count == 32 && upload.secret.count == 32 && upload.offset == 0)
        #expect(upload.expires == yard.now.addingTimeInterval(7 * 24 * 3_600))
        #expect(try await yard.has(octets) == false, "not before it is whole")
        let writer = try await yard.store.append(to: upload.id, secret: upload.secret, at: 0, now: yard.now)
        for start in stride(from: 0, to: 6_000, by: 300) {
            try await writer.write(ByteBuffer(bytes: octets[start..<start + 300]))
        }
        #expect(try await writer.finish() == .partial(offset: 6_000))
        let status = try await yard.store.uploadStatus(upload.id, secret: upload.secret, now: yard.now)
        #expect(status == (6_000, 10_007))
        let second = try await yard.store.append(to: upload.id, secret: upload.secret, at: 6_000, now: yard.now)
        try await second.write(ByteBuffer(bytes: octets[6_000...]))
        #expect(try await second.finish() == .complete)
        #expect(try await yard.has(octets))
        #expect(try yard.names("uploads") == [])
        #expect(try await yard.store.verify(owner: yard.alice, digest: BlobYard.digest(octets)) == .intact)
        // The upload is gone.
        let error = await blobError { _ = try await yard.store.uploadStatus(upload.id, secret: upload.secret, now: yard.now) }
        #expect(error?.code == .notFound)
    }

    @Test func filesAndFoldersAreTheOwnersOnly() async throws {
        let yard = try await BlobYard()
        try await yard.put([1, 2, 3])
        _ = try await yard.open([4, 5])
        func mode(_ path: String) throws -> Int? {
            try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        }
        #expect(try mode(yard.folder) == 0o700)
        #expect(try mode(yard.folder + "/uploads") == 0o700)
        for name in try yard.names("uploads") { #expect(try mode(yard.partial(name)) == 0o600) }
        let owner = yard.folder + "/" + FileKey.folder(of: yard.alice)
        #expect(try mode(owner) == 0o700)
        #expect(try mode(yard.path(of: [1, 2, 3])) == 0o600)
        #expect(try mode(owner + "/owner") == 0o600)
        #expect(try String(contentsOfFile: owner + "/owner", encoding: .utf8) == "alice@capicom.test")
    }

    /// model: owner
    @Test func aFileThatIsThereIsCompleteAtOnceForItsOwnerOnly() async throws {
        let yard = try await BlobYard()
        try await yard.put([1, 2, 3])
        let digest = BlobYard.digest([1, 2, 3])
        #expect(try await yard.store.openUpload(owner: yard.alice, digest: digest, size: 3, now: yard.now) == .complete)
        #expect(try await yard.has([1, 2, 3], owner: yard.bob) == false)
        _ = try await yard.open([1, 2, 3], owner: yard.bob)
    }

    @Test func theSameOpenedAgainGoesOnWithANewSecret() async throws {
        let yard = try await BlobYard()
        let octets = BlobYard.octets(5_000)
        let first = try await yard.open(octets)
        let writer = try await yard.store.append(to: first.id, secret: first.secret, at: 0, now: yard.now)
        try await writer.write(ByteBuffer(bytes: octets[..<2_000]))
        await writer.abandon()
        let second = try await yard.open(octets)
        #expect(second.id == first.id && second.offset == 2_000 && second.secret != first.secret)
        #expect(await blobError { _ = try await yard.store.uploadStatus(first.id, secret: first.secret, now: yard.now) }?.code == .notFound)
        try await yard.put(octets)
        #expect(try await yard.has(octets))
    }

    @Test func unknownWrongAndExpiredAreOneAnswer() async throws {
        let yard = try await BlobYard()
        let upload = try await yard.open([1, 2])
        var errors: [BlobError?] = []
        for (id, secret, now) in [
            ("00", upload.secret, yard.now), ("../" + upload.id, upload.secret, yard.now), ("", [], yard.now),
            (upload.id, [UInt8](repeating: 0, count: 32), yard.now), (upload.id, [], yard.now), (upload.id, upload.secret, upload.expires),
        ] {
            errors.append(await blobError { _ = try await yard.store.uploadStatus(id, secret: secret, now: now) })
            errors.append(await blobError { _ = try await yard.store.append(to: id, secret: secret, at: 0, now: now) })
        }
        #expect(errors.count == 12 && Set(errors).count == 1 && errors[0]?.code == .notFound)
        let last = upload.expires.addingTimeInterval(-1)
        #expect(try await yard.store.uploadStatus(upload.id, secret: upload.secret, now: last).size == 2)
    }

    @Test func progressProlongsTheLifeOfAnUpload() async throws {
        let yard = try await BlobYard()
        let upload = try await yard.open([1, 2, 3])
        yard.clock.advance(6 * 24 * 3_600)
        let writer = try await yard.store.append(to: upload.id, secret: upload.secret, at: 0, now: yard.now)
        try await writer.write(ByteBuffer(bytes: [1]))
        #expect(try await writer.finish() == .partial(offset: 1))
        yard.clock.advance(6 * 24 * 3_600)
        try await yard.restart()
        #expect(try await yard.store.uploadStatus(upload.id, secret: upload.secret, now: yard.now) == (1, 3))
        // No progress: the opening alone prolongs nothing.
        let again = try await yard.open([1, 2, 3])
        #expect(again.expires == yard.now.addingTimeInterval(24 * 3_600))
        yard.clock.advance(24 * 3_600)
        let new = try await yard.open([1, 2, 3])
        #expect(new.id != upload.id && new.offset == 0)
        #expect(try yard.names("uploads") == [new.id, new.id + ".json"])
    }

    @Test(arguments: [1, 3, UInt64.max, UInt64(Int64.max) + 1]) func aWrongOffsetTellsTheRightOne(_ offset: UInt64) async throws {
        let yard = try await BlobYard()
        let upload = try await yard.open([1, 2, 3, 4])
        let writer = try await yard.store.append(to: upload.id, secret: upload.secret, at: 0, now: yard.now)
        try await writer.write(ByteBuffer(bytes: [1, 2]))
        await writer.abandon()
        let error = await blobError {
            _ = try await yard.store.append(to: upload.id, secret: upload.secret, at: offset, now: yard.now)
        }
        #expect(error?.code == .wrongOffset && error?.offset == 2)
    }

    @Test func moreThanAnnouncedIsRefusedAndWhatCameBeforeKept() async throws {
        let yard = try await BlobYard()
        let upload = try await yard.open([1, 2, 3])
        let writer = try await yard.store.append(to: upload.id, secret: upload.secret, at: 0, now: yard.now)
        try await writer.write(ByteBuffer(bytes: [1, 2]))
        #expect(await blobError { try await writer.write(ByteBuffer(bytes: [3, 4])) }?.code == .tooLarge)
        #expect(await blobError { _ = try await writer.finish() }?.code == .tooLarge)
        #expect(try await yard.store.uploadStatus(upload.id, secret: upload.secret, now: yard.now) == (2, 3))
        let second = try await yard.store.append(to: upload.id, secret: upload.secret, at: 2, now: yard.now)
        try await second.write(ByteBuffer(bytes: [3]))
        #expect(try await second.finish() == .complete)
        #expect(await blobError { try await second.write(ByteBuffer(bytes: [3])) }?.code == .invalid)
        #expect(await blobError { _ = try await second.finish() }?.code == .invalid)
    }

    /// model: upload
    @Test func otherOctetsThanAnnouncedThrowTheUploadAway() async throws {
        let yard = try await BlobYard()
        let upload = try await yard.open([1, 2, 3])
        let writer = try await yard.store.append(to: upload.id, secret: upload.secret, at: 0, now: yard.now)
        try await writer.write(ByteBuffer(bytes: [1, 2, 4]))
        #expect(await blobError { _ = try await writer.finish() }?.code == .digestMismatch)
        #expect(try yard.names("uploads") == [])
        #expect(try await yard.store.usage(of: yard.alice) == 0)
        #expect(
            await blobError { _ = try await yard.store.uploadStatus(upload.id, secret: upload.secret, now: yard.now) }?.code == .notFound)
        try await yard.put([1, 2, 3])
    }

    @Test func wrongArgumentsAreRefused() async throws {
        let yard = try await BlobYard()
        for digest in [[], [1], [UInt8](repeating: 0, count: 33)] as [[UInt8]] {
            #expect(
                await blobError { _ = try await yard.store.openUpload(owner: yard.alice, digest: digest, size: 1, now: yard.now) }?.code
                    == .invalid)
            #expect(await blobError { _ = try await yard.store.reader(owner: yard.alice, digest: digest) }?.code == .invalid)
            #expect(await blobError { _ = try await yard.store.pin(owner: yard.alice, digest: digest) }?.code == .invalid)
            #expect(await blobError { _ = try await yard.store.verify(owner: yard.alice, digest: digest) }?.code == .invalid)
        }
        let none = [UInt8](repeating: 0, count: 32)
        #expect(
            await blobError { _ = try await yard.store.openUpload(owner: yard.alice, digest: none, size: .max, now: yard.now) }?.code
                == .tooLarge)
        #expect(
            await blobError { _ = try await yard.store.openUpload(owner: yard.alice, digest: none, size: 0, now: yard.now) }?.code
                == .digestMismatch)
        #expect(try await yard.store.reader(owner: yard.alice, digest: none) == nil)
        #expect(try await yard.store.pin(owner: yard.alice, digest: none) == nil)
        #expect(try await yard.store.verify(owner: yard.alice, digest: none) == .missing)
        #expect(try await yard.store.usage(of: yard.alice) == 0)
    }

    @Test func anEmptyFileIsAFile() async throws {
        let yard = try await BlobYard()
        let digest = BlobYard.digest([])
        #expect(try await yard.store.openUpload(owner: yard.alice, digest: digest, size: 0, now: yard.now) == .complete)
        #expect(try await yard.has([]))
        #expect(try await yard.store.store([], owner: yard.bob, now: yard.now) == digest)
    }

    @Test func smallFilesAreStoredAtOnce() async throws {
        let yard = try await BlobYard()
        let octets = BlobYard.octets(70_000)
        #expect(try await yard.store.store(octets, owner: yard.alice, now: yard.now) == BlobYard.digest(octets))
        #expect(try await yard.store.store(octets, owner: yard.alice, now: yard.now) == BlobYard.digest(octets))
        #expect(try await yard.has(octets))
        #expect(try await yard.store.usage(of: yard.alice) == 70_000)
        #expect(try yard.names("uploads") == [])
    }

    @Test func aReaderTakesAnyArguments() async throws {
        let yard = try await BlobYard()
        let octets = BlobYard.octets(3 << 20)
        _ = try await yard.store.store(octets, owner: yard.alice, now: yard.now)
        let reader = try #require(try await yard.store.reader(owner: yard.alice, digest: BlobYard.digest(octets)))
        #expect(reader.size == 3 << 20)
        #expect(try await reader.read(at: 0, count: .max).readableBytes == 1 << 20)
        #expect(try await reader.read(at: 3 << 20, count: 1).readableBytes == 0)
        #expect(try await reader.read(at: .max, count: .max).readableBytes == 0)
        #expect(try await reader.read(at: 5, count: 0).readableBytes == 0)
        #expect(await blobError { _ = try await reader.read(at: 0, count: -1) }?.code == .invalid)
        #expect(Array(try await reader.read(at: (3 << 20) - 3, count: 10).readableBytesView) == Array(octets.suffix(3)))
    }

    @Test func aReaderOutlivesItsFile() async throws {
        let yard = try await BlobYard()
        let octets = BlobYard.octets(100_000)
        try await yard.put(octets)
        let reader = try #require(try await yard.store.reader(owner: yard.alice, digest: BlobYard.digest(octets)))
        #expect(try await yard.collect().files == 1)
        #expect(try await yard.has(octets) == false)
        #expect(try await BlobYard.readAll(reader) == octets)
    }

    @Test func oneAppendAtATime() async throws {
        let yard = try await BlobYard()
        let upload = try await yard.open([1, 2, 3])
        let first = try await yard.store.append(to: upload.id, secret: upload.secret, at: 0, now: yard.now)
        try await first.write(ByteBuffer(bytes: [1]))
        yard.clock.advance(30)
        let error = await blobError {
            _ = try await yard.store.append(to: upload.id, secret: upload.secret, at: 0, now: yard.now)
        }
        #expect(error?.code == .busy && error?.offset == 0)
        // The opening gives a new secret meanwhile and disturbs nothing.
        let again = try await yard.open([1, 2, 3])
        #expect(again.id == upload.id)
        try await first.write(ByteBuffer(bytes: [2, 3]))
        #expect(try await first.finish() == .complete)
    }

    @Test func anIdleAppendIsTakenOver() async throws {
        let yard = try await BlobYard()
        let upload = try await yard.open([1, 2, 3])
        let first = try await yard.store.append(to: upload.id, secret: upload.secret, at: 0, now: yard.now)
        try await first.write(ByteBuffer(bytes: [1]))
        yard.clock.advance(31)
        let second = try await yard.store.append(to: upload.id, secret: upload.secret, at: 0, now: yard.now)
        try await second.write(ByteBuffer(bytes: [1, 2]))
        #expect(await blobError { _ = try await first.finish() }?.code == .busy)
        await first.abandon()
        try await second.write(ByteBuffer(bytes: [3]))
        #expect(try await second.finish() == .complete)
        #expect(try await yard.has([1, 2, 3]))
    }

    @Test func aSlowAppendIsNotIdle() async throws {
        let yard = try await BlobYard()
        let octets = BlobYard.octets(10)
        let upload = try await yard.open(octets)
        let writer = try await yard.store.append(to: upload.id, secret: upload.secret, at: 0, now: yard.now)
        for octet in octets {
            yard.clock.advance(20)
            try await writer.write(ByteBuffer(bytes: [octet]))
            let error = await blobError {
                _ = try await yard.store.append(to: upload.id, secret: upload.secret, at: 0, now: yard.now.addingTimeInterval(30))
            }
            #expect(error?.code == .busy)
        }
        #expect(try await writer.finish() == .complete)
    }

    @Test func aDroppedWriterFreesItsUpload() async throws {
        let yard = try await BlobYard { $0.pieceSize = 2 }
        let upload = try await yard.open([1, 2, 3])
        do {
            let first = try await yard.store.append(to: upload.id, secret: upload.secret, at: 0, now: yard.now)
            try await first.write(ByteBuffer(bytes: [1, 2]))
        }
        let second = try await yard.store.append(to: upload.id, secret: upload.secret, at: 2, now: yard.now)
        try await second.write(ByteBuffer(bytes: [3]))
        #expect(try await second.finish() == .complete)
    }

    @Test func whatSomebodyLeavesIsNoSuccessors() async throws {
        let yard = try await BlobYard()
        let octets = BlobYard.octets(1_000)
        _ = try await yard.store.store(octets, owner: yard.alice, now: yard.now)
        let bob = try Address("bob@capicom.test")
        _ = try await yard.store.store(octets, owner: bob, now: yard.now)
        let upload = try await yard.open(BlobYard.octets(500))
        #expect(try await yard.store.removeAll(of: yard.alice) == 1)
        #expect(try await yard.store.reader(owner: yard.alice, digest: BlobYard.digest(octets)) == nil)
        #expect(try await yard.store.usage(of: yard.alice) == 0)
        let error = await blobError { _ = try await yard.store.uploadStatus(upload.id, secret: upload.secret, now: yard.now) }
        #expect(error?.code == .notFound)
        #expect(
            try await yard.store.openUpload(owner: yard.alice, digest: BlobYard.digest(octets), size: 1_000, now: yard.now) != .complete)
        #expect(try await yard.store.reader(owner: bob, digest: BlobYard.digest(octets)) != nil)
    }
}
