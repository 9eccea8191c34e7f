import Foundation
import Identity
import MailModel
import SOAP
import TestSupport
import Testing
import WSSecurity

@testable import MailServer

/// What a peer may hand over: its own authors' mail, under its own key, for us; and one bad item harms no other.
@Suite struct AttackDeliverTests {
    /// One poisoned item.
    private struct Poison: Sendable {
        let name: String
        let code: FaultSubcode
        let make: @Sendable (PeerArena) throws -> String

        init(_ name: String, _ code: FaultSubcode, _ make: @escaping @Sendable (PeerArena) throws -> String) {
            self.name = name
            self.code = code
            self.make = make
        }

        /// Evil's message with a Postmark that lies.
        static func postmark(
            _ name: String, _ code: FaultSubcode, recipients: [String] = ["bob@scopio.test"],
            _ change: @escaping @Sendable (inout Postmark) -> Void = { _ in }
        ) -> Poison {
            Poison(name, code) { arena in
                let message = try arena.evil.message()
                return AttackPeer.item(message.octets, try arena.evil.postmark(message, recipients: recipients, change))
            }
        }

        /// A message that is bad, under a good Postmark.
        static func message(
            _ name: String, _ code: FaultSubcode, _ change: @escaping @Sendable (inout Message) -> Void
        ) -> Poison {
            Poison(name, code) { try $0.evil.item(change) }
        }

        static func signed(
            _ name: String, by signing: @escaping @Sendable (PeerArena) throws -> SigningIdentity
        ) -> Poison {
            Poison(name, .untrustedCertificate) { arena in
                let message = try arena.evil.message()
                return AttackPeer.item(
                    message.octets, try arena.evil.postmark(message, by: arena.evil.signer(with: signing(arena))))
            }
        }

        static func changed(_ name: String, _ code: FaultSubcode, _ old: String, _ new: String) -> Poison {
            Poison(name, code) { arena in
                try arena.evil.item { $0.text = "Hi" }.replacing(old, by: new)
            }
        }
    }

    private static let issuers: [Poison] = [
        Poison("the author is of another domain", .invalidPostmark) { arena in
            let message = try arena.capicom.message()
            return AttackPeer.item(message.octets, try arena.evil.postmark(message))
        },
        Poison("the Postmark claims another domain under our own key", .invalidPostmark) { arena in
            let message = try arena.capicom.message()
            let signer = arena.evil.signer(with: arena.evil.identity.signing, as: arena.capicom.domain)
            return AttackPeer.item(message.octets, try arena.evil.postmark(message, by: signer))
        },
        Poison("a genuine Postmark of another domain", .invalidPostmark) { arena in try arena.capicom.item() },
        Poison("the Postmark of the receiving domain", .invalidPostmark) { arena in
            let message = try arena.evil.message { $0.from = Mailbox(try! Address("dave@scopio.test")) }
            return AttackPeer.item(message.octets, try arena.evil.postmark(message, by: arena.home.server.core.signer))
        },
        .postmark("the sender is not the author", .invalidPostmark) { $0.sender = try! Address("carol@evil.test") },
        .signed("signed by a user's certificate") { try $0.evil.userIdentity("alice") },
        .signed("signed by the TLS certificate") { $0.evil.identity.tls },
        .signed("signed by a server key that is not published") { try $0.evil.serverIdentity() },
        .signed("signed by another domain's server key") { $0.capicom.identity.signing },
        .postmark("it names another certificate than the one that signs", .invalidPostmark) {
            $0.certificate = [UInt8](repeating: 1, count: 32)
        },
    ]

    private static let facts: [Poison] = [
        .postmark("for another destination", .wrongDestination) { $0.destination = try! MailDomain("third.test") },
        .postmark("for a recipient elsewhere", .invalidMessage, recipients: ["bob@scopio.test", "carol@capicom.test"]),
        .postmark("a recipient twice", .invalidMessage, recipients: ["bob@scopio.test", "Bob@SCOPIO.test"]),
        .postmark("no recipient", .tooMany, recipients: []),
        .postmark("too many hops", .loop) { $0.hops = 11 },
        .postmark("of the future", .expiredMessage) { $0.time = Date().addingTimeInterval(3_600) },
        .postmark("of last month", .expiredMessage) { $0.time = Date().addingTimeInterval(-30 * 86_400) },
        .message("a message dated later than its Postmark", .expiredMessage) { $0.date = Date().addingTimeInterval(86_400) },
        .postmark("about another message", .invalidPostmark) { $0.digest = [UInt8](repeating: 2, count: 32) },
        .postmark("about another id", .invalidPostmark) { $0.messageID = .random() },
        .message("a constraint nobody can keep", .unsupportedConstraint) { $0.constraints = [.encrypted] },
        .message("a message too large", .tooLarge) { $0.text = String(repeating: "x", count: 200_001) },
        .message("a subject too long", .tooMany) { $0.subject = String(repeating: "x", count: 999) },
    ]

