import Foundation
import Testing

@testable import Identity

@Suite struct PasswordTests {
    /// Cheap, so that the tests are quick; the default is checked once.
    private func cheap() throws -> Password.Parameters {
        try Password.Parameters(logN: 10, blockSize: 8, parallelism: 1)
    }

    @Test func theDefaultFormat() throws {
        let stored = try Password.hash("correct horse")
        #expect(stored.hasPrefix("$scrypt$ln=15,r=8,p=1$"))
        #expect(try Password.verify("correct horse", against: stored))
        #expect(try !Password.verify("correct horsf", against: stored))
        #expect(!Password.needsRehash(stored))
        #expect(try Password.needsRehash(Password.hash("correct horse", parameters: cheap())))
        #expect(!stored.contains("correct"))
    }

    /// RFC 7914 §12, third vector.
    @Test func agreesWithTheSpecification() throws {
        let parameters = try Password.Parameters(logN: 14, blockSize: 8, parallelism: 1)
        let hash = try PasswordHash(
            of: Array("pleaseletmein".utf8), salt: Array("SodiumChloride".utf8), parameters: parameters)
        #expect(Hex.encode(hash.hash) == "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2")
    }

    @Test func saltsDiffer() throws {
        #expect(try Password.hash("12345678", parameters: cheap()) != Password.hash("12345678", parameters: cheap()))
    }

    @Test func policy() throws {
        expectCode(.unacceptablePassword) { try Password.hash("1234567") }
        expectCode(.unacceptablePassword) { try Password.hash("ok so far\u{7}") }
        expectCode(.unacceptablePassword) { try Password.hash("line\nbreak") }
        expectCode(.unacceptablePassword) { try Password.hash(String(repeating: "x", count: 1025)) }
        expectCode(.unacceptablePassword) { try Password.hash(String(repeating: "x", count: 10_000_000)) }
        _ = try Password.hash(String(repeating: "x", count: 1024), parameters: cheap())
    }

    @Test func oneSpellingOfAccentsAndSpaces() throws {
        let stored = try Password.hash("pa\u{DF}wo\u{308}rt\u{3000}x", parameters: cheap())
        #expect(try Password.verify("pa\u{DF}w\u{F6}rt x", against: stored))
        #expect(try !Password.verify("PA\u{DF}W\u{F6}RT x", against: stored))
    }

    @Test func unknownUsersAndUnacceptableGuessesAreJustWrong() throws {
        #expect(try !Password.verify("anything at all", against: nil))
        let stored = try Password.hash("12345678", parameters: cheap())
        #expect(try !Password.verify("", against: stored))
        #expect(try !Password.verify("\u{0}", against: stored))
        #expect(try !Password.verify(String(repeating: "x", count: 100_000), against: stored))
    }

    @Test(arguments: [
        "", "$scrypt$", "plain", "$argon2$ln=15,r=8,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
        "$scrypt$ln=9,r=8,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
        "$scrypt$ln=21,r=8,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
        "$scrypt$ln=20,r=32,p=16$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
        "$scrypt$ln=15,r=8,p=1,x=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
        "$scrypt$ln=15,ln=15,r=8$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
        "$scrypt$ln=15,r=8,p=1$AAAA$AAAAAAAAAAAAAAAAAAAAAA",
        "$scrypt$ln=15,r=8,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAA",
        "$scrypt$ln=15,r=8,p=1$AAAAAAAAAAAAAAAAAAAAAA==$AAAAAAAAAAAAAAAAAAAAAA",
        "$scrypt$ln=15,r=8,p=1$AAAAAAAAAAAAAAAAAAAAAB$AAAAAAAAAAAAAAAAAAAAAA",
        "$scrypt$ln=15,r=8,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA$",
        "$scrypt$ln=99999999999999999999,r=8,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
        "$scrypt$ln=-1,r=8,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
    ])
    func damagedHashes(stored: String) {
        expectCode(.malformedHash) { try Password.verify("12345678", against: stored) }
        #expect(Password.needsRehash(stored))
    }
}
