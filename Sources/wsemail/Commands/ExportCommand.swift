import ArgumentParser
import Console
import Identity
import MailClient

struct ExportCommand: MailboxCommand {
    static let configuration = CommandConfiguration(
        commandName: "export", abstract: "Write a message with all its proofs to a file that anybody can verify.",
        discussion: """
            The bundle holds the message, its Postmark, the receipts and the \
            certificates: `wsemail verify` needs nothing else but the roots.

            The receipts of a message that you sent name its blind copies (Bcc) too: you \
            are warned when that is so. --hide-bcc leaves those receipts out; then your \
            own domain may no longer vouch for the message, and the command ends with \
            status 2 when what remains proves nothing.

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

    @Flag(help: "Leave out receipts that name blind copies (Bcc).")
    var hideBcc = false

    private struct Output: Encodable {
        let file: String
        let blindCopies: [Address]
        let evidence: EvidenceJSON
    }

    func run(on screen: Screen) async throws {
        let reference = try NumberBook.Reference(message.text)
        try checkOutput()
        try await withClient(screen) { client in
            let gathered = try await Progress.run("gathering the proofs…", screen) {
                try await client.evidence(client.resolve(reference), hidesBcc: hideBcc)
            }
            if !gathered.blindCopies.isEmpty { warn(gathered.blindCopies, screen) }
            try write(gathered, screen)
            for finding in gathered.report.enclosureFindings where !finding.isVerified {
                screen.warning("the message inside is not proved: \(finding.part): \(finding.words)")
            }
            guard gathered.report.isVerified else {
                for finding in gathered.report.findings where !finding.isVerified {
                    screen.warning("\(finding.part): \(finding.words)")
                }
                throw CommandFailure.notVerified
            }
        }
    }

    private func checkOutput() throws {
        guard output != "-" else { return }
        switch OutputFile(at: output) {
        case .folder: throw MailClientError(.invalidInput, "\(output) is a folder", advice: "Name a file in it.")
        case .regular where !force:
            throw MailClientError(.invalidInput, "\(output) is there already", advice: "Name another file, or add --force.")
        default: break
        }
    }

    private func warn(_ blindCopies: [Address], _ screen: Screen) {
        let names = blindCopies.map(\.unicode).joined(separator: ", ")
        if hideBcc {
            screen.note("Left out: the receipts that name the blind copies to \(names).")
        } else {
            screen.warning("whoever gets this evidence learns of the blind copies to \(names); --hide-bcc leaves them out.")
        }
    }

    private func write(_ gathered: GatheredEvidence, _ screen: Screen) throws {
        let document = gathered.bundle.document
        guard output != "-" else { return screen.write(document) }
        if case .special = OutputFile(at: output) {
            do { try OutputFile.write(document, toSpecial: output) } catch {
                throw MailClientError(.storage, "cannot write \(output): \(error.reason)")
            }
        } else {
            // The message may be confidential: nobody else can read the file until its owner allows it.
            try PrivateFile.write(document, to: output)
        }
        guard !screen.isJSON else {
            return try screen.json(
                Output(
                    file: output, blindCopies: hideBcc ? [] : gathered.blindCopies, evidence: EvidenceJSON(gathered.report)))
        }
        screen.line("Wrote \(output) (\(HumanText.bytes(Int64(document.count)))).")
    }
}
