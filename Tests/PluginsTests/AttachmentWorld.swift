import Foundation
import Identity
import MailModel
import PluginAPI
import Synchronization
import Testing

@testable import Plugins

/// The attachment plug-in with values, files and a clock in memory. Each call has an environment of its own, whose effects count
/// only if it ends well.
final class AttachmentWorld: Sendable {
    struct Offer: Hashable {
        let guid: String
        let reader: Address
        let until: Date
    }

    struct State {
        var now = Date(timeIntervalSince1970: 1_790_000_000)
        var values: [[UInt8]: [UInt8]] = [:]
        var holds: Set<KeptBlob> = []
        var offers: [Offer] = []
        var sent: [OutgoingMessage] = []
        var lines: [String] = []
        /// Reads of the last call.
        var reads = 0
        var isFull = false
    }
    let state: Mutex<State>
    let plugin: Attachments

    init(_ settings: [String: String] = [:]) throws {
        state = Mutex(State())
        plugin = Attachments(try AttachmentSettings(settings))
    }

    static let ann = address("ann@here.example")
    static let bob = address("bob@far.example")
    static let carol = address("carol@here.example")
    static let dave = address("dave@far.example")
    static let eve = address("eve@evil.example")

    static func address(_ text: String) -> Address {
        do { return try Address(text) } catch { fatalError("no address: \(text)") }
    }

    static func file(_ name: String, _ octets: [UInt8] = [1, 2, 3]) -> (facts: MessageFacts.Attachment, octets: [UInt8]) {
        let digest = Fingerprint(of: octets).bytes
        return (.init(name: name, mediaType: "text/plain", size: UInt64(octets.count), digest: digest), octets)
    }

    var now: Date { state.withLock { $0.now } }
    var values: [[UInt8]: [UInt8]] { state.withLock { $0.values } }
    var sent: [OutgoingMessage] { state.withLock { $0.sent } }
    var offers: [Offer] { state.withLock { $0.offers } }
    func pass(_ seconds: Double) { state.withLock { $0.now += seconds } }
    func pass(days: Double) { pass(days * 86_400) }

    // MARK: Calls

    private func call<T>(_ body: (AttachmentEnvironment) async throws -> T) async throws -> T {
        let environment = AttachmentEnvironment(state.withLock { $0 })
        state.withLock { $0.reads = 0 }
        defer {
            let (reads, lines) = environment.used
            state.withLock { state in
                state.reads = reads
                state.lines += lines
            }
        }
        let result = try await body(environment)
        let changed = environment.result
        state.withLock { $0 = changed }
        return result
    }

    /// Hands in a message of ann's with files that are all here, unless said otherwise. Returns the verdict.
    func submit(
        _ files: [MessageFacts.Attachment], to: [Address] = [bob], cc: [Address] = [], bcc: [Address] = [], from: Address = ann,
        id: MessageID = .random(), replaces: MessageID? = nil, here: Set<[UInt8]>? = nil, options: [AttachmentKeep] = [],
        raw: [String] = [], principal: Address? = nil
    ) async throws -> SendingVerdict {
        let message = MessageFacts(
            id: id.description, from: from, to: to, cc: cc, date: now, inReplyTo: nil, replaces: replaces?.description, size: 100,
            isAutomatic: false, hasForm: false, attachments: files, content: nil, octets: nil)
        let options = options.map { $0.octets() } + raw.map { Array($0.utf8) }
        let event = SubmissionEvent(
            message: message, recipients: to + cc + bcc,
            identity: CallerIdentity(principal: (principal ?? from).description, method: "session"),
            files: here ?? Set(files.map(\.digest)),
            options: options.map { SubmissionOption(identifier: AttachmentsXML.namespace, content: $0) })
        return try await call { environment in
            let verdict = try await plugin.process(event, environment)
            if case .keep(let guids) = verdict { environment.keep(guids, message) }
            return verdict
        }
    }