    private static let changes: [Poison] = [
        .changed("the message is changed", .invalidPostmark, "<Text>Hi", "<Text>Ho"),
        .changed("the subject is changed", .invalidPostmark, "<Subject>Hello", "<Subject>Pay"),
        .changed("the recipient is changed", .failedCheck, "<Recipient>bob@", "<Recipient>dave@"),
        .changed("a recipient is added", .failedCheck, "<Recipient>", "<Recipient>dave@scopio.test</Recipient><Recipient>"),
        .changed("the hops are changed", .failedCheck, "<Hops>0", "<Hops>1"),
        .changed("negative hops", .invalidMessage, "<Hops>0", "<Hops>-1"),
        .changed(
            "a date before the first", .invalidMessage, "<Subject>Hello</Subject><Date>",
            "<Subject>Hello</Subject><Date>0001-01-01T00:00:00+14:00"),
        .changed("an unknown child", .invalidMessage, "</Message>", "<Bcc>dave@scopio.test</Bcc></Message>"),
        .changed("hidden text", .invalidMessage, "</Message>", "hidden</Message>"),
        .changed("an attribute", .invalidMessage, "<Message ", "<Message hidden=\"x\" "),
        Poison("no signature", .invalidPostmark) { try $0.evil.item().removing("ds:Signature") },
        Poison("no Postmark", .invalidMessage) { AttackPeer.item(try $0.evil.message().octets, []) },
        Poison("no message", .invalidMessage) {
            let message = try $0.evil.message()
            return AttackPeer.item([], try $0.evil.postmark(message))
        },
        Poison("nothing", .invalidMessage) { _ in "<w:Item/>" },
        Poison("an item wrapped in an item", .invalidMessage) { "<w:Item>\(try $0.evil.item())</w:Item>" },
        Poison("the Postmark of the message before", .invalidPostmark) { arena in
            let (one, two) = (try arena.evil.message(), try arena.evil.message())
            return AttackPeer.item(two.octets, try arena.evil.postmark(one))
        },
    ]

    @Test func onePoisonedItemFailsAlone() async throws {
        let arena = try await PeerArena()
        let poisons = AttackDeliverTests.issuers + AttackDeliverTests.facts + AttackDeliverTests.changes
        var expected = 0
        for poison in poisons {
            do {
                let items = [try arena.evil.item(), try poison.make(arena), try arena.evil.item()]
                let results = try await arena.deliver(items, by: arena.fromEvil)
                #expect(results.map(\.code) == [nil, poison.code.rawValue, nil], "\(poison.name): \(results)")
                expected += 2
            } catch { Issue.record("\(poison.name): \(error)") }
        }
        let bob = try TestUser("bob", of: arena.home)
        let page = try await bob.call(ListOperation.self, .init(limit: 500))
        #expect(page.headers.count == expected)
        #expect(page.headers.allSatisfy { $0.subject == "Hello" && $0.from.domain == arena.evil.domain })
        let dave = try TestUser("dave", of: arena.home)
        #expect(try await dave.list().headers.isEmpty)
        await bob.close()
        await dave.close()
        try await arena.remove()
    }

