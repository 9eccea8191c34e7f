import Foundation
import Identity
import NIOCore
import Synchronization
import Testing

@testable import BlobStore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// What the collector takes and what it leaves.
@Suite("Collection of files", .timeLimit(.minutes(2))) struct CollectionTests {
    @Test func oldFilesThatNobodyHoldsGo() async throws {
        let yard = try await BlobYard()
        try await yard.put([1])
        try await yard.put([2], owner: yard.bob)
        yard.clock.advance(100)
        try await yard.put([3])
        let asked = Mutex<[String]>([])
        let result = try await yard.collect(olderThan: yard.now.addingTimeInterval(-50)) { owner, digest in
            asked.withLock { $0.append("\(owner) \(digest.count)") }
            return owner.local == "bob"
        }
        #expect(result.files == 1 && result.bytes == 1 && result.damaged == [])
        #expect(asked.withLock { $0.sorted() } == ["alice@capicom.test 32", "alice@capicom.test 32", "bob@capicom.test 32"])
        #expect(try await yard.has([1]) == false)
        #expect(try await yard.has([2], owner: yard.bob))
        #expect(try await yard.has([3]))
    }

    @Test func aPinKeepsAFileAndMakesItYoung() async throws {
        let yard = try await BlobYard()
        try await yard.put([1])
        yard.clock.advance(100)
        let pin = try #require(try await yard.store.pin(owner: yard.alice, digest: BlobYard.digest([1])))
        let second = try await yard.store.pin(owner: yard.alice, digest: BlobYard.digest([1]))
        #expect(pin.size == 1 && pin.owner == yard.alice && pin.digest == BlobYard.digest([1]))
        #expect(try await yard.collect().files == 0)
        pin.release()
        pin.release()
        #expect(try await yard.collect().files == 0, "the second pin is still there")
        second?.release()
        #expect(try await yard.collect(olderThan: yard.now).files == 0, "young")
        #expect(try await yard.collect().files == 1)
    }

    @Test func aDroppedPinIsReleased() async throws {
        let yard = try await BlobYard()
        try await yard.put([1])
        do { _ = try await yard.store.pin(owner: yard.alice, digest: BlobYard.digest([1])) }
        #expect(try await yard.collect().files == 1)
    }

    @Test func openingAnUploadOfAFileThatIsThereMakesItYoung() async throws {
        let yard = try await BlobYard()
        try await yard.put([1])
        yard.clock.advance(100)
        let upload = try await yard.store.openUpload(owner: yard.alice, digest: BlobYard.digest([1]), size: 1, now: yard.now)
        #expect(upload == .complete)
        #expect(try await yard.collect(olderThan: yard.now).files == 0)
    }

    @Test func aHoldThatComesBetweenTheTwoQuestionsKeepsTheFile() async throws {
        let yard = try await BlobYard()
        try await yard.put([1])
        let questions = Mutex(0)
        let result = try await yard.collect { _, _ in
            questions.withLock { count in
                count += 1
                return count == 2
            }
        }
        #expect(result.files == 0 && questions.withLock { $0 } == 2)
        #expect(try await yard.has([1]))
    }

    @Test func aPinThatComesBetweenTheTwoQuestionsKeepsTheFile() async throws {
        let yard = try await BlobYard()
        try await yard.put([1])
        let (store, owner) = (yard.store, yard.alice)
        let pin = Mutex<BlobPin?>(nil)
        let result = try await yard.collect { _, digest in
            let new = try await store.pin(owner: owner, digest: digest)
            pin.withLock { $0 = new }
            return false
        }
        #expect(result.files == 0 && pin.withLock { $0 } != nil)
        #expect(try await yard.has([1]))
    }

    @Test func aPinWaitsForTheLastQuestion() async throws {
        let yard = try await BlobYard()
        try await yard.put([1])
        let (store, owner) = (yard.store, yard.alice)
        let questions = Mutex(0)
        let waiting = Mutex<Task<Bool, any Error>?>(nil)
        let result = try await yard.collect { _, digest in
            guard
                questions.withLock({ count in
                    count += 1; return count == 2
                })
            else { return false }
            let task = Task { try await store.pin(owner: owner, digest: digest) != nil }
            waiting.withLock { $0 = task }
            let key = try FileKey(owner: owner, digest: digest)
            while store.tables.values.withLock({ $0.gates[key]?.isEmpty != false }) { await Task.yield() }
            return false
        }
        #expect(result.files == 1)
        let wasThere = try await waiting.withLock { $0 }?.value
        #expect(wasThere == false, "the submission learns that the file is gone, before it relies on it")
    }

    @Test func aQuestionThatFailsEndsTheCollection() async throws {
        let yard = try await BlobYard()
        try await yard.put([1])
        let error = await blobError { _ = try await yard.collect { _, _ in throw BlobError(.busy, "no database") } }
        #expect(error?.code == .ioFailure && error?.isTransient == true)
        #expect(try await yard.has([1]))
        let questions = Mutex(0)
        _ = await blobError {
            _ = try await yard.collect { _, _ in
                guard
                    questions.withLock({ count in
                        count += 1; return count == 1
                    })
                else { throw BlobError(.busy, "no database") }
                return false
            }
        }
        // The gate is open again.
        #expect(try await yard.store.pin(owner: yard.alice, digest: BlobYard.digest([1])) != nil)
    }

    @Test func deadUploadsGoAndLivingOnesStay() async throws {
        let yard = try await BlobYard()
        let dead = try await yard.open([1, 2])
        let idle = try await yard.store.append(to: dead.id, secret: dead.secret, at: 0, now: yard.now)
        yard.clock.advance(7 * 24 * 3_600)
        let living = try await yard.open([3, 4], owner: yard.bob)
        #expect(try await yard.collect().uploads == 1)
        #expect(try yard.names("uploads") == [living.id, living.id + ".json"])
        #expect(try await yard.store.usage(of: yard.alice) == 0)
        #expect(
            await blobError {
                try await idle.write(ByteBuffer(bytes: [1, 2])); _ = try await idle.finish()
            }?.code == .notFound)
    }

    /// Submissions pin, hold and release while a collector runs again and again: what was held is never lost.
    @Test func submissionsAndACollectorRace() async throws {
        let yard = try await BlobYard()
        let (store, owner, now) = (yard.store, yard.alice, yard.now)
        let (held, isDone) = (Shared<Set<[UInt8]>>([]), Shared(false))
        let collector = Task {
            var files = 0
            while !isDone.value.withLock({ $0 }) {
                // Age does not protect here: everything is old enough.
                files += try await store.collect(olderThan: .distantFuture, now: now) { _, digest in
                    await Task.yield()
                    return held.value.withLock { $0.contains(digest) }
                }.files
            }
            return files
        }
        let (kept, gone) = try await withThrowingTaskGroup(of: (Int, Int).self) { group in
            for worker in 0..<4 {
                group.addTask {
                    var (kept, gone) = (0, 0)
                    for round in 0..<150 {
                        let digest = try await store.store([UInt8(worker), UInt8(round % 7)], owner: owner, now: now)
                        guard let pin = try await store.pin(owner: owner, digest: digest) else {
                            gone += 1
                            continue
                        }
                        await Task.yield()
                        let key = digest + [UInt8(round)]
                        held.value.withLock { _ = $0.insert(digest) }
                        pin.release()
                        let isThere = try await store.reader(owner: owner, digest: digest) != nil
                        #expect(isThere, "worker \(worker), round \(round), \(key.count)")
                        kept += 1
                        held.value.withLock { _ = $0.remove(digest) }
                    }
                    return (kept, gone)
                }
            }
            return try await group.reduce(into: (0, 0)) { sum, one in sum = (sum.0 + one.0, sum.1 + one.1) }
        }
        isDone.value.withLock { $0 = true }
        let files = try await collector.value
        print("race: \(kept) kept, \(gone) gone before the pin, \(files) collected")
        #expect(kept > 0 && kept + gone == 600)
        let rest = try await yard.collect(olderThan: .distantFuture)
        #expect(try await yard.store.usage(of: owner) == 0, "\(rest)")
    }

    /// Several clients upload the same file at once.
    @Test func concurrentUploadsOfOneFileEndWithOneFile() async throws {
        let yard = try await BlobYard { $0.pieceSize = 1_000 }
        let (store, owner, now) = (yard.store, yard.alice, yard.now)
        let octets = BlobYard.octets(20_000)
        let completed = try await withThrowingTaskGroup(of: Bool.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    for _ in 0..<2_000 {
                        do {
                            let upload = try await store.openUpload(
                                owner: owner, digest: BlobYard.digest(octets), size: 20_000, now: now)
                            guard case .open(let id, let secret, let offset, _) = upload else { return true }
                            let writer = try await store.append(to: id, secret: secret, at: offset, now: now)
                            let end = min(octets.count, Int(offset) + 3_000)
                            try await writer.write(ByteBuffer(bytes: octets[Int(offset)..<end]))
                            if try await writer.finish() == .complete { return true }
                        } catch let error as BlobError {
                            guard [.busy, .notFound, .wrongOffset].contains(error.code) else { throw error }
                            await Task.yield()
                        }
                    }
                    return false
                }
            }
            return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
        }
        #expect(completed == 8)
        #expect(try await yard.has(octets))
        #expect(try await yard.store.usage(of: owner) == 20_000)
        #expect(try yard.names("uploads") == [])
    }
}
