import Foundation
import Identity
import Testing

@testable import MailServer

@Suite("The table of settings")
struct AdminConfigurationTests {
    @Test func whatIsDescribedCanBeReadBack() throws {
        var configuration = ServerConfiguration(domain: try MailDomain("capicom.test"), hostName: "a.capicom.test")
        configuration.dnsServers = ["127.0.0.1@5353", "::1"]
        configuration.allowPrivateTargets = true
        configuration.listenPort = 443
        let read = try ServerConfiguration(parsing: configuration.fileText())
        for field in ConfigurationField.all {
            #expect(field.value(in: read) == field.value(in: configuration), "\(field.name)")
        }
    }

    @Test(arguments: ConfigurationField.all.map(\.name))
    func everySettingTakesItsOwnDefault(_ name: String) throws {
        var configuration = ServerConfiguration(domain: try MailDomain("capicom.test"), hostName: "a.capicom.test")
        let field = try #require(ConfigurationField.all.first { $0.name == name })
        let value = field.value(in: configuration)
        try configuration.set(name, to: value)
        #expect(field.value(in: configuration) == value)
        #expect(!field.help.isEmpty && !field.type.isEmpty)
        #expect(ConfigurationField.all.filter { $0.name == name }.count == 1)
    }

    @Test(arguments: [
        "listen_port = 8443", "domain = capicom.test\nport = 1", "domain = capicom.test\ndomain = capicom.test",
        "domain = capicom.test\nlisten_port = 65536", "domain = capicom.test\nlisten_port = x", "domain = capicom.test\nhttp2 = maybe",
        "domain = capicom.test\nnonsense", "domain = a b", "domain = capicom.test\ntls_key_file = /x",
        "domain = capicom.test\nlisten_address = localhost", "domain = capicom.test\nmetrics_address = 1.2.3",
        "domain = capicom.test\ndns_servers = resolver.test", "domain = capicom.test\ndns_servers = ::1@0",
        "domain = capicom.test\nmetrics_port = 8443", "domain = capicom.test\nhost_name = a b",
        "domain = capicom.test\nmax_body_bytes = 2000\nmax_message_bytes = 3000",
    ])
    func mistakesAreNamed(_ text: String) {
        let error = #expect(throws: ConfigurationError.self) { try ServerConfiguration(parsing: text, file: "test.conf") }
        #expect(error?.reason.hasPrefix("test.conf:") == true)
    }

    @Test func aSettingTakesOneLine() throws {
        var configuration = ServerConfiguration(domain: try MailDomain("capicom.test"), hostName: "a.capicom.test")
        #expect(throws: ConfigurationError.self) { try configuration.set("log_level", to: "info\nlisten_port = 1") }
        #expect(throws: ConfigurationError.self) { try configuration.set("tls_key_file", to: "a\nb") }
        #expect(throws: ConfigurationError.self) { try configuration.set("nothing", to: "") }
    }

    @Test func theReferencePageNamesEverySetting() throws {
        let page = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "../../docs/admin.md")
        let text = try String(contentsOf: page, encoding: .utf8)
        for field in ConfigurationField.all {
            #expect(text.contains("| `\(field.name)` |") && text.contains("| \(field.help) |"), "\(field.name)")
        }
    }

    @Test func whyAFileIsNotReadIsSaid() throws {
        let folder = try AdminFolder()
        try Data([0x7f, 0x45, 0, 0xff]).write(to: URL(fileURLWithPath: folder.path + "/binary"))
        for (name, cause) in [("", "is a folder"), ("/none", "there is no configuration file"), ("/binary", "no text file")] {
            let error = #expect(throws: AdminError.self) { try ServerConfiguration(path: folder.path + name) }
            #expect(error?.reason.contains(cause) == true, "\(name)")
        }
    }
}
