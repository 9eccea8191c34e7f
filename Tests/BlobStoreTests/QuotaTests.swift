import Foundation
import Identity
import NIOCore
import Testing

@testable import BlobStore

/// Each limit, just inside and just outside.
@Suite("Limits of files", .timeLimit(.minutes(1))) struct QuotaTests {
    @Test func theQuotaCountsFilesAndOpenUploads() async throws {
        let yard = try await BlobYard { $0.quota = 100 }
        try await yard.put(BlobYard.octets(40))
        _ = try await yard.open(BlobYard.octets(50, seed: 2))
        #expect(try await yard.store.usage(of: yard.alice) == 90)
        #expect(await blobError { _ = try await yard.open(BlobYard.octets(11, seed: 3)) }?.code == .quotaExceeded)
        #expect(
            await blobError { _ = try await yard.store.store(BlobYard.octets(11), owner: yard.alice, now: yard.now) }?.code
                == .quotaExceeded)
        _ = try await yard.store.store(BlobYard.octets(10), owner: yard.alice, now: yard.now)
        #expect(try await yard.store.usage(of: yard.alice) == 100)
        // What is reserved already goes through; others have their own.
        try await yard.put(BlobYard.octets(50, seed: 2))
        try await yard.put(BlobYard.octets(100), owner: yard.bob)
        #expect(try await yard.store.usage(of: yard.alice) == 100)
        try await yard.restart()
        #expect(try await yard.store.usage(of: yard.alice) == 100)
        #expect(try await yard.collect().bytes == 200)
        #expect(try await yard.store.usage(of: yard.alice) == 0)
    }

    @Test func openUploadsCountAfterARestart() async throws {
        let yard = try await BlobYard { $0.quota = 100 }
        _ = try await yard.open(BlobYard.octets(60))
        try await yard.restart()
        #expect(try await yard.store.usage(of: yard.alice) == 60)
        #expect(await blobError { _ = try await yard.open(BlobYard.octets(41, seed: 2)) }?.code == .quotaExceeded)
        #expect(try await yard.open(BlobYard.octets(60)).offset == 0)
    }

    @Test func theLargestFile() async throws {
        let yard = try await BlobYard { $0.largestFile = 10 }
        #expect(await blobError { _ = try await yard.open(BlobYard.octets(11)) }?.code == .tooLarge)
        #expect(
            await blobError { _ = try await yard.store.store(BlobYard.octets(11), owner: yard.alice, now: yard.now) }?.code == .tooLarge)
        try await yard.put(BlobYard.octets(10))
        _ = try await yard.store.store(BlobYard.octets(10, seed: 2), owner: yard.alice, now: yard.now)
    }

    @Test func openUploadsOfOneOwner() async throws {
        let yard = try await BlobYard()
        for seed in 1...16 { _ = try await yard.open([UInt8(seed)]) }
        #expect(await blobError { _ = try await yard.open([17]) }?.code == .quotaExceeded)
        _ = try await yard.open([1])
        _ = try await yard.open([17], owner: yard.bob)
        try await yard.put([1])
        _ = try await yard.open([17])
        #expect(await blobError { _ = try await yard.open([18]) }?.code == .quotaExceeded)
        // The one makes room that nobody has touched for the longest time.
        yard.clock.advance(3_601)
        _ = try await yard.open([18])
        // Dead ones make room.
        yard.clock.advance(8 * 24 * 3_600)
        _ = try await yard.open([18])
        #expect(try await yard.store.usage(of: yard.alice) == 2)
    }

    @Test func openUploadsOfAll() async throws {
        let yard = try await BlobYard { $0.uploads = 3 }
        for seed in 1...3 { _ = try await yard.open([UInt8(seed)]) }
        let error = await blobError { _ = try await yard.open([4], owner: yard.bob) }
        #expect(error?.code == .busy && error?.isTransient == true)
        try await yard.put([1])
        _ = try await yard.open([4], owner: yard.bob)
    }

    @Test func filesOfOneOwner() async throws {
        let yard = try await BlobYard { $0.filesPerOwner = 3 }
        try await yard.put([1])
        _ = try await yard.store.store([2], owner: yard.alice, now: yard.now)
        _ = try await yard.open([3])
        #expect(await blobError { _ = try await yard.open([4]) }?.code == .quotaExceeded)
        #expect(await blobError { _ = try await yard.store.store([4], owner: yard.alice, now: yard.now) }?.code == .quotaExceeded)
        try await yard.put([3])
        #expect(try await yard.collect().files == 3)
        try await yard.put([4])
    }

    @Test func aPartOfTheDiskIsNotForFiles() async throws {
        let yard = try await BlobYard { $0.keepFree = 1 << 60 }
        let error = await blobError { _ = try await yard.open([1]) }
        #expect(error?.code == .storageFull && error?.isTransient == true)
        #expect(await blobError { _ = try await yard.store.store([1], owner: yard.alice, now: yard.now) }?.code == .storageFull)
        #expect(try yard.names("uploads") == [])
        #expect(try await yard.store.usage(of: yard.alice) == 0)
    }

    @Test(.enabled(if: SmallDisk.isPossible, "a small file system can be mounted (root)"))
    func aFullDiskRefusesForNowAndGoesOnLater() async throws {
        let disk = try SmallDisk(megabytes: 8)
        defer { disk.remove() }
        let yard = try await BlobYard(folder: disk.folder + "/blobs") { $0.pieceSize = 64 << 10 }
        let octets = BlobYard.octets(4 << 20)
        let upload = try await yard.open(octets)
        try disk.occupy(megabytes: 6)
        let writer = try await yard.store.append(to: upload.id, secret: upload.secret, at: 0, now: yard.now)
        var failure: BlobError?
        for start in stride(from: 0, to: octets.count, by: 100_000) where failure == nil {
            failure = await blobError { try await writer.write(ByteBuffer(bytes: octets[start..<min(start + 100_000, octets.count)])) }
        }
        #expect(failure?.code == .storageFull && failure?.isTransient == true)
        #expect(await blobError { _ = try await writer.finish() }?.code == .storageFull)
        #expect(await blobError { _ = try await yard.store.store(octets, owner: yard.bob, now: yard.now) }?.code == .storageFull)
        let offset = try await yard.store.uploadStatus(upload.id, secret: upload.secret, now: yard.now).offset
        #expect(offset > 1 << 20 && offset < 2 << 20, "what fitted is kept: \(offset)")
        try disk.free()
        try await yard.put(octets)
        #expect(try await yard.has(octets))
    }
}
