import ArgumentParser
import Console
import Foundation
import MailClient

struct VerifyCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Verify an evidence bundle, offline.",
        discussion: """
            Prints who sent the message, to whom and when, which domain vouches and what
            the receipts say. Only the roots that you name are believed. Ends with status
            0 only when everything verifies, else with 2.

            Example:
              wsemail verify contract.evidence --roots capicom.pem scopio.pem
            """)

    @OptionGroup var common: CommonOptions

    @Argument(help: "The bundle, or - for standard input.")
    var file: String

    @Option(
        parsing: .upToNextOption,
        help: ArgumentHelp("Roots that you trust: PEM files with one or more certificates.", valueName: "file"))
    var roots: [String]

    func run(on screen: Screen) async throws {
        let verifier = try EvidenceVerifier(
            rootsPEM: roots.map { path in
                let bytes = try Self.read(path, limit: 1 << 20)
                return String(decoding: bytes, as: UTF8.self)
            }, now: Date())
        let report = try await verifier.verify(document: Self.read(file, limit: EvidenceBundle.maximumSize))
        if screen.isJSON {
            try screen.json(EvidenceJSON(report))
        } else {
            Terminal.output.write(EvidenceView(report: report, style: screen.style).text)
        }
        guard report.isVerified else { throw CommandFailure.notVerified }
    }

    private static func read(_ path: String, limit: Int) throws -> [UInt8] {
        let handle = path == "-" ? FileHandle.standardInput : FileHandle(forReadingAtPath: path)
        guard let handle else { throw MailClientError(.invalidInput, "cannot read \(path)") }
        var bytes: [UInt8] = []
        while let chunk = try handle.read(upToCount: 1 << 16), !chunk.isEmpty {
            bytes += chunk
            guard bytes.count <= limit else { throw MailClientError(.invalidInput, "\(path) is too large") }
        }
        return bytes
    }
}
