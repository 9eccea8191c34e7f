import Foundation
import Identity
import MailModel
import SOAPClient
import Synchronization

/// Mail that flows: from alice and carol at one domain to bob and dave at the other, and from bob to a role of his own domain.
final class FlowTraffic: Sendable {
    struct Accepted: Sendable {
        var direct: [MessageID: Address] = [:]
        var role: Set<MessageID> = []
    }

    private struct State {
        var next = 0
        var accepted = Accepted()
        var refusedRoles = 0
        var failures: [String] = []
        var isDone = false
    }

    private let domains: TwoDomains
    private let count: Int
    private let rolePeriod: Int
    private let state = Mutex(State())

    var accepted: Accepted { state.withLock { $0.accepted } }
    /// Messages to the role that were refused because no plug-in knew it then.
    var refusedRoles: Int { state.withLock { $0.refusedRoles } }
    var failures: [String] { state.withLock { Array($0.failures.prefix(5)) } }
    var isDone: Bool { state.withLock { $0.isDone } }

    init(domains: TwoDomains, count: Int, rolePeriod: Int) {
        self.domains = domains
        self.count = count
        self.rolePeriod = rolePeriod
    }

    func run() async throws {
        defer { state.withLock { $0.isDone = true } }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for name in ["alice", "carol", "alice", "carol", "alice", "carol"] {
                group.addTask { try await self.send(from: name) }
            }
            try await group.waitForAll()
        }
    }

    private func send(from name: String) async throws {
        let author = try TestUser(name, of: domains.capicom)
        let clerk = try TestUser("bob", of: domains.scopio)
        let recipients = [try domains.scopio.address("bob"), try domains.scopio.address("dave")]
        while let number = takeNumber() {
            if number % rolePeriod == 0 {
                await sendToRole(clerk, number)
            } else {
                await sendDirectly(author, to: recipients[number % 2], number)
            }
        }
        await author.close()
        await clerk.close()
    }

    private func takeNumber() -> Int? {
        state.withLock { state in
            guard state.next < count else { return nil }
            state.next += 1
            return state.next
        }
    }

    private func sendDirectly(_ author: TestUser, to recipient: Address, _ number: Int) async {
        let message = author.message(to: [recipient], subject: number % 7 == 0 ? "Invoice \(number)" : "Message \(number)")
        do {
            try await author.send(message)
            state.withLock { $0.accepted.direct[message.id] = recipient }
        } catch {
            state.withLock { $0.failures.append("\(error)") }
        }
    }

    private func sendToRole(_ clerk: TestUser, _ number: Int) async {
        do {
            let message = clerk.message(to: [try domains.scopio.address("purchasing")], subject: "Order \(number)")
            do {
                try await clerk.send(message)
                state.withLock { _ = $0.accepted.role.insert(message.id) }
            } catch let error as SOAPClientError where error.fault?.subcode == .unknownRecipient {
                // While the role mapper is out, nobody knows the address: an answer, not a failure.
                state.withLock { $0.refusedRoles += 1 }
            }
        } catch {
            state.withLock { $0.failures.append("\(error)") }
        }
    }
}
