import Foundation
import Identity
import MailStore
import Testing

extension ContractCase {
    static let accountCases: [ContractCase] = [
        ContractCase("an account is created with Inbox and Sent, listed and found") { context in
            let store = context.store
            try await store.createAccount(Sample.bob, passwordHash: "$scrypt$1", quotaBytes: 1000, now: Sample.now)
            try await store.createAccounts(Sample.alice)
            let bob = try #require(try await store.account(Sample.bob))
            #expect(bob.address == Sample.bob && bob.created == Sample.now && bob.quotaBytes == 1000 && bob.usedBytes == 0)
            #expect(bob.hasPassword && !bob.isDisabled)
            #expect(try await store.accounts(after: nil, limit: 10).map(\.address) == [Sample.alice, Sample.bob])
            #expect(try await store.accounts(after: Sample.alice, limit: 10).map(\.address) == [Sample.bob])
            #expect(try await store.accounts(after: nil, limit: 1).map(\.address) == [Sample.alice])
            #expect(try await store.folders(of: Sample.bob).map(\.role) == ["inbox", "sent"])
            #expect(try await store.account(Sample.carol) == nil)
            await expectError(.alreadyExists) { try await store.createAccounts(Sample.bob) }
        },
        ContractCase("one spelling is one account") { context in
            try await context.store.createAccounts(Sample.address("Bob@CAPICOM.test"))
            await expectError(.alreadyExists) { try await context.store.createAccounts(Sample.bob) }
            #expect(try await context.store.account(Sample.bob) != nil)
        },
        ContractCase("a password change ends the sessions and raises the generation") { context in
            let store = context.store
            try await store.createAccount(Sample.bob, passwordHash: "old", quotaBytes: nil, now: Sample.now)
            let before = try #require(try await store.credential(of: Sample.bob))
            #expect(before.passwordHash == "old" && !before.isDisabled)
            try await store.insertSession(.sample("s1", generation: before.generation))
            try await store.insertSession(.sample("s2", generation: before.generation))
            #expect(try await store.setPasswordHash("new", of: Sample.bob, now: Sample.now).sorted() == ["s1", "s2"])
            let after = try #require(try await store.credential(of: Sample.bob))
            #expect(after.passwordHash == "new" && after.generation > before.generation)
            #expect(try await store.session("s1", now: Sample.now) == nil)
            await expectError(.credentialsChanged) {
                try await store.insertSession(.sample("s3", generation: before.generation))
            }
            #expect(try await store.setPasswordHash(nil, of: Sample.bob, now: Sample.now) == [])
            #expect(try await store.account(Sample.bob)?.hasPassword == false)
            await expectError(.unknownAccount) { try await store.setPasswordHash("x", of: Sample.carol, now: Sample.now) }
        },
        ContractCase("a disabled account keeps its mail, gets none and cannot log in") { context in
            let store = context.store
            try await store.createAccounts(Sample.bob)
            try await store.mustAccept(Sample.delivery(1, to: [Sample.bob]))
            let generation = try #require(try await store.credential(of: Sample.bob)).generation
            try await store.insertSession(.sample("s1", generation: generation))
            #expect(try await store.disableAccount(Sample.bob, now: Sample.now) == ["s1"])
            #expect(try await store.disableAccount(Sample.bob, now: Sample.now) == [])
            #expect(try await store.credential(of: Sample.bob)?.isDisabled == true)
            let current = try #require(try await store.credential(of: Sample.bob)).generation
            await expectError(.accountDisabled) { try await store.insertSession(.sample("s2", generation: current)) }
            let late = Sample.delivery(2, to: [Sample.bob])
            #expect(try await store.accept(late, now: Sample.now) == .changed)
            #expect(try await store.examine(Sample.request(late)).verdict(of: Sample.bob) == .disabled)
            #expect(try await store.ids(Sample.bob) == [Sample.id(1)])
            try await store.enableAccount(Sample.bob, now: Sample.now)
            try await store.mustAccept(late)
            #expect(try await store.ids(Sample.bob) == [Sample.id(2), Sample.id(1)])
        },
        ContractCase("a removed account takes its mail along and frees its address") { context in
            let store = context.store
            try await store.createAccounts(Sample.bob, Sample.carol)
            for number in 1...30 { try await store.mustAccept(Sample.delivery(number, to: [Sample.bob, Sample.carol])) }
            try await store.addCertificate(.sample(7, owner: Sample.bob))
            try await store.removeAccount(Sample.bob, now: Sample.now)
            #expect(try await store.account(Sample.bob) == nil)
            await expectError(.unknownAccount) { _ = try await store.ids(Sample.bob) }
            await expectError(.unknownAccount) { try await store.removeAccount(Sample.bob, now: Sample.now) }
            #expect(try await store.revokedSerials(now: Sample.now).map(\.serial) == [[7]])
            #expect(try await store.ids(Sample.carol).count == 30)
            let statistics = try await store.statistics(now: Sample.now)
            #expect(statistics.accounts == 1 && statistics.entries == 30 && statistics.messages == 30)
            try await store.createAccounts(Sample.bob)
            #expect(try await store.ids(Sample.bob) == [])
            #expect(try await store.check().problems == [])
        },
        ContractCase("the quota counts message and postmark, and gives room back") { context in
            let store = context.store
            let delivery = Sample.delivery(1, to: [Sample.bob])
            let size = Int64(delivery.message.octets.count + Sample.postmark.count)
            try await store.createAccounts(Sample.bob, quota: size)
            try await store.mustAccept(delivery)
            #expect(try await store.account(Sample.bob)?.usedBytes == size)
            let second = Sample.delivery(2, to: [Sample.bob])
            #expect(try await store.examine(Sample.request(second)).verdict(of: Sample.bob) == .overQuota)
            #expect(try await store.accept(second, now: Sample.now) == .changed)
            try await store.delete(Sample.bob, [.message(Sample.id(1))])
            #expect(try await store.account(Sample.bob)?.usedBytes == 0)
            try await store.mustAccept(second)
            try await store.setQuota(nil, of: Sample.bob)
            try await store.mustAccept(Sample.delivery(3, to: [Sample.bob]))
            await expectError(.unknownAccount) { try await store.setQuota(1, of: Sample.carol) }
            #expect(try await store.check().problems == [])
        },
    ]

