import Foundation
import Identity
import MailModel
import MailStore
import SOAP
import SOAPClient
import SQLiteStore
import Testing

@testable import MailServer

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The database or the disk fails at the server that keeps the files.
@Suite("Failing storage with attachments", .serialized, .timeLimit(.minutes(4))) struct AttachmentStorageTests {
    /// The 1st, 2nd, … storage operation fails, from the upload to the last fetch, until one runs through.
    @Test func `whichever operation fails, files arrive with their message, and can be fetched`() async throws {
        let plan = FaultPlan()
        let clock = HastyClock()
        let two = try await LocalTwo.start(Self.options(plan, clock))
        let capicom = two.capicom.site
        let ledger = Ledger()
        // Sessions and the proof stay: what fails while they are made is the business of `FailingStorageTests`.
        let alice = try AttachmentUser("alice", of: capicom, clock: clock.now)
        let carol = try AttachmentUser("carol", of: capicom, clock: clock.now)
        let bob = try AttachmentUser("bob", of: two.scopio.site, clock: clock.now)
        _ = try await carol.user.list()
        var seen: [Address: UInt64] = [:]
        var number = 0
        var hit: StorageOperation?
        repeat {
            number += 1
            let content = UInt8(truncatingIfNeeded: number)
            let mail = try FileLetter(
                from: alice.address, to: [carol.address, bob.address], inline: [[UInt8](repeating: content, count: 10_000 + number)],
                uploaded: [[UInt8](repeating: content, count: 1_100_000 + number)], now: clock.now())
            ledger.begin(mail.letter)
            plan.arm(at: number)
            try await alice.deliver(mail, keys: two.keys, ledger: ledger)
            #expect(try await two.capicom.status(of: mail.letter, reaching: .delivered) == [.delivered, .delivered])
            for user in [carol, bob] {
                let last = try await expect(mail, at: user, after: seen[user.address] ?? 0, keptBy: capicom, clock)
                seen[user.address] = last
            }
            hit = plan.disarm()
        } while hit != nil && number < 1_000
        for user in [alice, carol, bob] { await user.close() }
        print("failing storage with attachments: \(number - 1) operations failed, one after the other; \(ledger.failures)")
        #expect(hit == nil && number > 20)
        try await two.remove {
            try await Verdict.check(ledger, at: two.sites)
            let figures = try await AttachmentVerdict.check(capicom)
            #expect(figures.holds == 2 * number && figures.files == 2 * number)
        }
    }

    /// The message is the only new one, and its files can be fetched whole.
    /// - Parameter cursor: the uid of the message before.
    /// - Returns: the uid of this one.
    private func expect(
        _ mail: FileLetter, at user: AttachmentUser, after cursor: UInt64, keptBy site: Site, _ clock: HastyClock
    ) async throws -> UInt64 {
        let new = try #require(try await user.insist { try await user.received(after: cursor) })
        #expect(new.files.map(\.message) == [mail.letter.id, mail.letter.id], "\(user.address)")
        for file in new.files {
            let octets = try await user.insist { try await fetch(file, at: user, keptBy: site, clock) }
            #expect(octets == (mail.inline + mail.uploaded).first { UInt64($0.count) == file.size }, "\(user.address)")
        }
        return new.last
    }

    /// With a token of the moment, where one is needed: the clock may jump over the life of any token, even of this one.
    private func fetch(_ file: ReceivedFile, at user: AttachmentUser, keptBy site: Site, _ clock: HastyClock) async throws -> [UInt8] {
        guard user.address.domain != site.domain else { return try await user.fetch(file, from: site) }
        while true {
            let began = clock.now()
            let token = try await user.token(for: site.domain)
            do {
                return try await user.fetch(file, from: site, token: token)
            } catch let error as SOAPClientError
                where error.fault?.subcode == .invalidToken && clock.now().timeIntervalSince(began) > Self.tokenLife
            {
                continue
            }
        }
    }

    /// Of the tokens that the servers of this test issue; seconds.
    private static let tokenLife: TimeInterval = 300

    private static func options(_ plan: FaultPlan, _ clock: HastyClock) -> LocalTwo.Options {
        var options = LocalTwo.Options()
        options.clock = clock.now
        options.capicom.deliveryClock = clock.deliveryClock
        options.scopio.deliveryClock = clock.deliveryClock
        options.change = { $0.pluginTimeLimitMilliseconds = 60_000 }
        options.capicomFaults = { try plan.check($0) }
        return options
    }

    /// The files have a disk of their own, which others fill.
    @Test(.enabled(if: FilesDisk.isPossible, "a small file system can be mounted (root)"))
    func `on a full disk files are refused for now, and what had arrived is kept`() async throws {
        let disk = try FilesDisk(megabytes: 80)
        defer { disk.remove() }
        let two = try await TwoProcesses.start { if $0.domain.description == "capicom.test" { $0.filesDirectory = disk.folder + "/files" } }
        try await two.run {
            let capicom = two.capicom.site
            let ledger = Ledger()
            let (alice, carol) = try (AttachmentUser("alice", of: capicom), AttachmentUser("carol", of: capicom))
            let first = try FileLetter(from: alice.address, to: [carol.address], inline: [Self.octets(50_000, 1)])
            ledger.begin(first.letter)
            try await alice.deliver(first, keys: two.keys, ledger: ledger, attempts: 1)

            // A file of 4 MB fits when it is announced; then somebody else takes the disk.
            let large = Self.octets(4 << 20, 2)
            let mail = try FileLetter(from: alice.address, to: [carol.address], inline: [Self.octets(60_000, 3)], uploaded: [large])
            ledger.begin(mail.letter)
            _ = try await alice.announce(large)
            try disk.fill(leaving: 1 << 20)
            await #expect { try await alice.upload(large) } throws: {
                ($0 as? AttachmentUser.Interrupted)?.reason == "upload.507"
            }
            // New files are refused, inside a call or beside it; what is there can be fetched.
            let inline = try FileLetter(from: alice.address, to: [carol.address], inline: [Self.octets(70_000, 5)])
            ledger.begin(inline.letter)
            await expectRefusal([.pluginUnavailable, .storageFull]) { try await alice.upload(Self.octets(2 << 20, 4)) }
            await expectRefusal([.storageFull]) { try await alice.send(inline, keys: two.keys) }
            #expect(try await AttachmentVerdict.fetchAll(of: carol, at: capicom, keptBy: capicom).fetched == 1)

            try disk.free()
            guard case .open(_, _, let kept, _) = try await alice.announce(large) else {
                throw ProcessFailure(description: "nothing is missing")
            }
            #expect(kept > 0 && kept < UInt64(large.count), "\(kept)")
            try await alice.deliver(mail, keys: two.keys, ledger: ledger, attempts: 1)
            try await alice.deliver(inline, keys: two.keys, ledger: ledger, attempts: 1)
            #expect(ledger.acknowledged.count == 3)
            #expect(try await AttachmentVerdict.fetchAll(of: carol, at: capicom, keptBy: capicom).fetched == 4)
            for user in [alice, carol] { await user.close() }
            for server in [two.capicom, two.scopio] { #expect(await server.terminate() == 0) }
            try await Verdict.check(ledger, at: two.sites)
            #expect(try await AttachmentVerdict.check(capicom).files == 4)
        }
    }

    /// Refused for now, for want of room.
    private func expectRefusal(_ subcodes: Set<FaultSubcode>, _ body: () async throws -> Void) async {
        do {
            try await body()
            Issue.record("there was room")
        } catch {
            let fault = (error as? SOAPClientError)?.fault
            #expect(fault.map { subcodes.contains($0.subcode) && $0.isTransient } == true, "\(error)")
        }
    }

    private static func octets(_ count: Int, _ seed: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: ($0 &* 0x9E37_79B1 &+ seed) >> 7) }
    }
}

