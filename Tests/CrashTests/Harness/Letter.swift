import Foundation
import Identity
import MailModel
import Synchronization

/// A message with its octets, kept until it is acknowledged.
struct Letter: Sendable {
    let author: Address
    let sealed: SealedMessage
    let bcc: [Address]

    var id: MessageID { sealed.message.id }
    var recipients: Set<Address> {
        Set((sealed.message.to + sealed.message.cc).map(\.address) + bcc)
    }

    init(from author: Address, to: [Address], cc: [Address] = [], bcc: [Address] = [], now: Date = Date(), text: String = "Hi") throws {
        self.author = author
        self.bcc = bcc
        let message = Message(
            id: .random(), from: Mailbox(author), to: to.map { Mailbox($0) }, cc: cc.map { Mailbox($0) }, subject: "Test",
            date: Date(timeIntervalSince1970: now.timeIntervalSince1970.rounded(.down)), text: text)
        sealed = try SealedMessage(message)
    }
}

/// What clients handed over, and for what they hold a verified Receipt.
final class Ledger: Sendable {
    private struct State {
        var letters: [Letter] = []
        var acknowledged: Set<MessageID> = []
        var refusals: [String] = []
        var failures: [String: Int] = [:]
    }

    private let state = Mutex(State())

    func begin(_ letter: Letter) { state.withLock { $0.letters.append(letter) } }
    func acknowledge(_ id: MessageID) { state.withLock { _ = $0.acknowledged.insert(id) } }
    /// An attempt that brought no Receipt, as it happens when servers die.
    func count(_ failure: String) { state.withLock { $0.failures[failure, default: 0] += 1 } }
    /// Something that must not happen, whatever dies when.
    func complain(_ refusal: String) { state.withLock { $0.refusals.append(refusal) } }

    var letters: [Letter] { state.withLock { $0.letters } }
    var acknowledged: [Letter] { state.withLock { state in state.letters.filter { state.acknowledged.contains($0.id) } } }
    var complaints: [String] { state.withLock { $0.refusals } }
    var failures: String {
        state.withLock { state in
            state.failures.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
        }
    }

    func isAcknowledged(_ id: MessageID) -> Bool { state.withLock { $0.acknowledged.contains(id) } }
}
