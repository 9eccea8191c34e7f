import Foundation
import Identity
import MailModel
import SOAP
import SOAPClient
import Testing

@testable import MailServer

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// No room: refused cleanly for now, nothing half done, and the same message goes through once there is room.
@Suite("Disk full", .serialized, .timeLimit(.minutes(2))) struct DiskFullTests {
    /// Sends until the storage is full. Returns what was taken, and the one that was not.
    private func fill(
        _ user: MailUser, to recipient: Address, _ keys: SiteKeys, _ ledger: Ledger = Ledger(), bytes: Int
    ) async throws -> (taken: [Letter], refused: Letter) {
        var taken: [Letter] = []
        while taken.count < 1_000 {
            let letter = try Letter(from: user.address, to: [recipient], text: String(repeating: "x", count: bytes))
            ledger.begin(letter)
            do {
                _ = try await user.send(letter, keys: keys)
                ledger.acknowledge(letter.id)
                taken.append(letter)
            } catch let error as SOAPClientError {
                let fault = try #require(error.fault, "not a fault: \(error)")
                #expect(fault.subcode == .storageFull && fault.isTransient)
                return (taken, letter)
            }
        }
        throw ProcessFailure(description: "the storage does not fill up")
    }

    /// What one mailbox shows, by the protocol.
    private func expectServes(_ user: MailUser, _ letters: [Letter]) async throws {
        let page = try await user.list()
        #expect(Set(page.headers.map(\.id)) == Set(letters.map(\.id)))
        let first = try #require(letters.first)
        let stored = try await user.call(RetrieveOperation.self, .init(messageID: first.id))
        #expect(stored.message == first.sealed.octets)
    }

    @Test func aFullDatabaseRefusesMailForNowAndServesTheRest() async throws {
        let two = try await TwoProcesses.start { $0.maxStoreMegabytes = 2 }
        try await two.run {
            let ledger = Ledger()
            let alice = try MailUser("alice", of: two.capicom.site)
            let carol = try MailUser("carol", of: two.capicom.site)
            _ = try await carol.list()
            let (taken, refused) = try await fill(alice, to: carol.address, two.keys, ledger, bytes: 50_000)
            #expect(taken.count > 10)
            try await expectServes(carol, taken)
            // The same again changes nothing; what was taken before is acknowledged as before.
            await #expect(throws: SOAPClientError.self) { try await alice.send(refused, keys: two.keys) }
            _ = try await alice.send(taken[0], keys: two.keys)
            // Room: the octets go with the last copy.
            let gone = taken.prefix(3).map(\.id)
            #expect(try await carol.call(DeleteOperation.self, .init(ids: Array(gone))).count == 3)
            #expect(try await alice.call(DeleteOperation.self, .init(ids: Array(gone))).count == 3)
            try await alice.deliver(refused, keys: two.keys, ledger: ledger, attempts: 2)
            _ = try await alice.send(refused, keys: two.keys)
            let now = try await carol.list()
            #expect(now.headers.map(\.id).filter { $0 == refused.id }.count == 1)
            #expect(Set(now.headers.map(\.id)) == Set(taken.dropFirst(3).map(\.id) + [refused.id]))
            await alice.close()
            await carol.close()
            #expect(await two.capicom.terminate() == 0)
            let health = try await two.capicom.site.withStore { try await $0.check() }
            #expect(health.problems == [])
        }
    }

    @Test func mailForADomainWhoseStorageIsFullWaitsAndArrivesOnce() async throws {
        var options = LocalTwo.Options()
        options.change = { if $0.domain.description == "scopio.test" { $0.maxStoreMegabytes = 1 } }
        let two = try await LocalTwo.start(options)
        let ledger = Ledger()
        let alice = try MailUser("alice", of: two.capicom.site)
        let bob = try MailUser("bob", of: two.scopio.site)
        let (taken, _) = try await fill(bob, to: bob.address, two.keys, bytes: 50_000)
        let letter = try Letter(from: alice.address, to: [bob.address], text: String(repeating: "y", count: 100_000))
        ledger.begin(letter)
        try await alice.deliver(letter, keys: two.keys, ledger: ledger)
        let job = try #require(try await two.capicom.job(afterAttempts: 1...))
        #expect(job.reason?.contains("StorageFull") == true, "\(job.reason ?? "")")
        #expect(try await alice.status(of: letter.id).lines.map(\.state) == ["queued"])
        let count = try await bob.call(DeleteOperation.self, .init(ids: taken.map(\.id))).count
        #expect(count == 2 * taken.count, "each is in the Inbox and in Sent")
        let status = try await alice.status(of: letter.id, reaching: "delivered")
        #expect(try await Verdict.isDelivered(letter, status, keys: two.keys), "\(status.lines)")
        await alice.close()
        await bob.close()
        try await two.finish(ledger)
    }

    @Test(.enabled(if: SmallDisk.isPossible, "a small file system can be mounted (root)"))
    func aReallyFullDiskRefusesMailForNowAndServesTheRest() async throws {
        let disk = try SmallDisk(megabytes: 12)
        defer { disk.remove() }
        let two = try await TwoProcesses.start(capicomFolder: disk.folder + "/site")
        try await two.run {
            let ledger = Ledger()
            let alice = try MailUser("alice", of: two.capicom.site)
            let carol = try MailUser("carol", of: two.capicom.site)
            _ = try await carol.list()
            let spare = try Letter(from: alice.address, to: [carol.address])
            _ = try await alice.send(spare, keys: two.keys)
            try disk.occupy(megabytes: 4)
            let (taken, refused) = try await fill(alice, to: carol.address, two.keys, ledger, bytes: 200_000)
            print("full disk: \(taken.count) messages of 200 kB on 8 MB")
            try await expectServes(carol, taken + [spare])
            for user in [alice, carol] {
                #expect(try await user.call(DeleteOperation.self, .init(ids: [spare.id])).count == 1)
            }
            try disk.free()
            try await alice.deliver(refused, keys: two.keys, ledger: ledger, attempts: 2)
            #expect(ledger.isAcknowledged(refused.id))
            await alice.close()
            await carol.close()
            #expect(await two.capicom.terminate() == 0)
            #expect(await two.scopio.terminate() == 0)
            try await Verdict.check(ledger, at: two.sites)
        }
    }
}

/// A file system in memory with little room.
private struct SmallDisk {
    let folder: String

    /// Root may, unless the container forbids it.
    static let isPossible: Bool = {
        guard getuid() == 0, let disk = try? SmallDisk(megabytes: 1) else { return false }
        disk.remove()
        return true
    }()

    init(megabytes: Int) throws {
        folder = FileManager.default.temporaryDirectory.path + "/wsemail-disk-\(UInt64.random(in: 0...UInt64.max))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        guard mount("tmpfs", folder, "tmpfs", 0, "size=\(megabytes)m,mode=0700") == 0 else {
            try? FileManager.default.removeItem(atPath: folder)
            throw ProcessFailure(description: "cannot mount: \(String(cString: strerror(errno)))")
        }
    }

    private var ballast: String { folder + "/ballast" }

    func occupy(megabytes: Int) throws {
        try Data(count: megabytes << 20).write(to: URL(fileURLWithPath: ballast))
    }

    func free() throws { try FileManager.default.removeItem(atPath: ballast) }

    func remove() {
        _ = umount2(folder, Int32(MNT_DETACH))
        try? FileManager.default.removeItem(atPath: folder)
    }
}
