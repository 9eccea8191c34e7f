import ArgumentParser
import Console
import Foundation
import Identity
import MailClient
import MailModel

struct StatusCommand: MailboxCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Show what became of a message that you sent, with the receipts of the receiving domains.",
        discussion: """
            A recipient's line is proved where their own domain signed a receipt that \
            verifies here. Ends with status 2 where a receipt does not verify.

            Examples:
              wsemail status 14
              wsemail status urn:uuid:… --wait 60
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var account: AccountOptions

    @Argument(help: ArgumentHelp("Number (of the Sent folder) or id of the message.", valueName: "message"))
    var message: MessageArgument

    @Option(help: ArgumentHelp("Wait so long until no recipient is in the queue any more.", valueName: "seconds"))
    var wait: Int?

    func run(on screen: Screen) async throws {
        let reference = try NumberBook.Reference(message.text)
        try await withClient(screen) { client in
            let status = try await fetch(client, reference, screen)
            if screen.isJSON { try screen.json(Output(status)) } else { show(status, screen) }
            guard status.isBelieved else { throw CommandFailure.notVerified }
        }
    }

    private func fetch(
        _ client: MailClient, _ reference: NumberBook.Reference, _ screen: Screen
    ) async throws -> DeliveryStatus {
        let deadline = Date().addingTimeInterval(TimeInterval(wait ?? 0))
        let progress = screen.progress()
        defer { progress.finish() }
        while true {
            progress.update("asking the server…")
            let status = try await client.status(of: reference)
            let isOpen = status.lines.contains { ["queued", "accepted"].contains($0.status.state) }
            guard isOpen, Date() < deadline else { return status }
            try await Task.sleep(for: .seconds(1))
        }
    }

    // MARK: Output

    private struct Output: Encodable {
        struct Line: Encodable {
            let recipient: Address
            let state: String
            let time: String
            let attempts: Int
            let reason: String?
            let receiptOf: MailDomain?
            let receiptTime: Date?
            let receiptSays: String?
        }

        struct Receipt: Encodable {
            let domain: MailDomain
            let time: Date
            let isVerified: Bool
            let doubt: String?
        }

        let id: MessageID
        let recipients: [Line]
        let receipts: [Receipt]

        init(_ status: DeliveryStatus) {
            id = status.id
            recipients = status.lines.map { line in
                let receipt = line.proof?.receipt.receipt
                return Line(
                    recipient: line.status.address, state: line.status.state, time: line.status.time,
                    attempts: line.status.attempts, reason: line.status.reason.map(ConnectionWords.plain), receiptOf: receipt?.domain,
                    receiptTime: receipt?.time, receiptSays: StatusCommand.claim(line)?.state.rawValue)
            }
            receipts = status.proofs.map {
                Receipt(
                    domain: $0.receipt.receipt.domain, time: $0.receipt.receipt.time, isVerified: $0.doubt == nil,
                    doubt: $0.doubt)
            }
        }
    }

    /// What the recipient's own domain says of them.
    private static func claim(_ line: DeliveryStatus.Line) -> RecipientStatus? {
        line.proof?.receipt.receipt.recipients.last { $0.address == line.status.address }
    }

    private func show(_ status: DeliveryStatus, _ screen: Screen) {
        var table = TextTable([
            .init("Recipient"), .init("State"), .init("Since"), .init("Proof", canShrink: true),
        ])
        for line in status.lines {
            let since = line.since.map(MailText.date) ?? ""
            table.append([
                .init(line.status.address.unicode), state(line.status), .init(since), .init(proof(line)),
            ])
        }
        screen.table(table)
        for line in status.lines {
            if let reason = line.status.reason {
                let words = PrintableText.clean(ConnectionWords.plain(reason))
                screen.line("\(line.status.address.unicode): \(Self.words(line.status)): \(words)")
            }
        }
        for proof in status.proofs {
            guard let doubt = proof.doubt else { continue }
            screen.warning("a receipt of \(proof.receipt.receipt.domain) is NOT VERIFIED: \(doubt)")
        }
    }

    private func state(_ line: StatusOperation.Line) -> TextTable.Cell {
        switch line.state {
        case "delivered": .init("delivered", .green)
        case "queued", "accepted": .init(Self.words(line), .yellow)
        case "bounced", "refused", "expired": .init(line.state, .red)
        default: .init(line.state)
        }
    }

    /// "queued, 3 attempts", "delivered", …
    static func words(_ line: StatusOperation.Line) -> String {
        if line.state == "accepted" { return "accepted" }
        guard line.state == "queued" else { return line.state }
        switch line.attempts {
        case ..<1: return "queued"
        case 1: return "queued, 1 attempt"
        default: return "queued, \(line.attempts) attempts"
        }
    }

    private func proof(_ line: DeliveryStatus.Line) -> String {
        guard let receipt = line.proof?.receipt.receipt, let claim = Self.claim(line) else { return "none yet" }
        return "\(MailText.state(claim)) on \(MailText.date(receipt.time)): signed by \(receipt.domain), verified"
    }
}
