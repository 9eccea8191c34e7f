import Crypto
import Foundation
import Identity
import MailModel
import TestSupport
import Testing

@testable import MailServer

/// Stock stacks send and fetch files: JAX-WS with MTOM, MSAL with our token service, zeep with neither of ours but the WSDL.
@Suite(.timeLimit(.minutes(5))) struct ForeignFileTests {
    private static let python = ProcessInfo.processInfo.environment["WSEMAIL_PYTHON"]
    private static let hasJava = ProcessInfo.processInfo.environment["WSEMAIL_JAVA"] != nil

    /// Not a whole number of anything, and with an end that a careless MIME reader eats.
    private let file = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 0x9e37_79b1 >> 7) } + [13, 10]

    @Test(.enabled(if: hasJava && python != nil, "run scripts/test, which sets WSEMAIL_JAVA and WSEMAIL_PYTHON"))
    func `JAX-WS sends and fetches a file by MTOM, and zeep fetches it inline`() async throws {
        let two = try await TwoDomains.start()
        let capicom = two.capicom
        let carol = try TestUser("carol", of: capicom)
        let place = try ForeignPlace(at: capicom, file: file)

        let output = try await place.java("MTOMSend", "alice", at: capicom, ["carol@capicom.test", place.file])
        #expect(output.contains("receipt carol@capicom.test delivered"), "\(output)")
        #expect(output.contains("fault {urn:wsemail:2}InvalidMessage"), "\(output)")
        #expect(output.contains("signatures checked 2"), "\(output)")

        // The file that did not fit its message left nothing behind.
        let headers = try await carol.inbox(reaching: 1)
        #expect(headers.map(\.subject) == ["A file from Java <&>"])
        let (message, postmark) = try await carol.retrieve(try #require(headers.first))
        #expect(message.message.attachments.map(\.digest) == [Array(SHA256.hash(data: file))])
        #expect(postmark.postmark.attachments.map(\.digest) == [Array(SHA256.hash(data: file))])

        let unpacked = try await place.java("MTOMFetch", "carol", at: capicom, ["A file from Java <&>", place.output])
        #expect(unpacked.contains("digest verified") && unpacked.contains("signatures checked 3"), "\(unpacked)")
        #expect(try place.fetched() == file)
        try FileManager.default.removeItem(atPath: place.output)

        let fetched = try await place.python(
            "inline_fetch.py",
            [
                "carol@capicom.test", place.passwordFile, "A file from Java <&>", place.output, "capicom.test", "\(capicom.port)",
                capicom.rootFile,
            ])
        #expect(fetched.contains("digest verified"), "\(fetched)")
        #expect(try place.fetched() == file)
        await carol.close()
        try await two.remove()
    }

    @Test(.enabled(if: python != nil, "run scripts/test, which sets WSEMAIL_PYTHON"))
    func `MSAL gets a token at home, with which zeep fetches a file abroad`() async throws {
        // A server that has just started takes no keyless token that it may have seen before, and MSAL dates its calls in whole seconds.
        let clock = TestClock(-200)
        let two = try await TwoDomains.start(clock: clock.now)
        clock.set(0)
        let (capicom, scopio) = (two.capicom, two.scopio)
        let alice = try TestUser("alice", of: capicom)
        let bob = try TestUser("bob", of: scopio)
        let place = try ForeignPlace(at: scopio, file: file)

        var message = alice.message(to: [bob.address], subject: "The plan")
        message.attachments = [
            AttachmentReference(
                name: "plan.bin", mediaType: "application/octet-stream", size: UInt64(file.count),
                digest: Array(SHA256.hash(data: file)))
        ]
        _ = try await alice.call(SendOperation.self, .init(message: SealedMessage(message), blobs: [file]))
        _ = try await bob.inbox(reaching: 1)
        // MSAL cannot sign: both administrators say that tokens without a key are good enough.
        try await scopio.admin(.tokenAllow, [.domain: "*", .services: "attachments", .bearer: "yes"])
        try await capicom.admin(.tokenAllow, [.domain: "scopio.test", .services: "attachments", .bearer: "yes"])

        let output = try await place.python(
            "federated_fetch.py",
            [
                "bob@scopio.test", place.passwordFile, "The plan", place.output, "scopio.test", "\(scopio.port)", scopio.rootFile,
                "capicom.test", "\(capicom.port)", capicom.rootFile,
            ])
        #expect(output.contains("token bob@scopio.test"), "\(output)")
        #expect(output.contains("digest verified"), "\(output)")
        #expect(output.contains("fault InvalidToken"), "\(output)")
        #expect(try place.fetched() == file)
        await alice.close()
        await bob.close()
        try await two.remove()
    }
}

extension TestDomain {
    /// The root of the domain's certificates, for strangers to pin.
    var rootFile: String { configuration.keyDirectory + "/root.pem" }
}

/// Files that a foreign program reads and writes; they go with the domain's folder.
private struct ForeignPlace {
    let folder: String
    let passwordFile: String
    let file: String
    let output: String

    static let interop = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../Interop").standardized.path

    init(at domain: TestDomain, file octets: [UInt8]) throws {
        folder = domain.configuration.dataDirectory + "/foreign"
        try PrivateFile.createFolder(folder)
        passwordFile = folder + "/password"
        file = folder + "/file"
        output = folder + "/fetched"
        try PrivateFile.write(TestDomain.password + "\n", to: passwordFile)
        try Data(octets).write(to: URL(fileURLWithPath: file))
    }

    /// Runs a JAX-WS client in Tests/Interop/java; it must succeed.
    func java(_ program: String, _ user: String, at domain: TestDomain, _ arguments: [String]) async throws -> String {
        let common = [folder + "/java", domain.domain.ascii, "\(domain.port)", domain.rootFile, "\(user)@\(domain.domain.ascii)"]
        let (status, output) = try await run(
            ForeignPlace.interop + "/java/run", [program] + common + [passwordFile] + arguments)
        #expect(status == 0, "\(output)")
        return output
    }

    /// Runs one of the programs in Tests/Interop; it must succeed.
    func python(_ program: String, _ arguments: [String]) async throws -> String {
        let python = try #require(ProcessInfo.processInfo.environment["WSEMAIL_PYTHON"])
        let (status, output) = try await run(python, [ForeignPlace.interop + "/" + program] + arguments)
        #expect(status == 0, "\(output)")
        return output
    }

    func fetched() throws -> [UInt8] { Array(try Data(contentsOf: URL(fileURLWithPath: output))) }
}
