import Crypto
import Foundation
import Identity
import NIOCore
import NIOPosix
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

/// A clock that stands still until told otherwise.
final class HandClock: Sendable {
    private let time: Mutex<Date>
    init(_ start: Date = Date(timeIntervalSince1970: 1_800_000_000)) { time = Mutex(start) }
    var now: Date { time.withLock { $0 } }
    func advance(_ seconds: TimeInterval) { time.withLock { $0 += seconds } }
}

/// A folder with a store in it that can be dropped and opened again, as after a crash.
final class BlobYard {
    let folder: String
    let clock = HandClock()
    var configuration: BlobConfiguration
    private(set) var store: DiskBlobStore
    let alice: Address
    let bob: Address

    init(folder: String? = nil, _ change: (inout BlobConfiguration) -> Void = { _ in }) async throws {
        self.folder = folder ?? FileManager.default.temporaryDirectory.path + "/blobs-\(RandomID.hex(8))"
        var configuration = BlobConfiguration()
        configuration.keepFree = 0
        change(&configuration)
        self.configuration = configuration
        alice = try Address("alice@capicom.test")
        bob = try Address("bob@capicom.test")
        store = try await DiskBlobStore.open(
            folder: self.folder, configuration: configuration, pool: .singleton, clock: { [clock] in clock.now })
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    var now: Date { clock.now }

    /// The process dies and another one starts: nothing of the memory is left.
    func restart() async throws {
        store = try await DiskBlobStore.open(
            folder: folder, configuration: configuration, pool: .singleton, clock: { [clock] in clock.now })
    }

    /// Opens an upload that must not be complete.
    func open(
        _ octets: [UInt8], owner: Address? = nil
    ) async throws -> (id: String, secret: [UInt8], offset: UInt64, expires: Date) {
        let upload = try await store.openUpload(
            owner: owner ?? alice, digest: Self.digest(octets), size: UInt64(octets.count), now: now)
        guard case .open(let id, let secret, let offset, let expires) = upload else {
            throw BlobError(.invalid, "complete already")
        }
        return (id, secret, offset, expires)
    }

    /// A whole upload in one go.
    func put(_ octets: [UInt8], owner: Address? = nil) async throws {
        let upload = try await open(octets, owner: owner)
        let writer = try await store.append(to: upload.id, secret: upload.secret, at: upload.offset, now: now)
        try await writer.write(ByteBuffer(bytes: octets.dropFirst(Int(upload.offset))))
        #expect(try await writer.finish() == .complete)
    }

    func has(_ octets: [UInt8], owner: Address? = nil) async throws -> Bool {
        let reader = try await store.reader(owner: owner ?? alice, digest: Self.digest(octets))
        guard let reader else { return false }
        return try await Self.readAll(reader) == octets
    }

    func collect(
        olderThan: Date? = nil, isHeld: @Sendable (Address, [UInt8]) async throws -> Bool = { _, _ in false }
    ) async throws -> BlobCollection {
        try await store.collect(olderThan: olderThan ?? now.addingTimeInterval(1), now: now, isHeld: isHeld)
    }

    func path(of octets: [UInt8], owner: Address? = nil) -> String {
        folder + "/" + FileKey.folder(of: owner ?? alice) + "/" + Hex.encode(Self.digest(octets))
    }

    func partial(_ id: String) -> String { folder + "/uploads/" + id }

    func names(_ subfolder: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder + "/" + subfolder).sorted()
    }

    /// Changes one value of an upload's sidecar.
    func changeSidecar(_ id: String, _ name: String, to value: Any) throws {
        let url = URL(fileURLWithPath: partial(id) + ".json")
        var json = try #require(try JSONSerialization.jsonObject(with: Data(contentsOf: url)) as? [String: Any])
        #expect(json[name] != nil)
        json[name] = value
        try JSONSerialization.data(withJSONObject: json).write(to: url)
    }

    /// What a power cut does: the kernel is another one, and what was not made durable became zeros.
    func cutPower(_ id: String, keeping durable: Int) async throws {
        let url = URL(fileURLWithPath: partial(id))
        var octets = try Array(Data(contentsOf: url))
        for index in durable..<max(durable, octets.count) { octets[index] = 0 }
        try Data(octets).write(to: url)
        try changeSidecar(id, "boot", to: "another run of the kernel")
        try await restart()
    }

    static func digest(_ octets: [UInt8]) -> [UInt8] { Array(SHA256.hash(data: octets)) }

    static func octets(_ count: Int, seed: UInt8 = 1) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: ($0 &* 31) ^ ($0 >> 8)) &+ seed }
    }

    static func readAll(_ reader: any BlobReader) async throws -> [UInt8] {
        var result: [UInt8] = []
        while true {
            let piece = try await reader.read(at: UInt64(result.count), count: 1 << 20)
            if piece.readableBytes == 0 { return result }
            result += piece.readableBytesView
        }
    }
}

/// The error of a call that must fail.
func blobError(_ body: () async throws -> Void) async -> BlobError? {
    do { try await body() } catch { return error as? BlobError }
    return nil
}

/// A value that tasks share.
final class Shared<Value: Sendable>: Sendable {
    let value: Mutex<Value>
    init(_ value: Value) { self.value = Mutex(value) }
}
