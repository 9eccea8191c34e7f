import Console
import Foundation
import Identity
import MailClient
import MailModel

/// What is said of a message that the server acknowledged.
struct SendOutput: Encodable {
    struct Recipient: Encodable {
        let address: Address
        let state: String
        let reason: String?
    }

    let id: MessageID
    let subject: String
    let receiptOf: MailDomain
    let time: Date
    let recipients: [Recipient]

    init(_ sent: SentMessage) {
        let receipt = sent.receipt.receipt
        id = sent.entry.id
        subject = sent.entry.message.message.subject
        receiptOf = receipt.domain
        time = receipt.time
        recipients = receipt.recipients.map { Recipient(address: $0.address, state: $0.state.rawValue, reason: $0.reason) }
    }

    static func show(_ sent: SentMessage, _ screen: Screen) throws {
        if screen.isJSON { return try screen.json(SendOutput(sent)) }
        let receipt = sent.receipt.receipt
        screen.line(screen.style("Sent.", .green, .bold) + " \(receipt.domain) gave a signed receipt, verified.")
        for status in receipt.recipients {
            let isRefused = status.state == .refused
            let text = "  \(status.address.unicode): \(MailText.state(status))"
            screen.line(isRefused ? screen.style(text, .red) : text)
        }
        screen.line("  id \(sent.entry.id)   (wsemail status \(sent.entry.id))")
    }
}
