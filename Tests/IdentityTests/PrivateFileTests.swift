import Foundation
import Testing

@testable import Identity

@Suite struct PrivateFileTests {
    private func mode(_ path: String) throws -> Int {
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        return (attributes[.posixPermissions] as? NSNumber)?.intValue ?? -1
    }

    @Test func writesReadsAndReplaces() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("key.pem")
        try PrivateFile.write("one", to: path)
        try PrivateFile.write("two", to: path)
        #expect(try PrivateFile.readText(path) == "two")
        #expect(try mode(path) == 0o600)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["key.pem"])
        try PrivateFile.write([], to: path)
        #expect(try PrivateFile.read(path).isEmpty)
        let large = [UInt8](repeating: 7, count: 100_000)
        try PrivateFile.write(large, to: path)
        #expect(try PrivateFile.read(path) == large)
    }

    @Test(arguments: [0o644, 0o640, 0o604, 0o620, 0o602, 0o660])
    func refusesWhatOthersCanRead(mode: Int) async throws {
        let folder = try TemporaryFolder()
        let path = folder.file("key.pem")
        try PrivateFile.write("secret", to: path)
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
        let error = await expect(.unsafeFile) { try PrivateFile.read(path) }
        #expect(error?.reason.contains("chmod 600 \(path)") == true)
    }

    @Test func replacingAnOpenFileMakesItPrivate() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("key.pem")
        try Data("old".utf8).write(to: URL(fileURLWithPath: path))
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: path)
        try PrivateFile.write("new", to: path)
        #expect(try PrivateFile.readText(path) == "new")
    }

    @Test func limitsKindsAndMissingOnes() async throws {
        let folder = try TemporaryFolder()
        let path = folder.file("x")
        try PrivateFile.write([1, 2, 3], to: path)
        #expect(try PrivateFile.read(path, limit: 3).count == 3)
        expectCode(.limitExceeded) { try PrivateFile.read(path, limit: 2) }
        expectCode(.unsafeFile) { try PrivateFile.read(folder.path) }
        let error = await expect(.fileSystem) { try PrivateFile.read(folder.file("none")) }
        #expect(error?.reason.contains("No such file") == true)
        expectCode(.fileSystem) { try PrivateFile.write([1], to: folder.file("none/x")) }
        try PrivateFile.write([0xFF, 0xFE], to: path)
        expectCode(.unsafeFile) { try PrivateFile.readText(path) }
    }

    @Test func aFailedRenameLeavesNothingBehind() throws {
        let folder = try TemporaryFolder()
        try PrivateFile.createFolder(folder.file("taken"))
        try PrivateFile.write([1], to: folder.file("taken/inner"))
        expectCode(.fileSystem) { try PrivateFile.write([1], to: folder.file("taken")) }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["taken"])
    }

    @Test func folders() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("a/b/c")
        try PrivateFile.createFolder(path)
        #expect(try mode(folder.file("a")) == 0o700)
        #expect(try mode(path) == 0o700)
        try PrivateFile.createFolder(path + "/")
        try FileManager.default.setAttributes([.posixPermissions: 0o777], ofItemAtPath: path)
        expectCode(.unsafeFile) { try PrivateFile.createFolder(path) }
        try PrivateFile.write([1], to: folder.file("f"))
        expectCode(.unsafeFile) { try PrivateFile.createFolder(folder.file("f")) }
    }
}
