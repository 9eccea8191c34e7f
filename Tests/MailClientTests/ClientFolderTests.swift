import Foundation
import Identity
import Testing
import WSSecurity
import XMLSecurity

@testable import MailClient

@Suite struct ClientFolderTests {
    @Test(arguments: [
        (["HOME": "/home/a"], nil, "/home/a/.config/wsemail"),
        (["HOME": "/home/a", "XDG_CONFIG_HOME": "/x"], nil, "/x/wsemail"),
        (["HOME": "/home/a", "XDG_CONFIG_HOME": "relative"], nil, "/home/a/.config/wsemail"),
        (["HOME": "/home/a", "XDG_CONFIG_HOME": "/x", "WSEMAIL_HOME": "/w"], nil, "/w"),
        (["WSEMAIL_HOME": "/w"], "/given", "/given"),
    ])
    func findsItsPlace(environment: [String: String], explicit: String?, expected: String) throws {
        #expect(try ClientFolder.standardPath(explicit: explicit, environment: environment) == expected)
    }

    @Test func needsAHome() async {
        await expect(.storage) { try ClientFolder.standardPath(explicit: nil, environment: [:]) }
    }

    @Test func keepsEverythingPrivate() async throws {
        let place = try TemporaryFolder()
        let home = try TestDomain("capicom.test")
        let client = try place.client(
            "alice@capicom.test", home, server: FakeServer.directory(home), identity: try home.user("alice"))
        _ = try await client.trust.knowledge(of: home.domain)
        try client.outbox.add(OutboxEntry(message: try letter(), bcc: [], created: now))
        let account = "accounts/alice@capicom.test"
        for folder in ["", "accounts", account, account + "/outbox", account + "/trust"] {
            #expect(place.mode(folder) == 0o700, "\(folder)")
        }
        let files =
            ["account.json", "root.pem", "key.pem", "certificate.pem", "trust/capicom.test.json"]
            + place.names(account + "/outbox").map { "outbox/" + $0 }
        #expect(files.count == 6)
        for file in files { #expect(place.mode(account + "/" + file) == 0o600, "\(file)") }
        #expect(place.mode("config.json") == 0o600)
    }

    @Test func loadsWhatItSaved() throws {
        let place = try TemporaryFolder()
        let home = try TestDomain("capicom.test")
        let folder = try ClientFolder(path: place.path)
        let address = try Address("alice@capicom.test")
        let identity = try home.user("alice")
        let connection = ConnectionSettings(server: "mail:8443", dns: "127.0.0.1@5353", allowsPrivateAddresses: true)
        try folder.save(
            ClientAccount(address: address, connection: connection, root: home.root, identity: identity, added: now))
        let loaded = try folder.account(address)
        #expect(loaded.connection == connection)
        #expect(loaded.root == home.root)
        #expect(loaded.identity?.certificate == identity.certificate)
        #expect(loaded.added == now)
    }

    @Test func refusesAKeyThatOthersCanRead() async throws {
        let place = try TemporaryFolder()
        let home = try TestDomain("capicom.test")
        let client = try place.client(
            "alice@capicom.test", home, server: FakeServer.directory(), identity: try home.user("alice"))
        let key = place.path + "/accounts/alice@capicom.test/key.pem"
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: key)
        let folder = try ClientFolder(path: place.path)
        await expect(.storage) { try folder.account(client.account.address) }
    }

    @Test func aHalfRenewedKeyIsNone() throws {
        let place = try TemporaryFolder()
        let home = try TestDomain("capicom.test")
        let client = try place.client(
            "alice@capicom.test", home, server: FakeServer.directory(), identity: try home.user("alice"))
        let pem = try #require(SigningKey.generateP256().pemRepresentation)
        try PrivateFile.write(pem, to: place.path + "/accounts/alice@capicom.test/key.pem")
        #expect(try ClientFolder(path: place.path).account(client.account.address).identity == nil)
    }

    @Test func theFirstAccountIsTheDefaultUntilAnotherIsChosen() throws {
        let place = try TemporaryFolder()
        let folder = try ClientFolder(path: place.path)
        #expect(try folder.defaultAddress() == nil)
        let home = try TestDomain("capicom.test")
        let (alice, carol) = (try Address("alice@capicom.test"), try Address("carol@capicom.test"))
        for address in [alice, carol] {
            try folder.save(ClientAccount(address: address, connection: ConnectionSettings(), root: home.root, added: now))
        }
        #expect(try folder.defaultAddress() == alice)
        try folder.setDefault(carol)
        #expect(try folder.defaultAddress() == carol)
        try folder.remove(carol)
        #expect(try folder.addresses() == [alice])
        #expect(try folder.defaultAddress() == alice)
    }

    @Test func unknownAccountsAreNamed() async throws {
        let place = try TemporaryFolder()
        let folder = try ClientFolder(path: place.path)
        let error = await expect(.noAccount) { try folder.account(Address("eve@capicom.test")) }
        #expect(error?.advice?.contains("wsemail account add") == true)
    }

    @Test(arguments: ["a/b@capicom.test", "a%2fb@capicom.test", "o'neil@capicom.test", "\u{e9}va@capicom.test"])
    func everyAddressIsOnePlainFolderName(_ text: String) throws {
        guard let address = try? Address(text) else { return }
        let name = ClientFolder.fileName(of: address)
        #expect(!name.contains("/") && !name.hasPrefix("."))
        #expect(ClientFolder.address(fromFileName: name) == address)
    }

    @Test(arguments: [
        ("mail.capicom.test:8443", "mail.capicom.test", 8443), ("mail.capicom.test", "mail.capicom.test", 443),
        ("127.0.0.1:1", "127.0.0.1", 1), ("[::1]:8443", "::1", 8443), ("[::1]", "::1", 443), ("::1", "::1", 443),
    ])
    func readsAServer(text: String, host: String, port: Int) throws {
        let server = try #require(try ConnectionSettings(server: text).fixedServer())
        #expect(server.host == host && server.port == port)
    }

    @Test(arguments: ["mail:0", "mail:65536", "mail:x", ":443", "a b:1", ""])
    func refusesWhatIsNoServer(_ text: String) async {
        await expect(.invalidInput) { try ConnectionSettings(server: text).fixedServer() }
    }
}