/// A file system in memory with little room.
private struct FilesDisk {
    let folder: String

    /// Root may, unless the container forbids it.
    static let isPossible: Bool = {
        guard getuid() == 0, let disk = try? FilesDisk(megabytes: 1) else { return false }
        disk.remove()
        return true
    }()

    init(megabytes: Int) throws {
        folder = FileManager.default.temporaryDirectory.path + "/wsemail-files-\(UInt64.random(in: 0...UInt64.max))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        guard mount("tmpfs", folder, "tmpfs", 0, "size=\(megabytes)m,mode=0700") == 0 else {
            try? FileManager.default.removeItem(atPath: folder)
            throw ProcessFailure(description: "cannot mount: \(String(cString: strerror(errno)))")
        }
    }

    private var ballast: String { folder + "/ballast" }

    /// Takes all room but so much.
    func fill(leaving bytes: UInt64) throws {
        var system = statvfs()
        guard statvfs(folder, &system) == 0 else { throw ProcessFailure(description: "\(folder) has gone") }
        let room = UInt64(system.f_bavail) * UInt64(system.f_frsize)
        try Data(count: Int(room - min(room, bytes))).write(to: URL(fileURLWithPath: ballast))
    }

    func free() throws { try FileManager.default.removeItem(atPath: ballast) }

    func remove() {
        _ = umount2(folder, Int32(MNT_DETACH))
        try? FileManager.default.removeItem(atPath: folder)
    }
}
