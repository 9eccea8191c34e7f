import Foundation
import Identity
import Testing

@testable import MailServer

/// A large file goes from one person's disk to another's, through real processes: whole, in constant memory, and whatever dies on
/// the way goes on where it was. `WSEMAIL_LARGE_MB=2048` makes it 2 GB.
@Suite("Large attachments", .serialized, .timeLimit(.minutes(15))) struct AttachmentTransferTests {
    private static let megabytes = ProcessInfo.processInfo.environment["WSEMAIL_LARGE_MB"].flatMap(Int.init) ?? 256
    /// What a transfer may cost in memory beyond what the process has anyway.
    private static let memoryLimit = ProcessMemory(kilobytes: 64 << 10)

    /// What a server may have counted as sent to a client that was dead already.
    private static let underWay: UInt64 = 16 << 20

    private var size: UInt64 { UInt64(Self.megabytes) << 20 }
    private var third: UInt64 { size * 3 / 10 }

    /// alice of capicom and bob of scopio, each with an account and something done already.
    fileprivate struct Bench {
        let two: TwoProcesses
        let alice: AttachmentPerson
        let bob: AttachmentPerson
        let folder: String
        /// Of processes that have served, or run, the same with a small file.
        let memory: (capicom: ProcessMemory, scopio: ProcessMemory, send: ProcessMemory, get: ProcessMemory)

        init(_ two: TwoProcesses) async throws {
            self.two = two
            folder = two.capicom.site.folder + "/people"
            try PrivateFile.createFolder(folder)
            alice = try AttachmentPerson("alice", of: two.capicom.site, in: folder, leash: two.leash)
            bob = try AttachmentPerson("bob", of: two.scopio.site, in: folder, leash: two.leash)
            try await alice.addAccount()
            try await bob.addAccount()
            let small = folder + "/small.bin"
            try AttachmentTransferTests.fill(small, bytes: 300 << 10)
            let sent = try await alice.succeed(AttachmentTransferTests.sending(small, "Small"))
            let id = try await AttachmentTransferTests.arrival(of: "Small", at: bob)
            let got = try await bob.succeed(["attachments", "get", id, "--to", folder + "/warm"])
            let servers = try [two.capicom, two.scopio].map { try #require(ProcessMemory.now(of: $0.pid())) }
            memory = (servers[0], servers[1], sent.peak, got.peak)
        }
    }

    /// Who dies in the middle of both transfers.
    enum Victim: String, CaseIterable {
        case server, client
        /// The server, by SIGTERM: it may end what it is at, or break it off.
        case stop
    }

    @Test(arguments: Victim.allCases)
    func `a large file arrives whole and once, in constant memory, although somebody is killed during both transfers`(
        _ victim: Victim
    ) async throws {
        let two = try await TwoProcesses.start { $0.metricsPort = (try? freePort()) ?? 0 }
        try await two.run {
            let begin = ContinuousClock.now
            let bench = try await Bench(two)
            let file = bench.folder + "/film.bin"
            try Self.fill(file, bytes: size)
            try ProcessMemory.forgetPeak(of: two.scopio.pid())

            let upload = try await upload(file, bench, victim)
            let uploaded = ContinuousClock.now
            let id = try await Self.arrival(of: "Film", at: bench.bob)
            let target = bench.folder + "/fetched"
            let download = try await download(id, to: target, bench, victim)
            let scopio = try #require(ProcessMemory.peak(of: two.scopio.pid())) - bench.memory.scopio

            let digests = try await bench.digests(of: [file, target + "/film.bin"])
            #expect(digests.count == 2 && digests[0] == digests[1] && digests[0].count == 64)
            #expect(!FileManager.default.fileExists(atPath: target + "/film.bin.part"))
            #expect(try await bench.fetches(of: "film.bin") == [1], "going on is not sending or fetching again")
            print(
                "large attachment: \(Self.megabytes) MB, \(victim); upload \(upload), in \(uploaded - begin); download \(download); other server \(scopio)"
            )
            for transfer in [upload, download] { expectThrift(transfer, victim) }
            #expect(scopio < Self.memoryLimit)
            #expect(await two.capicom.terminate() == 0)
            #expect(await two.scopio.terminate() == 0)
        }
    }

    /// What a transfer with a kill in it was like.
    private struct Transfer: CustomStringConvertible {
        /// Octets that were there before the server was killed.
        let held: UInt64
        /// Octets that the server took, or gave, after that.
        let moved: UInt64
        /// Commands that it took.
        let runs: Int
        /// Growth of the largest server process, and of the largest client process.
        let server: ProcessMemory
        let client: ProcessMemory

        var description: String {
            "\(held >> 20) MB, then \(moved >> 20) MB more in \(runs) run(s), memory of server \(server), client \(client)"
        }
    }

    private func expectThrift(_ transfer: Transfer, _ victim: Victim) {
        #expect(transfer.held < size, "it was over before the kill")
        // Nothing that was there is transferred again; who is stopped in order may have ended it.
        #expect((transfer.moved > 0 || victim == .stop) && transfer.moved <= size - transfer.held + Self.underWay)
        #expect(transfer.server < Self.memoryLimit && transfer.client < Self.memoryLimit)
    }

    private func upload(_ file: String, _ bench: Bench, _ victim: Victim) async throws -> Transfer {
        let uploads = bench.two.capicom.site.configuration.filesPath + "/uploads"
        return try await transfer(
            Self.sending(file, "Film"), by: bench.alice, bench, victim, .fileBytesReceived, before: bench.memory.send
        ) {
            try FileManager.default.contentsOfDirectory(atPath: uploads).filter { $0.count == 32 }
                .compactMap { Self.size(of: uploads + "/" + $0) }.max()
        }
    }

    private func download(_ id: String, to target: String, _ bench: Bench, _ victim: Victim) async throws -> Transfer {
        try await transfer(
            ["attachments", "get", id, "--to", target], by: bench.bob, bench, victim, .fileBytesSent, before: bench.memory.get
        ) { Self.size(of: target + "/film.bin.part") }
    }

    /// Runs a command, kills it or capicom's server when a third is there, and repeats the command until it succeeds.
    /// - Parameter progress: octets that are there.
    private func transfer(
        _ arguments: [String], by person: AttachmentPerson, _ bench: Bench, _ victim: Victim, _ counter: ServerMetrics.Counter,
        before: ProcessMemory, progress: () throws -> UInt64?
    ) async throws -> Transfer {
        let capicom = bench.two.capicom
        let first = try capicom.pid()
        try ProcessMemory.forgetPeak(of: first)
        let running = try person.start(arguments)
        let held = try await Eventually.find("a third of the file") { try progress().flatMap { $0 >= third ? $0 : nil } }
        let peak = try #require(ProcessMemory.peak(of: first))
        var counted: UInt64 = 0
        switch victim {
        case .server: #expect(try await capicom.killAndRestart() == -9)
        case .stop:
            let begin = ContinuousClock.now
            #expect(await capicom.terminate() == 0)
            #expect(ContinuousClock.now - begin < .seconds(15), "nobody holds the server up")
            try capicom.restart()
        case .client:
            running.kill()
            counted = try await capicom.fileBytes(counter)
        }
        try await capicom.untilReady()
        var ended = await running.ended()
        #expect(victim != .client || ended.status == -9)
        var runs = 1
        var client = ended.peak
        // A command goes on by itself as long as it is patient; then a person says it again.
        while ended.status != 0, runs < 4 {
            ended = try await person.start(arguments).ended()
            runs += 1
            client = max(client, ended.peak)
        }
        #expect(ended.status == 0, "\(arguments): \(ended.status)\n\(ended.errors)\(ended.output)")
        let second = try #require(ProcessMemory.peak(of: capicom.pid()))
        return Transfer(
            held: held, moved: try await capicom.fileBytes(counter) - counted, runs: runs,
            server: max(peak, second) - bench.memory.capicom, client: client - before)
    }

    // MARK: Files and messages

    fileprivate static func sending(_ file: String, _ subject: String) -> [String] {
        ["send", "bob@scopio.test", "--subject", subject, "--body", "", "--attach", file]
    }

    /// The id of a message in the Inbox, once it is there.
    fileprivate static func arrival(of subject: String, at person: AttachmentPerson) async throws -> String {
        let deadline = ContinuousClock.now + .seconds(60)
        while ContinuousClock.now < deadline {
            let listing = try await person.succeed(["list", "--json"])
            let headers = try JSONSerialization.jsonObject(with: Data(listing.output.utf8)) as? [[String: Any]] ?? []
            let header = headers.first { $0["subject"] as? String == subject }
            if let id = header?["id"] as? String { return id }
        }
        throw ProcessFailure(description: "the message \(subject) does not arrive")
    }

    private static func size(of path: String) -> UInt64? {
        (try? FileManager.default.attributesOfItem(atPath: path)[.size] as? NSNumber)?.uint64Value
    }

    /// Writes a file in which no block is like another.
    fileprivate static func fill(_ path: String, bytes: UInt64) throws {
        var state: UInt64 = 20_261_124
        var block = (0..<131_072).map { _ -> UInt64 in
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return state
        }
        try PrivateFile.write("", to: path)
        guard let file = FileHandle(forWritingAtPath: path) else { throw ProcessFailure(description: "cannot write \(path)") }
        defer { try? file.close() }
        var left = bytes
        while left > 0 {
            block[0] = left
            let count = Int(min(left, 1 << 20))
            try file.write(contentsOf: block.withUnsafeBytes { Data($0[..<count]) })
            left -= UInt64(count)
        }
    }
}

extension AttachmentTransferTests.Bench {
    /// By a program that is not ours.
    fileprivate func digests(of files: [String]) async throws -> [String] {
        let ended = try await AttachmentPerson.Running(["/usr/bin/sha256sum"] + files, in: folder, leash: two.leash).ended()
        #expect(ended.status == 0, "\(ended.errors)")
        return ended.output.split(separator: "\n").compactMap { $0.split(separator: " ").first.map(String.init) }
    }

    /// How often the sender's server counts a file as fetched.
    fileprivate func fetches(of name: String) async throws -> [Int] {
        let listing = try await alice.succeed(["attachments", "list", "--json"])
        let files = try JSONSerialization.jsonObject(with: Data(listing.output.utf8)) as? [[String: Any]] ?? []
        return files.filter { $0["name"] as? String == name }.compactMap { $0["fetches"] as? Int }
    }
}
