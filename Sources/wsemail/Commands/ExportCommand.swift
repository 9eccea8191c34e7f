import ArgumentParser
import Console
import Foundation
import Identity
import MailClient

struct ExportCommand: MailboxCommand {
    static let configuration = CommandConfiguration(
        commandName: "export", abstract: "Write a message with all its proofs to a file that anybody can verify.",
        discussion: """
            The bundle holds the message, its Postmark, the receipts and the certificates:
            `wsemail verify` needs nothing else but the roots.

            Example:
              wsemail export 12 -o contract.evidence
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var account: AccountOptions

    @Argument(help: ArgumentHelp("Number or id of the message.", valueName: "message"))
    var message: MessageArgument

    @Option(name: .shortAndLong, help: ArgumentHelp("The file to write, or - for standard output.", valueName: "file"))
    var output: String

    @Flag(help: "Replace the file if it is there.")
    var force = false

    private struct Output: Encodable {
        let file: String
        let evidence: EvidenceJSON
    }

    func run(on screen: Screen) async throws {
        let reference = try NumberBook.Reference(message.text)
        if output != "-", !force, FileManager.default.fileExists(atPath: output) {
            throw MailClientError(.invalidInput, "\(output) is there already", advice: "Name another file, or add --force.")
        }
        try await withClient(screen) { client in
            let (bundle, report) = try await Progress.run("gathering the proofs…", screen) {
                try await client.evidence(client.resolve(reference))
            }
            if output == "-" {
                FileHandle.standardOutput.write(Data(bundle.document))
            } else {
                // The message may be confidential: nobody else can read the file until its owner allows it.
                try PrivateFile.write(bundle.document, to: output)
                if screen.isJSON {
                    try screen.json(Output(file: output, evidence: EvidenceJSON(report)))
                } else {
                    screen.line("Wrote \(output) (\(HumanText.bytes(Int64(bundle.document.count)))).")
                }
            }
            guard report.isVerified else {
                for finding in report.findings where !finding.isVerified {
                    screen.warning("\(finding.part): \(finding.words)")
                }
                throw CommandFailure.notVerified
            }
        }
    }
}
