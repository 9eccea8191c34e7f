import PluginAPI
import Testing

@Suite struct PluginIdentifierTests {
    @Test(arguments: ["org.example/a", "a.b/c-d", "org.wsemail.vacation/vacation"])
    func `an identifier is a reverse domain name and a name`(_ text: String) throws {
        #expect(try PluginIdentifier(text).description == text)
    }

    @Test(arguments: ["", "a/b", "a.b", "a.b/", "A.b/c", "a..b/c", "a.b/c/d", "a.b/-c", "a.b/c d", "../x.y/z"])
    func `anything else is refused`(_ text: String) {
        #expect(throws: PluginError.self) { try PluginIdentifier(text) }
    }

    @Test func `versions compare by number`() throws {
        #expect(try PluginVersion("1.10.0") > PluginVersion("1.9.9"))
        #expect(throws: PluginError.self) { try PluginVersion("1.0") }
        #expect(throws: PluginError.self) { try PluginVersion("1.0.x") }
        #expect(throws: PluginError.self) { try PluginVersion("1.0.1234567") }
    }
}