    /// The GUID of one file that was handed in.
    func kept(
        _ file: MessageFacts.Attachment = file("a.txt").facts, to: [Address] = [bob], cc: [Address] = [], bcc: [Address] = [],
        id: MessageID = .random(), replaces: MessageID? = nil, _ options: AttachmentKeep...
    ) async throws -> String {
        let verdict = try await submit([file], to: to, cc: cc, bcc: bcc, id: id, replaces: replaces, options: options)
        guard case .keep(let guids) = verdict, let guid = guids[file.digest] else {
            throw PluginError(.failed, "not kept: \(verdict)")
        }
        return guid
    }

    func ask(_ request: some AttachmentElement, by caller: Address, method: String = "session") async throws -> [UInt8] {
        try await ask(request.octets(), by: caller, method: method)
    }

    func ask(_ request: [UInt8], by caller: Address, method: String = "session") async throws -> [UInt8] {
        let event = ExtensionEvent(
            identifier: AttachmentsXML.namespace, request: request,
            caller: CallerIdentity(principal: caller.description, method: method))
        return try await call { try await plugin.answer(event, $0) }
    }

    func get(
        _ guid: String, by caller: Address = bob, resume: String? = nil, inline: Bool = false, method: String = "federated"
    ) async throws -> AttachmentAnswer.Get {
        try AttachmentAnswer.Get(
            octets: await ask(AttachmentCall.Get(guid: guid, resume: resume, inline: inline), by: caller, method: method))
    }

    func describe(_ guid: String, by caller: Address) async throws -> AttachmentAnswer.Describe {
        try AttachmentAnswer.Describe(octets: await ask(AttachmentCall.Describe(guid: guid), by: caller))
    }

    func log(_ guid: String) async throws -> [AttachmentAnswer.Event] {
        try AttachmentAnswer.Log(octets: await ask(AttachmentCall.Log(guid: guid), by: Self.ann)).events
    }

    func revoke(_ guid: String, _ readers: [Address] = []) async throws -> Int {
        try AttachmentAnswer.Revoke(octets: await ask(AttachmentCall.Revoke(guid: guid, readers: readers), by: Self.ann)).count
    }

    /// The owner logs in.
    func share(_ guid: String, _ readers: [Address], by caller: Address = bob) async throws -> AttachmentAnswer.Share {
        try AttachmentAnswer.Share(
            octets: await ask(
                AttachmentCall.Share(guid: guid, readers: readers), by: caller, method: caller == Self.ann ? "session" : "federated"))
    }

    /// Removes an account as the host does. Returns the number of calls.
    func removeAccount(_ address: Address) async throws -> Int {
        var calls = 0
        while calls < 1_000 {
            calls += 1
            let goesOn = try await call { try await plugin.accountRemoved(address, $0) }
            guard goesOn else { return calls }
        }
        return calls
    }

    /// Tidies up as the host does. Returns the number of calls.
    func tidy() async throws -> Int {
        var calls = 0
        while calls < 1_000 {
            calls += 1
            let goesOn = try await call { try await plugin.tidy($0) }
            guard goesOn else { return calls }
        }
        return calls
    }

    /// The reason of a refusal; fails the test if there was none, or if anything was written.
    func refusal(_ body: () async throws -> some Any) async throws -> String {
        let before = state.withLock { $0 }
        let fault = await #expect(throws: PluginFault.self) { _ = try await body() }
        let after = state.withLock { $0 }
        #expect(before.values == after.values && before.offers == after.offers && before.sent == after.sent)
        return fault?.reason ?? ""
    }
}

/// One call's environment: sees and changes a copy.
final class AttachmentEnvironment: PluginEnvironment {
    private let state: Mutex<AttachmentWorld.State>
    private let stored: [[UInt8]: [UInt8]]
    private let counts = Mutex((reads: 0, writes: 0, lines: [String]()))

    init(_ state: AttachmentWorld.State) {
        self.state = Mutex(state)
        stored = state.values
    }

    var result: AttachmentWorld.State { state.withLock { $0 } }
    var used: (reads: Int, lines: [String]) { counts.withLock { ($0.reads, $0.lines) } }
    var settings: [String: String] { [:] }

