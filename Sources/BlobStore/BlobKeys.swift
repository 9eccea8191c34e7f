import Crypto
import Foundation
import Identity

/// Where a file lies: the folder of its owner, and its name in it.
struct FileKey: Hashable, Sendable {
    /// Octets of a SHA-256.
    static let digestLength = 32

    /// Hexadecimal SHA-256 of the owner's address.
    let folder: String
    /// Hexadecimal digest of the file.
    let name: String

    /// - Throws: `.invalid`.
    init(owner: Address, digest: [UInt8]) throws(BlobError) {
        guard digest.count == Self.digestLength else {
            throw BlobError(.invalid, "a SHA-256 digest has \(Self.digestLength) octets, not \(digest.count)")
        }
        folder = Self.folder(of: owner)
        name = Hex.encode(digest)
    }

    init(folder: String, name: String) {
        self.folder = folder
        self.name = name
    }

    static func folder(of owner: Address) -> String { Hex.encode(Array(SHA256.hash(data: Data(owner.description.utf8)))) }

    /// Whether `name` is 64 lower-case hexadecimal digits: anything else in our folders is not ours.
    static func isName(_ name: String) -> Bool { isHex(name, digestLength * 2) }

    static func isHex(_ name: some StringProtocol, _ count: Int) -> Bool {
        name.utf8.count == count && name.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
    }
}

/// Two openings of one upload have this in common.
struct UploadKey: Hashable, Sendable {
    let file: FileKey
    let size: UInt64
}

/// What a name in the folder of the uploads stands for.
enum UploadName {
    case partial(id: String)
    case sidecar(id: String)
    /// A sidecar that is being replaced.
    case newSidecar(id: String)
    /// A file on its way to an owner's folder.
    case temporary

    /// Hexadecimal digits of an id.
    static let idLength = 32

    /// nil: not ours.
    init?(_ name: String) {
        let id = String(name.prefix(Self.idLength))
        guard FileKey.isHex(id, Self.idLength) else { return nil }
        switch name.dropFirst(Self.idLength) {
        case "": self = .partial(id: id)
        case ".json": self = .sidecar(id: id)
        case ".new": self = .newSidecar(id: id)
        case ".tmp": self = .temporary
        default: return nil
        }
    }

    static func sidecar(_ id: String) -> String { id + ".json" }
    static func newSidecar(_ id: String) -> String { id + ".new" }
    static func newTemporary() -> String { RandomID.hex(idLength / 2) + ".tmp" }
}

/// A SHA-256 of the first `count` octets of a file.
struct RunningHash: Sendable {
    private var hash = SHA256()
    private(set) var count: UInt64 = 0

    mutating func update(_ bytes: UnsafeRawBufferPointer) {
        guard !bytes.isEmpty else { return }
        hash.update(bufferPointer: bytes)
        count += UInt64(bytes.count)
    }

    /// Hexadecimal.
    var digest: String { Hex.encode(Array(hash.finalize())) }
}
