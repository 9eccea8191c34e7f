import Foundation
import Identity
import MailStore
import Testing

@testable import MailServer

@Suite("Administration of accounts")
struct AdminUserTests {
    @Test func anAccountLivesFromAddToRemove() async throws {
        let bench = try AdminBench()
        #expect(await bench.perform(.userAdd, [.address: "Alice", .quota: "5"], secret: "correct horse").ok)
        let alice = try Address("alice@capicom.test")
        var account = try #require(try await bench.store.account(alice))
        #expect(account.quotaBytes == 5 << 20 && account.hasPassword && account.created == AdminBench.now)

        #expect(await bench.perform(.userDisable, [.address: "alice@capicom.test"]).ok)
        account = try #require(try await bench.store.account(alice))
        #expect(account.isDisabled)
        #expect(await bench.perform(.userEnable, [.address: "alice"]).ok)
        #expect(await bench.perform(.userQuota, [.address: "alice", .quota: "0"]).ok)
        account = try #require(try await bench.store.account(alice))
        #expect(!account.isDisabled && account.quotaBytes == nil)

        #expect(await bench.perform(.userRemove, [.address: "alice"]).ok)
        #expect(try await bench.store.account(alice) == nil)
    }

    @Test func newAccountsTakeTheConfiguredQuota() async throws {
        let bench = try AdminBench()
        await bench.addUser("alice")
        #expect(try await bench.store.account(try Address("alice@capicom.test"))?.quotaBytes == 1_024 << 20)
    }

    @Test func thePasswordIsHashedForReal() async throws {
        var bench = try AdminBench()
        bench.hooks.hashPassword = AdminHooks().hashPassword
        await bench.addUser("alice")
        let credential = try await bench.store.credential(of: try Address("alice@capicom.test"))
        #expect(try Password.verify("correct horse", against: try #require(credential).passwordHash))
    }

    @Test func aNewPasswordEndsSessionsAndTellsTheServer() async throws {
        let bench = try AdminBench()
        await bench.addUser("alice")
        let credential = try #require(try await bench.store.credential(of: try Address("alice@capicom.test")))
        try await bench.store.insertSession(
            SessionRecord(
                id: "s1", principal: "alice@capicom.test", kind: .user, sealedSecret: [1], created: AdminBench.now,
                expires: AdminBench.now.addingTimeInterval(60), credentialGeneration: credential.generation))
        let reply = await bench.perform(.userPassword, [.address: "alice"], secret: "another horse")
        #expect(reply.details["sessions_ended_count"] == "1")
        #expect(bench.events.all == ["ended s1"])
    }

    @Test func theListComesInPages() async throws {
        let bench = try AdminBench()
        for name in ["a", "b", "c"] { await bench.addUser(name) }
        let first = await bench.perform(.userList, [.limit: "2"])
        #expect(first.rows.compactMap { first.value("address", in: $0) } == ["a@capicom.test", "b@capicom.test"])
        let next = try #require(first.details["next"])
        let second = await bench.perform(.userList, [.limit: "2", .after: next])
        #expect(second.rows.compactMap(\.first) == ["c@capicom.test"])
        #expect(second.details["next"] == nil)
    }

    @Test(arguments: ["bob@scopio.test", "", "a b@capicom.test", "@capicom.test"])
    func foreignAndImpossibleAddressesAreRefused(_ address: String) async throws {
        let bench = try AdminBench()
        let reply = await bench.perform(.userAdd, [.address: address], secret: "correct horse")
        #expect(reply.error?.code == .invalidArgument)
        #expect(try await bench.store.accounts(after: nil, limit: 10).isEmpty)
    }

    @Test(arguments: [AdminCommand.userRemove, .userDisable])
    func thePostmasterStays(_ command: AdminCommand) async throws {
        let bench = try AdminBench()
        await bench.addUser("postmaster")
        #expect(await bench.perform(command, [.address: "postmaster"]).error?.code == .forbidden)
    }

    @Test(arguments: [AdminCommand.userRemove, .userDisable, .userEnable, .userQuota])
    func unknownAccountsAreNamed(_ command: AdminCommand) async throws {
        let reply = await (try AdminBench()).perform(
            command, command == .userQuota ? [.address: "eve", .quota: "1"] : [.address: "eve"])
        #expect(reply.error?.code == .unknownAccount)
        #expect(reply.error?.hint.isEmpty == false)
    }

    @Test func anAccountIsAddedOnce() async throws {
        let bench = try AdminBench()
        await bench.addUser("alice")
        let again = await bench.perform(.userAdd, [.address: "ALICE"], secret: "correct horse")
        #expect(again.error?.code == .alreadyExists)
    }

    @Test func passwordsHaveALength() async throws {
        let bench = try AdminBench()
        #expect(await bench.perform(.userAdd, [.address: "alice"], secret: "1234567").error?.code == .invalidArgument)
        #expect(await bench.perform(.userAdd, [.address: "alice"]).error?.code == .invalidArgument)
        let longest = String(repeating: "x", count: 1_024)
        #expect(await bench.perform(.userAdd, [.address: "alice"], secret: longest + "x").error?.code == .invalidArgument)
        #expect(await bench.perform(.userAdd, [.address: "alice"], secret: longest).ok)
    }

    @Test func argumentsThatACommandDoesNotTakeAreRefused() async throws {
        let bench = try AdminBench()
        #expect(await bench.perform(.userList, [.quota: "1"]).error?.code == .badRequest)
        #expect(await bench.perform(.userList, secret: "oops").error?.code == .badRequest)
    }

    @Test func everyActIsLoggedWithoutSecrets() async throws {
        let bench = try AdminBench()
        await bench.addUser("alice")
        await bench.perform(.userPassword, [.address: "alice"], secret: "tiny")
        await bench.perform(.userList, secret: "a secret where none belongs")
        let log = bench.log.all
        #expect(log.count == 3)
        #expect(log[0].contains("command=user add") && log[0].contains("arg.address=alice") && log[0].contains("uid 0"))
        #expect(log[1].contains("outcome=invalidArgument"))
        for secret in ["correct horse", "tiny", "a secret where"] {
            #expect(!log.contains { $0.contains(secret) })
        }
        let request = AdminRequest(.userAdd, [.address: "alice"], secret: "hidden")
        #expect(!"\(request) \(String(reflecting: request))".contains("hidden"))
        var dumped = ""
        dump(request, to: &dumped)
        #expect(!dumped.contains("hidden"))
    }
}