    func keep(_ guids: [[UInt8]: String], _ message: MessageFacts) {
        for (digest, guid) in guids {
            guard let file = message.attachments.first(where: { $0.digest == digest }) else { continue }
            let blob = KeptBlob(owner: message.from, digest: digest, size: file.size, guid: guid)
            state.withLock { _ = $0.holds.insert(blob) }
        }
    }

    func log(_ level: PluginLogLevel, _ text: String) throws(PluginError) { counts.withLock { $0.lines.append(text) } }
    func now() throws(PluginError) -> Date { state.withLock { $0.now } }

    func value(for key: [UInt8]) async throws(PluginError) -> [UInt8]? {
        let reads = counts.withLock { counts in
            counts.reads += 1
            return counts.reads
        }
        guard reads <= 1_000 else { throw PluginError(.limitExceeded, "reads") }
        return state.withLock { $0.values[key] }
    }

    func setValue(_ value: [UInt8]?, for key: [UInt8]) async throws(PluginError) {
        let writes = counts.withLock { counts in
            counts.writes += 1
            return counts.writes
        }
        guard writes <= 1_000, (1...512).contains(key.count), value?.count ?? 0 <= 65_536 else {
            throw PluginError(.limitExceeded, "writes")
        }
        state.withLock { $0.values[key] = value }
    }

    func keys(withPrefix prefix: [UInt8], after cursor: [UInt8]?, limit: Int) async throws(PluginError) -> [[UInt8]] {
        guard (1...1_000).contains(limit) else { throw PluginError(.limitExceeded, "keys") }
        let keys = stored.keys.filter { $0.starts(with: prefix) && (cursor?.lexicographicallyPrecedes($0) ?? true) }
        return Array(keys.sorted { $0.lexicographicallyPrecedes($1) }.prefix(limit))
    }

    func send(_ message: OutgoingMessage) async throws(PluginError) {
        try message.check()
        state.withLock { $0.sent.append(message) }
    }

    func lookUp(_ address: Address) async throws(PluginError) -> AddressStanding { throw PluginError(.notGranted, "look-up") }
    func readFile(_ digest: [UInt8], at offset: UInt64, count: Int) async throws(PluginError) -> [UInt8] {
        throw PluginError(.notGranted, "files")
    }

    func openUpload(_ digest: [UInt8], size: UInt64) async throws(PluginError) -> UploadOffer {
        guard !state.withLock({ $0.isFull }) else { throw PluginError(.limitExceeded, "you have no room for it") }
        return .open(id: "u1", ticket: [7], offset: 0, expires: state.withLock { $0.now + 60 })
    }

    private func require(_ blob: KeptBlob) throws(PluginError) {
        guard state.withLock({ $0.holds.contains(blob) }) else { throw PluginError(.invalid, "nobody keeps it") }
    }

    /// Every file is so many times its first digest octet.
    func readBlob(_ blob: KeptBlob, at offset: UInt64, count: Int) async throws(PluginError) -> [UInt8] {
        try require(blob)
        return [UInt8](repeating: blob.digest[0], count: min(count, Int(blob.size - offset)))
    }

    func offerDownload(_ blob: KeptBlob, to reader: Address, until: Date) async throws(PluginError) -> DownloadOffer {
        try require(blob)
        guard !state.withLock({ $0.isFull }) else { throw PluginError(.limitExceeded, "offers") }
        state.withLock { $0.offers.append(.init(guid: blob.guid, reader: reader, until: until)) }
        return DownloadOffer(
            path: "/wsemail/files/\(blob.guid)", ticket: RandomID.bytes(32), ticketID: RandomID.hex(16), expires: until)
    }

    func withdrawDownloads(of guid: String, reader: Address?) async throws(PluginError) {
        state.withLock { $0.offers.removeAll { $0.guid == guid && (reader == nil || $0.reader == reader) } }
    }

    func releaseBlob(_ blob: KeptBlob) async throws(PluginError) { state.withLock { _ = $0.holds.remove(blob) } }
}
