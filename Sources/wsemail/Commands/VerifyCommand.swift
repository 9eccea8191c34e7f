import ArgumentParser
import Console
import Foundation
import MailClient

struct VerifyCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Verify an evidence bundle, offline.",
        discussion: """
            Prints who sent the message, to whom and when, which domain vouches and what \
            the receipts say. Only the roots that you name are believed. Ends with \
            status 0 when all proofs of the message verify, with 2 when one does not, and \
            with 1 when the file is no evidence file at all.

            A message that the first one passes on has a verdict of its own, below it. It \
            does not change the status: whoever sends a message answers for having sent \
            it, whatever it encloses.

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
                let bytes = try InputFile.read(path, limit: 1 << 20)
                return String(decoding: bytes, as: UTF8.self)
            }, now: Date())
        let report = try await verifier.verify(document: InputFile.read(file, limit: EvidenceBundle.maximumSize))
        if screen.isJSON {
            try screen.json(EvidenceJSON(report))
        } else {
            screen.write(EvidenceView(report: report, style: screen.style).text)
        }
        guard report.isVerified else { throw CommandFailure.notVerified }
    }
}
