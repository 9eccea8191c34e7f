import BenchSupport
import Foundation
import Identity
import MailModel
import SOAPClient

/// What the users do, phase by phase.
final class Workload {
    private let users: [BenchUser]
    /// Each reads what the home user at the same position sends abroad.
    private let readers: [BenchUser]
    private let bed: TestBed
    private let cpu: ServerCPU
    private let options: Options
    private var text = SampleText(seed: 5)
    /// Messages that were sent abroad.
    private var sentAbroad = 0
    private var roundsDone = 0

    init(_ bed: TestBed, _ options: Options) async throws {
        self.bed = bed
        self.options = options
        let roots = (home: try bed.root(of: TestBed.home), abroad: try bed.root(of: TestBed.abroad))
        users = try bed.homeUsers.map {
            try BenchUser($0, domain: TestBed.home, port: bed.homePort, root: roots.home)
        }
        readers = try bed.abroadUsers.map {
            try BenchUser($0, domain: TestBed.abroad, port: bed.abroadPort, root: roots.abroad)
        }
        cpu = try ServerCPU(process: bed.serverProcess)
    }

    /// Sessions, connections, compiled statements, and the certificates that the domains learn of each other.
    func warmUp() async throws {
        say("warming up")
        try await send(each: 50)
        try await everyone { user, _ in
            for id in try await user.list(limit: 50).headers.map(\.id) {
                try await user.retrieve(id)
                try await user.delete(id)
            }
        }
    }

    /// All phases once; inboxes are empty before and after.
    func round() async throws -> RoundFigures {
        roundsDone += 1
        let count = options.operations
        var figures = RoundFigures()
        figures["send_cpu_ms"] = try await phase("send", operations: count) { try await self.send(each: count) }
        figures["list_cpu_ms"] = try await phase("list", operations: 4 * count) {
            try await self.everyone { user, _ in for _ in 0..<(4 * count) { _ = try await user.list(limit: 6) } }
        }
        figures["list_50_cpu_ms"] = try await phase("list_50", operations: count) {
            try await self.everyone { user, _ in for _ in 0..<count { _ = try await user.list(limit: 50) } }
        }
        let ids = try await inboxes()
        figures["retrieve_cpu_ms"] = try await phase("retrieve", operations: 4 * count) {
            try await self.everyone { user, index in
                for _ in 0..<4 { for id in ids[index].prefix(count) { try await user.retrieve(id) } }
            }
        }
        figures["delete_cpu_ms"] = try await phase("delete", operations: count) {
            try await self.everyone { user, index in for id in ids[index].prefix(count) { try await user.delete(id) } }
        }
        try await send(each: 6)
        try await mix(each: 4 * count, into: &figures)
        say("mix: \(String(format: "%.3f", figures["mix_cpu_ms"] ?? 0)) ms")
        try await empty()
        return figures
    }

    func close() async {
        for user in users + readers { await user.close() }
    }

    // MARK: Phases

    /// Server CPU per operation in milliseconds.
    private func phase(_ name: String, operations: Int, _ body: () async throws -> Void) async throws -> Double {
        let recorder = options.perfFolder.flatMap { folder in
            roundsDone == options.rounds ? Recorder(folder: folder, process: bed.serverProcess) : nil
        }
        let recording = try await recorder?.start(name)
        let before = try cpu.milliseconds()
        try await body()
        let result = (try cpu.milliseconds() - before) / Double(operations * users.count)
        recording?.end(SIGINT)
        if operations > 1 { say("\(name): \(String(format: "%.3f", result)) ms") }
        return result
    }

    private func everyone(_ body: @escaping @Sendable (BenchUser, Int) async throws -> Void) async throws {
        try await withThrowingTaskGroup { group in
            for (index, user) in users.enumerated() { group.addTask { try await body(user, index) } }
            try await group.waitForAll()
        }
    }

    /// Every user writes to the next and to one abroad. Returns when all is delivered.
    private func send(each count: Int) async throws {
        let mails = users.map { _ in (0..<count).map { _ in text.mail() } }
        let recipients = users.indices.map { addressees(of: $0) }
        try await everyone { user, index in
            for mail in mails[index] { try await user.send(mail, to: recipients[index]) }
        }
        sentAbroad += count * users.count
        try await waitForDelivery()
    }

    private func addressees(of index: Int) -> [Address] {
        [users[(index + 1) % users.count].address, readers[index].address]
    }

    /// Asks the other server until it has all, then gives ours the time to note it.
    private func waitForDelivery() async throws {
        let deadline = ContinuousClock.now + .seconds(60)
        while true {
            var arrived = 0
            // Uids are given once and readers send nothing: the highest is the count.
            for reader in readers { arrived += Int(try await reader.list(limit: 1).cursor) }
            if arrived == sentAbroad { break }
            guard arrived < sentAbroad, ContinuousClock.now < deadline else {
                throw Failure("\(arrived) of \(sentAbroad) messages arrived abroad\n\(bed.logs)")
            }
            try await Task.sleep(for: .milliseconds(20))
        }
        try await Task.sleep(for: .milliseconds(100))
    }