    static let certificateCases: [ContractCase] = [
        ContractCase("certificates are kept per user and found by thumbprint") { context in
            let store = context.store
            try await store.createAccounts(Sample.bob)
            try await store.addCertificate(.sample(1, owner: Sample.bob))
            try await store.addCertificate(.sample(2, owner: Sample.bob))
            try await store.addCertificate(.sample(2, owner: Sample.bob))
            try await store.addCertificate(.sample(3, owner: nil))
            #expect(try await store.certificates(of: Sample.bob).map(\.serial) == [[1], [2]])
            #expect(try await store.certificates(of: nil).map(\.serial) == [[3]])
            let thumbprint = IssuedCertificate.sample(2, owner: Sample.bob).thumbprint
            #expect(try await store.certificate(thumbprint: thumbprint) == .sample(2, owner: Sample.bob))
            #expect(try await store.certificate(thumbprint: [0]) == nil)
            await expectError(.unknownAccount) { try await store.addCertificate(.sample(4, owner: Sample.carol)) }
        },
        ContractCase("a revoked certificate ends sessions and is published until it expires") { context in
            let store = context.store
            try await store.createAccounts(Sample.bob)
            let certificate = IssuedCertificate.sample(1, owner: Sample.bob)
            try await store.addCertificate(certificate)
            let generation = try #require(try await store.credential(of: Sample.bob)).generation
            try await store.insertSession(.sample("s1", generation: generation))
            let later = Sample.now + 5
            #expect(try await store.revokeCertificate(thumbprint: certificate.thumbprint, now: later) == ["s1"])
            #expect(try await store.revokeCertificate(thumbprint: certificate.thumbprint, now: later + 5) == [])
            #expect(
                try await store.revokedSerials(now: later)
                    == [RevokedSerial(serial: [1], revoked: later, notAfter: certificate.notAfter)])
            #expect(try await store.revokedSerials(now: certificate.notAfter) == [])
            #expect(try await store.certificate(thumbprint: certificate.thumbprint)?.revoked == later)
            await expectError(.unknownCertificate) { try await store.revokeCertificate(thumbprint: [9], now: later) }
        },
    ]

    static let sessionCases: [ContractCase] = [
        ContractCase("a session lasts over a restart until it expires") { context in
            try await context.store.createAccounts(Sample.bob)
            let generation = try #require(try await context.store.credential(of: Sample.bob)).generation
            let session = SessionRecord.sample("s1", generation: generation)
            try await context.store.insertSession(session)
            await expectError(.alreadyExists) { try await context.store.insertSession(session) }
            let context = try await context.reopened()
            #expect(try await context.store.session("s1", now: Sample.now) == session)
            #expect(try await context.store.session("s1", now: session.expires) == nil)
            #expect(try await context.store.session("s2", now: Sample.now) == nil)
            await expectError(.unknownAccount) {
                try await context.store.insertSession(
                    SessionRecord(
                        id: "s9", principal: "nobody@capicom.test", kind: .user, sealedSecret: [], created: Sample.now,
                        expires: Sample.now))
            }
            await context.store.close()
        },
        ContractCase("the sequence ceiling only rises and survives a restart") { context in
            try await context.store.insertSession(.peer("p1"))
            try await context.store.reserveSequence("p1", upTo: 1000)
            try await context.store.reserveSequence("p1", upTo: 10)
            let context = try await context.reopened()
            #expect(try await context.store.session("p1", now: Sample.now)?.sequenceCeiling == 1000)
            await expectError(.unknownSession) { try await context.store.reserveSequence("p2", upTo: 1) }
            await expectError(.invalid) { try await context.store.reserveSequence("p1", upTo: .max) }
            await context.store.close()
        },
        ContractCase("sessions are deleted one by one and per principal") { context in
            let store = context.store
            for id in ["p1", "p2", "p3"] { try await store.insertSession(.peer(id)) }
            try await store.deleteSession("p1")
            try await store.deleteSession("p1")
            #expect(try await store.deleteSessions(of: "scopio.test", kind: .user) == [])
            #expect(try await store.deleteSessions(of: "scopio.test", kind: .peer).sorted() == ["p2", "p3"])
            #expect(try await store.session("p2", now: Sample.now) == nil)
        },
    ]
}

extension SessionRecord {
    static func sample(_ id: String, generation: Int64) -> SessionRecord {
        SessionRecord(
            id: id, principal: Sample.bob.description, kind: .user, sealedSecret: [1, 2, 3], created: Sample.now,
            expires: Sample.now + 3600, credentialGeneration: generation)
    }

    static func peer(_ id: String) -> SessionRecord {
        SessionRecord(
            id: id, principal: "scopio.test", kind: .peer, sealedSecret: [4], created: Sample.now, expires: Sample.now + 3600)
    }
}

extension IssuedCertificate {
    static func sample(_ number: UInt8, owner: Address?) -> IssuedCertificate {
        IssuedCertificate(
            thumbprint: [UInt8](repeating: number, count: 32), owner: owner, der: [0x30, number], serial: [number],
            notAfter: Sample.now + 86_400, added: Sample.now + Double(number))
    }
}

extension IntentVerdict {
    func verdict(of recipient: Address) -> RecipientVerdict? {
        guard case .open(let examination) = self else { return nil }
        return examination.verdicts[recipient]
    }
}
