import Foundation
import Identity
import TestSupport
import Testing

/// Stock SOAP stacks against a real server.
@Suite struct ForeignClientTests {
    /// zeep knows only the WSDL (`Tests/Interop/zeep_client.py` says what it checks).
    @Test func zeepSendsListsRetrievesAndChecksEverySignature() async throws {
        let python = try #require(
            ProcessInfo.processInfo.environment["WSEMAIL_PYTHON"],
            "run scripts/test, which installs Tests/Interop/requirements.txt and sets WSEMAIL_PYTHON")
        let dns = try TestDNS([])
        let domain = try await TestDomain.start("capicom.test", port: try freePort(), dns: dns, users: ["alice", "carol"])
        let folder = domain.configuration.dataDirectory
        try PrivateFile.write(TestDomain.password + "\n", to: folder + "/password")
        let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../Interop/zeep_client.py").standardized.path
        let (status, output) = try await run(
            python,
            [
                script, "\(domain.port)", "capicom.test", folder + "/keys/root.pem", "alice@capicom.test", folder + "/password",
                "carol@capicom.test",
            ])
        #expect(status == 0, "\(output)")
        #expect(output.contains("signatures checked 5"), "\(output)")
        let carol = try TestUser("carol", of: domain)
        let headers = try await carol.list().headers
        #expect(headers.map(\.subject) == ["From a stock SOAP stack <&>"])
        await carol.close()
        try await domain.remove()
    }
}

/// Runs a program to its end without blocking a cooperative thread.
func run(_ program: String, _ arguments: [String]) async throws -> (status: Int32, output: String) {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = arguments
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = pipe
    try process.run()
    return await withCheckedContinuation { continuation in
        Thread.detachNewThread {
            let data = pipe.fileHandleForReading.readDataToEndOfFile()
            process.waitUntilExit()
            continuation.resume(returning: (process.terminationStatus, String(decoding: data, as: UTF8.self)))
        }
    }
}
