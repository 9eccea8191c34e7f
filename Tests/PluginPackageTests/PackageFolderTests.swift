import Foundation
import PluginAPI
import Testing

@testable import Identity
@testable import PluginPackage

/// Files on a disk, and the programs of others as judges.
@Suite struct PackageFolderTests {
    /// A folder that is removed with the value.
    final class Folder {
        let url = FileManager.default.temporaryDirectory.appending(path: "package-" + RandomID.hex(8))

        init() throws {
            try FileManager.default.createDirectory(at: url.appending(path: "in/build"), withIntermediateDirectories: true)
        }

        deinit { try? FileManager.default.removeItem(at: url) }

        @discardableResult
        func write(_ name: String, _ data: some Sequence<UInt8>) throws -> String {
            try Data(Array(data)).write(to: url.appending(path: name))
            return path(name)
        }

        func path(_ name: String) -> String { url.appending(path: name).path }
    }

    private func run(_ program: String, _ arguments: String...) throws -> (status: Int32, output: String) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        let output = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: output, as: UTF8.self))
    }

    private func pack(_ folder: Folder) throws -> [UInt8] {
        try PackageBuilder(manifest: Array(World.manifest.utf8), file: PackageBuilder.folder(folder.path("in"))).unsigned()
    }

    @Test func `Files are taken from the folder of the manifest`() async throws {
        let folder = try Folder()
        await expectRefusal("no file build/vacation.wasm") { try pack(folder) }
        try folder.write("in/build/vacation.wasm", World.module)
        #expect(try pack(folder) == World.unsigned())
        try folder.write("in/build/vacation.wasm", [])
        await expectRefusal("Module is empty") { try pack(folder) }
    }

    @Test func `A link or a folder in the place of a file is not followed out`() async throws {
        let folder = try Folder()
        try folder.write("secret.wasm", World.module)
        try FileManager.default.createSymbolicLink(
            atPath: folder.path("in/build/vacation.wasm"), withDestinationPath: folder.path("secret.wasm"))
        await expectRefusal("leads out of") { try pack(folder) }
        try FileManager.default.removeItem(atPath: folder.path("in/build/vacation.wasm"))
        try FileManager.default.createDirectory(
            atPath: folder.path("in/build/vacation.wasm"), withIntermediateDirectories: false)
        await expectRefusal("is not a file") { try pack(folder) }
        try FileManager.default.removeItem(atPath: folder.path("in/build/vacation.wasm"))
        try folder.write("in/real.wasm", World.module)
        try FileManager.default.createSymbolicLink(
            atPath: folder.path("in/build/vacation.wasm"), withDestinationPath: folder.path("in/real.wasm"))
        #expect(try pack(folder) == World.unsigned())
    }

    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/xmlsec1")), arguments: [false, true])
    func `xmlsec1 verifies our signature, and no other text`(_ isRSA: Bool) throws {
        let publisher = try Publisher(key: isRSA ? .generateRSA() : .generateP256())
        let folder = try Folder()
        let octets = try publisher.signed(World.unsigned())
        let good = try folder.write("good.wsep", octets)
        let bad = try folder.write("bad.wsep", World.text(octets).with("Vacation", "Holidays").utf8)
        let certificate = try folder.write("leaf.pem", publisher.certificate.pem.utf8)
        for (file, status) in [(good, true), (bad, false)] {
            let result = try run(
                "/usr/bin/xmlsec1", "verify", "--id-attr:Id", "PluginPackage", "--pubkey-cert-pem", certificate, file)
            #expect((result.status == 0) == status, "\(result.output)")
        }
    }

    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/openssl")))
    func `An organisation's authority made with openssl can sign packages`() async throws {
        let folder = try Folder()
        func openssl(_ line: String) throws {
            let words = line.split(separator: " ").map { $0.replacingOccurrences(of: "~", with: " ") }
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
            process.arguments = words
            process.currentDirectoryURL = folder.url
            process.standardError = FileHandle.nullDevice
            try process.run()
            process.waitUntilExit()
            try #require(process.terminationStatus == 0, "\(line)")
        }
        let ca = "-addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign"
        let curve = "-newkey ec -pkeyopt ec_paramgen_curve:P-384 -nodes"
        try openssl("req -x509 \(curve) -keyout root.key -out root.pem -days 30 -subj /O=Example/CN=Example~Root \(ca)")
        try openssl(
            "req -x509 -CA root.pem -CAkey root.key -newkey rsa:2048 -nodes -keyout sub.key -out sub.pem -days 30 "
                + "-subj /O=Example/CN=Code~Signing \(ca) -addext extendedKeyUsage=codeSigning")
        try openssl(
            "req -x509 -CA sub.pem -CAkey sub.key \(curve) -keyout leaf.key -out leaf.pem -days 20 -subj /O=Example/CN=Example~Ltd "
                + "-addext basicConstraints=critical,CA:FALSE -addext keyUsage=critical,digitalSignature "
                + "-addext extendedKeyUsage=codeSigning")
        func read(_ name: String) throws -> String { try String(contentsOfFile: folder.path(name), encoding: .utf8) }
        let now = try MailCertificate(pem: read("leaf.pem")).notBefore + 60
        let octets = try PackageBuilder.sign(
            World.unsigned(), certificatePEM: read("leaf.pem") + read("sub.pem") + read("root.pem"), keyPEM: read("leaf.key"),
            now: now)
        let anchors = PublisherAnchors(anchors: [try PublisherAnchor(pem: read("root.pem"), label: "organisation")])
        let verified = try await PackageVerifier(anchors).verify(octets, at: now)
        #expect(verified.publisher.name == "Example Ltd")
        #expect(verified.publisher.chain.count == 3)
    }
}
