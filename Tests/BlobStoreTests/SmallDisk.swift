import BlobStore
import Foundation
import Identity

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A file system in memory with little room. Root may mount one, unless the container forbids it.
struct SmallDisk {
    let folder: String

    static let isPossible: Bool = {
        guard getuid() == 0, let disk = try? SmallDisk(megabytes: 1) else { return false }
        disk.remove()
        return true
    }()

    init(megabytes: Int) throws {
        #if os(Linux)
            folder = FileManager.default.temporaryDirectory.path + "/blob-disk-\(RandomID.hex(8))"
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            guard mount("tmpfs", folder, "tmpfs", 0, "size=\(megabytes)m,mode=0700") == 0 else {
                let reason = String(cString: strerror(errno))
                try? FileManager.default.removeItem(atPath: folder)
                throw BlobError(.ioFailure, "cannot mount: \(reason)")
            }
        #else
            throw BlobError(.ioFailure, "only on Linux")
        #endif
    }

    func occupy(megabytes: Int) throws {
        try Data(count: megabytes << 20).write(to: URL(fileURLWithPath: folder + "/ballast"))
    }

    func free() throws { try FileManager.default.removeItem(atPath: folder + "/ballast") }

    func remove() {
        #if os(Linux)
            _ = umount2(folder, Int32(MNT_DETACH))
        #endif
        try? FileManager.default.removeItem(atPath: folder)
    }
}