    @Test func aRevokedServerKeyBringsNoMailUnderAnEarlierDate() async throws {
        let arena = try await PeerArena()
        let stolen = arena.evil.identity.signing
        let fresh = try arena.evil.serverIdentity()
        let metadata = try arena.evil.metadata(2) { metadata in
            metadata.servers = [stolen.certificate, fresh.certificate]
            metadata.revoked.insert(stolen.certificate.serial, at: Date().addingTimeInterval(-60))
        }
        let octets = try arena.evil.octets(metadata, by: fresh)
        #expect(try await arena.evil.refusal(at: arena.home, under: fresh, stapling: octets) == nil)
        // The thief's session from before still lives, but its mail and its renewal are refused.
        let message = try arena.evil.message { $0.date.addTimeInterval(-7_200) }
        let backdated = try arena.evil.postmark(message) { $0.time = Date().addingTimeInterval(-3_600) }
        let results = try await arena.deliver([AttackPeer.item(message.octets, backdated)], by: arena.fromEvil)
        #expect(results.map(\.code) == [FaultSubcode.untrustedCertificate.rawValue])
        await #expect(throws: SOAPFault.self) {
            try await arena.call(
                .renewToken,
                "<t:RequestSecurityToken><t:RequestType>\(URIs.trustRenew)</t:RequestType></t:RequestSecurityToken>", by: arena.fromEvil)
        }
        try await arena.remove()
    }

    @Test func aRepeatedDeliveryIsAnsweredTheSameAndDeliveredOnce() async throws {
        let arena = try await PeerArena()
        let item = try arena.evil.item()
        let first = try await arena.deliver([item], by: arena.fromEvil)
        let again = try await arena.deliver([item, item], by: arena.fromEvil)
        #expect(first.map(\.states) == [[.delivered]])
        #expect(again.map(\.octets) == [first[0].octets, first[0].octets])
        let bob = try TestUser("bob", of: arena.home)
        #expect(try await bob.list().headers.count == 1)
        // Deleting it does not make room for a replay.
        let id = try #require(try await bob.list().headers.first?.id)
        _ = try await bob.call(DeleteOperation.self, .init(ids: [id]))
        #expect(try await arena.deliver([item], by: arena.fromEvil).map(\.octets) == [first[0].octets])
        #expect(try await bob.list().headers.isEmpty)
        await bob.close()
        try await arena.remove()
    }

    @Test func anIdUsedForAnotherMessageIsAConflict() async throws {
        let arena = try await PeerArena()
        let id = MessageID.random()
        let first = try await arena.deliver([arena.evil.item { $0.id = id }], by: arena.fromEvil)
        let second = try await arena.deliver(
            [
                arena.evil.item {
                    $0.id = id; $0.text = "Other"
                }
            ], by: arena.fromEvil)
        #expect(first.map(\.code) == [nil])
        #expect(second.map(\.code) == [FaultSubcode.idConflict.rawValue])
        try await arena.remove()
    }

    /// Who was sent a copy knows the id. He must not be able to put a mail of his own in the place of the first one.
    @Test func anotherDomainCannotTakeOverAMessageByItsId() async throws {
        let arena = try await PeerArena()
        let id = MessageID.random()
        _ = try await arena.deliver(
            [
                arena.evil.item {
                    $0.id = id; $0.text = "False"
                }
            ], by: arena.fromEvil)
        let genuine = try await arena.deliver(
            [
                arena.capicom.item {
                    $0.id = id; $0.text = "True"
                }
            ], by: arena.fromCapicom)
        let bob = try TestUser("bob", of: arena.home)
        let headers = try await bob.list().headers
        #expect(genuine.map(\.code) == [nil])
        let header = try #require(headers.first { $0.from.domain == arena.capicom.domain })
        let stored = try await bob.call(RetrieveOperation.self, .init(messageID: header.id, uid: header.uid))
        #expect(try SealedMessage(octets: stored.message).message.text == "True")
        let deleted = try await bob.call(DeleteOperation.self, .init(entries: EntrySelection(uids: [header.uid])))
        #expect(deleted.count == 1)
        #expect(try await bob.list().headers.map(\.from.domain) == [arena.evil.domain])
        await bob.close()
        try await arena.remove()
    }

    @Test func aBounceToNobodyIsNotBounced() async throws {
        let arena = try await PeerArena()
        let message = try arena.evil.message { message in
            message.to = [Mailbox(try! Address("nobody@scopio.test"))]
            message.bounce = BounceNotice(
                messageID: .random(), digest: [UInt8](repeating: 1, count: 32),
                recipients: [RecipientStatus(try! Address("bob@scopio.test"), .refused, reason: "no")])
        }
        let item = AttackPeer.item(message.octets, try arena.evil.postmark(message, recipients: ["nobody@scopio.test"]))
        let results = try await arena.deliver([item], by: arena.fromEvil)
        #expect(results.map(\.states) == [[.refused]])
        let queue = try await arena.home.admin(AdminRequest(.queueList))
        #expect(queue.rows.isEmpty)
        try await arena.remove()
    }

    @Test func anInboxFullOfHostileNamesCanStillBeListed() async throws {
        let arena = try await PeerArena()
        let long = String(repeating: "&", count: 64) + "@" + String(repeating: "a.", count: 90) + "test"
        let names = try (0..<200).map { Mailbox(try Address("\(10_000 + $0)" + long.dropFirst(5))) }
        let item = try arena.evil.item { message in
            message.to = names
            message.subject = String(repeating: "<&>\"\t", count: 199)
        }
        #expect(try await arena.deliver([item], by: arena.fromEvil).map(\.states) == [[.delivered]])
        let bob = try TestUser("bob", of: arena.home)
        #expect(try await bob.list().headers.count == 1)
        await bob.close()
        try await arena.remove()
    }

    @Test(arguments: ["Send", "List", "Retrieve", "Delete", "Mark", "Move", "Status", "Enroll", "ChangePassword"])
    func aPeerDoesNothingThatIsForUsers(operation: String) async throws {
        try await PeerForbidden.shared.check(operation)
    }
}

/// One server for all rows of the test above, started once and stopped by the last of them.
private actor PeerForbidden {
    static let shared = PeerForbidden()
    private var starting: Task<PeerArena, any Error>?
    private var left = 9

    func check(_ name: String) async throws {
        let starting = starting ?? Task { try await PeerArena() }
        self.starting = starting
        let arena = try await starting.value
        let operation = try #require(MailOperation(rawValue: name))
        let fault = await #expect(throws: SOAPFault.self) {
            try await arena.call(operation, "<w:\(name)/>", by: arena.fromEvil)
        }
        #expect(fault?.subcode == .forbidden)
        left -= 1
        if left == 0 { try await arena.remove() }
    }
}
