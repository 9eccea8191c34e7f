import BenchSupport
import Foundation

/// Random bytes that nothing can compress, seeded.
struct SampleFile {
    let path: String
    private let folder: String

    init(megabytes: Int, folder: String) throws {
        self.folder = folder
        path = folder + "/sample.bin"
        say("writing a file of \(megabytes) MiB")
        guard FileManager.default.createFile(atPath: path, contents: nil), let file = FileHandle(forWritingAtPath: path) else {
            throw Failure("cannot write \(path)")
        }
        var state: UInt64 = 20_261_124
        for _ in 0..<megabytes {
            let words = (0..<131_072).map { _ -> UInt64 in
                state ^= state << 13
                state ^= state >> 7
                state ^= state << 17
                return state
            }
            try words.withUnsafeBytes { try file.write(contentsOf: Data($0)) }
        }
        try file.synchronize()
        try file.close()
    }

    /// Makes it another file: its first eight bytes.
    func change(to number: Int) throws {
        guard let file = FileHandle(forUpdatingAtPath: path) else { throw Failure("cannot write \(path)") }
        defer { try? file.close() }
        try withUnsafeBytes(of: UInt64(number)) { try file.write(contentsOf: Data($0)) }
        try file.synchronize()
    }

    /// - Parameter other: a folder with one file, which must be the same.
    func compare(with other: String) throws {
        let names = try FileManager.default.contentsOfDirectory(atPath: other)
        guard names.count == 1, try ChildProcess("cmp", [path, "\(other)/\(names[0])"], folder: folder, name: "cmp").wait() else {
            throw Failure("what was fetched is not what was sent: \(names)")
        }
    }

    /// SHA-256 in hexadecimal, by sha256sum.
    func digest() throws -> String {
        let judge = try ChildProcess("sha256sum", [path], folder: folder, name: "sha256sum")
        guard judge.wait(), let digest = judge.output.split(separator: " ").first else { throw Failure("sha256sum failed") }
        return String(digest)
    }
}