    private func inboxes() async throws -> [[MessageID]] {
        var result: [[MessageID]] = []
        for user in users {
            var ids: [MessageID] = []
            var cursor: UInt64 = 0
            while true {
                let page = try await user.list(limit: 500, after: cursor)
                ids += page.headers.map(\.id)
                guard page.more, let last = page.headers.last else { break }
                cursor = last.uid
            }
            result.append(ids)
        }
        return result
    }

    private func empty() async throws {
        let ids = try await inboxes()
        try await everyone { user, index in for id in ids[index] { try await user.delete(id) } }
        guard try bed.queueLength() == 0 else { throw Failure("the queue is not empty after the round") }
    }

    // MARK: The paper's mix

    /// A retrieve or delete on an inbox that the client knows to be empty is not counted.
    private func mix(each count: Int, into figures: inout RoundFigures) async throws {
        let mails = users.map { _ in (0..<count).map { _ in text.mail() } }
        let recipients = users.indices.map { addressees(of: $0) }
        let seed = UInt64(roundsDone)
        let results = Collector()
        var sends = 0
        let start = ContinuousClock.now
        var elapsed = Duration.zero
        let perOperation = try await phase("mix", operations: 1) {
            try await self.everyone { user, index in
                var client = MixClient(user: user, recipients: recipients[index], seed: seed * 16 + UInt64(index))
                for mail in mails[index] { try await client.step(mail) }
                await results.add(client)
            }
            elapsed = ContinuousClock.now - start
            sends = await results.sends
            self.sentAbroad += sends
            try await self.waitForDelivery()
        }
        let latencies = await results.latencies.sorted()
        figures["mix_cpu_ms"] = perOperation * Double(users.count) / Double(latencies.count)
        figures["ops_per_s"] = Double(latencies.count) / (elapsed / .seconds(1))
        figures["mean_ms"] = latencies.reduce(0, +) / Double(latencies.count)
        figures["p99_ms"] = latencies[min(latencies.count - 1, latencies.count * 99 / 100)]
    }

    private actor Collector {
        private(set) var latencies: [Double] = []
        private(set) var sends = 0

        func add(_ client: MixClient) {
            latencies += client.latencies
            sends += client.sends
        }
    }

    // MARK: Bytes

    /// One user alone; inboxes are empty before and after.
    func measureBytes() async throws -> ByteFigures {
        say("counting bytes")
        var figures = ByteFigures()
        let user = users[0]
        // Somebody else's mail, two at a time, until a page of fifty is full.
        for _ in 0..<13 { try await send(each: 4) }
        for _ in 0..<25 {
            let mail = text.mail()
            figures.send.append(try await user.traffic { try await user.send(mail, to: self.addressees(of: 0)) }.sent)
        }
        sentAbroad += 25
        try await waitForDelivery()
        for _ in 0..<25 {
            figures.list.append(
                try await user.traffic {
                    guard try await user.list(limit: 50).headers.count == 50 else { throw Failure("no page of fifty") }
                }.received)
        }
        for id in try await inboxes()[0].prefix(25) {
            figures.retrieve.append(try await user.traffic { try await user.retrieve(id) }.received)
            let delete = try await user.traffic { try await user.delete(id) }
            figures.delete.append(delete.sent + delete.received)
        }
        try await empty()
        return figures
    }
}

/// What a round measured, by key.
struct RoundFigures {
    /// In the order of output, with decimal places.
    static let keys: [(String, Int)] = [
        ("send_cpu_ms", 3), ("list_cpu_ms", 3), ("list_50_cpu_ms", 3), ("retrieve_cpu_ms", 3), ("delete_cpu_ms", 3),
        ("mix_cpu_ms", 3), ("ops_per_s", 0), ("mean_ms", 2), ("p99_ms", 2),
    ]

    private var values: [String: Double] = [:]

    subscript(key: String) -> Double? {
        get { values[key] }
        set { values[key] = newValue }
    }
}

/// TLS payload of single calls.
struct ByteFigures {
    var send: [Int] = []
    var retrieve: [Int] = []
    var list: [Int] = []
    var delete: [Int] = []

    func report() {
        BenchSupport.report("send_bytes", median(send.map(Double.init)), digits: 0)
        BenchSupport.report("retrieve_bytes", median(retrieve.map(Double.init)), digits: 0)
        BenchSupport.report("list_bytes_per_header", median(list.map(Double.init)) / 50, digits: 1)
        BenchSupport.report("delete_bytes", median(delete.map(Double.init)), digits: 0)
    }
}
