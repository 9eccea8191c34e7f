import Foundation
import MailModel
import SOAP
import SOAPClient
import Testing

/// Hostile envelopes against a real server over TLS: each row of the tables is refused with exactly its fault, every fault
/// is signed by the server and tells nothing of its inside, and the server goes on serving.
@Suite struct HostileEnvelopeTests {
    static let tables: [[Attack]] = [
        HostileXML.attacks, HostileSOAP.attacks, HostileWrapping.attacks, HostileSignature.attacks, HostileReplay.attacks,
        HostileCredential.attacks, HostileMail.attacks, HostileHTTP.attacks,
    ]

    @Test func everyAttackIsRefusedWithItsFaultAndTheServerGoesOn() async throws {
        let arena = try await HostileArena()
        let attacks = HostileEnvelopeTests.tables.flatMap(\.self)
        #expect(attacks.count >= 250)
        #expect(Set(attacks.map(\.name)).count == attacks.count, "two rows have one name")
        for (index, attack) in attacks.enumerated() {
            await judge(attack, arena)
            if index.isMultiple(of: 20) { try await requireService(arena) }
        }
        try await requireService(arena)
        #expect(try await arena.alice.list().headers.isEmpty, "an attack left mail behind")
        try await arena.remove()
    }

    private func judge(_ attack: Attack, _ arena: HostileArena) async {
        do {
            let shot = try await attack.make(arena)
            switch attack.outcome {
            case .fault(let subcode):
                let reply = try await arena.post(shot)
                let fault = try arena.fault(in: reply, session: shot.session)
                #expect(fault.subcode == subcode, "\(attack.name): \(fault.reason)")
                #expect(reply.status == 500 && fault.isTransient == subcode.isTransient, "\(attack.name)")
                #expect(fault.code == subcode.defaultCode && fault.detail.reference != nil, "\(attack.name)")
                if subcode == .staleTimestamp { #expect(fault.detail.serverTime != nil, "\(attack.name)") }
                if subcode == .staleSequence { #expect(fault.detail.next != nil, "\(attack.name)") }
            case .status(let allowed):
                let status = try await status(of: shot, arena)
                #expect(allowed.contains(status), "\(attack.name): \(status)")
            case .accepted:
                let reply = try await arena.post(shot)
                let envelope = try IncomingEnvelope(parsing: reply.body)
                #expect(reply.status == 200, "\(attack.name): \(envelope.fault?.reason ?? "")")
            }
        } catch {
            Issue.record("\(attack.name): \(error)")
        }
    }

    /// 0: the server closed the connection on us.
    private func status(of shot: Shot, _ arena: HostileArena) async throws -> Int {
        do {
            let reply = try await arena.post(shot)
            #expect(reply.body.count < 1_000)
            return reply.status
        } catch let error as SOAPClientError where error.code == .connectionLost {
            return 0
        }
    }

    /// A good session call, and a message sent and read.
    private func requireService(_ arena: HostileArena) async throws {
        let message = arena.alice.message(to: [arena.alice.address], subject: "Still here")
        try await arena.alice.send(message)
        let stored = try await arena.alice.call(RetrieveOperation.self, .init(messageID: message.id))
        #expect(try SealedMessage(octets: stored.message).message == message)
        #expect(try await arena.alice.call(DeleteOperation.self, .init(ids: [message.id])).count >= 1)
    }
}
