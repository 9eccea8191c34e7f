import Foundation
import PluginAPI
import Testing
import XMLCore

@testable import PluginPackage

/// A manifest source with one change, and whether it is still good.
struct Rule: Sendable, CustomTestStringConvertible {
    let testDescription: String
    /// nil: it is good.
    let reason: String?
    let manifest: @Sendable () throws -> String

    /// `new` for the last `old` in the manifest.
    init(_ name: String, _ old: String, _ new: String, _ reason: String? = nil) {
        testDescription = name
        self.reason = reason
        manifest = { try World.manifest.with(old, new) }
    }

    /// Before `</Plugin>`.
    static func add(_ name: String, _ more: String, _ reason: String? = nil) -> Rule {
        Rule(name, "</Plugin>", more + "</Plugin>", reason)
    }
}

@Suite struct ContentTests {
    static let manifests: [Rule] = [
        Rule("title of 100", "Vacation</Title>", String(repeating: "x", count: 100) + "</Title>"),
        Rule("title of 101", "Vacation</Title>", String(repeating: "x", count: 101) + "</Title>", "Title is longer"),
        Rule("no title", "<Title>Vacation</Title>", "", "Title missing"),
        Rule("two titles", "<Title>Vacation</Title>", "<Title>a</Title><Title>b</Title>", "given again"),
        Rule("empty title", "Vacation</Title>", "</Title>", "Title is empty"),
        Rule("title that turns the line", "Vacation</Title>", "a\u{202E}b</Title>", "U+202E"),
        Rule("title with an escape", "Vacation</Title>", "a&#x9B;31mb</Title>", "U+009B"),
        Rule("title with markup", "Vacation</Title>", "a<b/></Title>", "element in simple content"),
        Rule("summary of 300", "reader is away.", String(repeating: "x", count: 300 - 23)),
        Rule("summary of 301", "reader is away.", String(repeating: "x", count: 301 - 23), "Summary is longer"),
        Rule("publisher of 64", "Example Ltd", String(repeating: "x", count: 64)),
        Rule("publisher of 65", "Example Ltd", String(repeating: "x", count: 65), "Publisher is longer"),
        Rule("publisher with an invisible character", "Example Ltd", "Example\u{200D}Ltd", "U+200D"),
        Rule("identifier without a dot", "org.example.vacation", "vacation", "no package identifier"),
        Rule("identifier in upper case", "org.example.vacation", "org.Example.vacation", "no package identifier"),
        Rule("version of two numbers", "1.4.0", "1.4", "no version"),
        Rule("version of words", "1.4.0", "1.4.beta", "no version"),
        Rule("version too large", "1.4.0", "1.4.100000", "no version"),
        Rule("bad minimum version", "0.3.0", "-1.0.0", "no version"),
        Rule("no minimum version", "<MinimumServer>0.3.0</MinimumServer>", ""),
        Rule("no location", "<Location>https://plugins.example.org/vacation</Location>", ""),
        Rule("location with a port", "https://plugins.example.org/", "https://plugins.example.org:8443/"),
        Rule("location by http", "https://plugins", "http://plugins", "no https address"),
        Rule("location of a file", "https://plugins.example.org/", "file:///etc/", "no https address"),
        Rule("location with a user", "https://plugins", "https://user@plugins", "no https address"),
        Rule("location without a host", "https://plugins.example.org/", "https:///", "no https address"),
        Rule("location with a bad port", "https://plugins.example.org/", "https://plugins.example.org:99999/", "no https address"),
        Rule("location with a space", "org/vacation<", "org/a b<", "no https address"),
        Rule(
            "location of 500", "https://plugins.example.org/vacation",
            "https://example.org/" + String(repeating: "x", count: 480)),
        Rule(
            "location of 501", "https://plugins.example.org/vacation",
            "https://example.org/" + String(repeating: "x", count: 481), "no https address"),
        Rule("unknown element", "</Manifest>", "<Note>x</Note></Manifest>", "Manifest may not contain"),
        Rule("unknown namespace", "</Manifest>", "<n:Title xmlns:n=\"urn:x\">x</n:Title></Manifest>", "may not contain"),
        Rule("unknown attribute", "<Manifest>", "<Manifest draft=\"1\">", "may not have the attribute"),
        Rule("text beside the elements", "</Manifest>", "x</Manifest>", "may not contain text"),
        Rule("no plug-in", "<Plugin ", "<!-- <Plugin ", "no acceptable XML"),
        Rule("another root", "</PluginPackage>", "</PluginPackage><x/>", "no acceptable XML"),
    ]

    static let plugins: [Rule] = [
        Rule("name of 40", "name=\"vacation\"", "name=\"\(String(repeating: "x", count: 40))\""),
        Rule("name of 41", "name=\"vacation\"", "name=\"\(String(repeating: "x", count: 41))\"", "no plug-in name"),
        Rule("no name", "name=\"vacation\"", "", "no attribute name"),
        Rule("unknown kind", "kind=\"server\"", "kind=\"desktop\"", "of the kind"),
        Rule("unknown attribute", "kind=\"server\"", "kind=\"server\" trusted=\"yes\"", "may not have the attribute"),
        Rule("two roles", "<Role priority=\"500\"", "<Role priority=\"1000\""),
        Rule("priority 0", "priority=\"400\"", "priority=\"0\""),
        Rule("priority 1001", "priority=\"400\"", "priority=\"1001\"", "no priority"),
        Rule("priority below 0", "priority=\"400\"", "priority=\"-1\"", "no priority"),
        Rule("unknown role", "name=\"delivery\"", "name=\"oracle\"", "is no role"),
        Rule("a role twice", "name=\"delivery\"", "name=\"extension\"", "given twice"),
        .add("a role more", "<Role name=\"sending\" priority=\"1\"/>"),
        .add("content in a role", "<Role name=\"sending\" priority=\"1\">x</Role>", "may not contain text"),
        .add("unknown element", "<Service/>", "may not contain"),
        .add("unknown capability", "<Capability>network</Capability>", "no capability"),
        .add("capability subprocess", "<Capability>subprocess</Capability>", "cannot have the capability subprocess"),
        .add("a capability twice", "<Capability>send</Capability>", "given twice"),
        .add("fail closed", "<FailurePolicy>closed</FailurePolicy>"),
        .add("another policy", "<FailurePolicy>ajar</FailurePolicy>", "no failure policy"),
        Rule("extension without its role", "<Role priority=\"500\" name=\"extension\"/>", "", "belong together"),
        Rule("the role extension without one", "<Extension identifier=\"urn:example:vacation\" callers=\"user\"/>", "", "belong"),
        Rule("callers both", "callers=\"user\"", "callers=\"user peer\""),
        Rule("callers none", "callers=\"user\"", "callers=\"\"", "nobody may call"),
        Rule("unknown caller", "callers=\"user\"", "callers=\"world\"", "no caller"),
        Rule("a caller twice", "callers=\"user\"", "callers=\"user user\"", "given twice"),
        Rule("relative extension", "urn:example:vacation", "vacation", "no absolute URI"),
        Rule("extension of 200", "urn:example:vacation", "urn:" + String(repeating: "x", count: 196)),
        Rule("extension of 201", "urn:example:vacation", "urn:" + String(repeating: "x", count: 197), "no absolute URI"),
        .add("an extension twice", "<Extension identifier=\"urn:example:vacation\" callers=\"peer\"/>", "declared twice"),
        Rule("setting's name of 60", "\"reply\"", "\"\(String(repeating: "x", count: 60))\""),
        Rule("setting's name of 61", "\"reply\"", "\"\(String(repeating: "x", count: 61))\"", "no name of a setting"),
        Rule("setting's name with a space", "\"reply\"", "\"re ply\"", "no name of a setting"),
        Rule("setting for any name", "\"reply\"", "\".*\"", "no name of a setting"),
        Rule("setting twice", "\"reply\"", "\"user.*\"", "cannot have a preset"),
        .add("the same setting", "<Setting name=\"user.*\">x</Setting>", "given twice"),
        Rule("preset of 4096", "Away &amp; gone", String(repeating: "é", count: 4096)),
        Rule("preset of 4097", "Away &amp; gone", String(repeating: "é", count: 4097), "preset is longer"),
        Rule("preset with a control character", "Away &amp; gone", "&#x85;", "control character"),
        Rule("explanation of 500", "The text of the answer.", String(repeating: "x", count: 500)),
        Rule("explanation of 501", "The text of the answer.", String(repeating: "x", count: 501), "explanation is longer"),
        Rule("no explanation", "The text of the answer.", "", "explanation is empty"),
        Rule("no module", "<Module file=\"build/vacation.wasm\"/>", "", "Module missing"),
        .add("two modules", "<Module file=\"b.wasm\"/>", "given again"),
        Rule("a module of another type", "<Module ", "<Module mediaType=\"text/x-python\" ", "no WebAssembly"),
        Rule("a module out of the folder", "build/vacation.wasm", "../vacation.wasm", "inside the package's folder"),
        Rule("a module deep out of the folder", "build/vacation.wasm", "build/../../v.wasm", "inside the package's folder"),
        Rule("a module from the root", "build/vacation.wasm", "/etc/passwd", "inside the package's folder"),
        Rule("a hidden file", "build/vacation.wasm", ".git/config", "inside the package's folder"),
        Rule("a module in the source", "<Module file=\"build/vacation.wasm\"/>", "<Module>AAAA</Module>", "may not contain text"),
        Rule("a digest in the source", "<Module ", "<Module sha256=\"x\" ", "may not have the attribute"),
    ]

    @Test(arguments: manifests + plugins)
    func `A manifest is judged`(_ rule: Rule) async throws {
        let manifest = try rule.manifest()
        if let reason = rule.reason {
            await expectRefusal(reason) { try World.unsigned(manifest) }
        } else {
            #expect(try PluginPackage(octets: World.unsigned(manifest)).members.count == 1)
        }
    }

    static func plugin(_ name: String, _ more: String) -> String {
        """
        <Plugin name="\(name)" kind="server"><Summary>x</Summary><Role name="sending" priority="1"/>\(more)\
        <Module file="x.wasm"/></Plugin>
        """
    }

    @Test func `Sixteen plug-ins make a package, seventeen do not, nor does the same name twice`() async throws {
        let more = { (count: Int) in (0..<count).map { Self.plugin("p\($0)", "") }.joined() + "</PluginPackage>" }
        #expect(try PluginPackage(octets: World.unsigned(World.manifest.with("</PluginPackage>", more(15)))).members.count == 16)
        await expectRefusal("more than 16 Plugin") { try World.unsigned(World.manifest.with("</PluginPackage>", more(16))) }
        await expectRefusal("same name") {
            try World.unsigned(World.manifest.with("</PluginPackage>", Self.plugin("vacation", "") + "</PluginPackage>"))
        }
    }

    @Test func `Settings and extensions are counted`() async throws {
        func manifest(settings: Int, extensions: Int) throws -> String {
            let settings = (0..<settings).map { "<Setting name=\"s\($0)\">x</Setting>" }
            let extensions = (0..<extensions).map { "<Extension identifier=\"urn:x:\($0)\" callers=\"peer\"/>" }
            return try World.manifest.with("</Plugin>", (settings + extensions).joined() + "</Plugin>")
        }
        let package = try PluginPackage(octets: World.unsigned(manifest(settings: 62, extensions: 15)))
        #expect(package.members[0].descriptor.settings.count == 64)
        #expect(package.members[0].descriptor.extensions.count == 16)
        await expectRefusal("more than 64 Setting") { try World.unsigned(manifest(settings: 63, extensions: 0)) }
        await expectRefusal("more than 16 Extension") { try World.unsigned(manifest(settings: 0, extensions: 16)) }
    }

    @Test(
        arguments: [
            ("<Form type=\"urn:a:b\"/>", nil), ("<Form type=\"a\"/>", "no absolute URI"), ("<Capability>A B</Capability>", "no capability"),
            ("<Form type=\"urn:a:b\"/><Form type=\"urn:a:b\"/>", "twice"), ("<Role name=\"sending\" priority=\"1\"/>", "may not contain"),
            ("<Module file=\"x\"/>", "may not contain"), ("<Resource file=\"a\" name=\"a\" mediaType=\"text/css\"/>", nil),
            ("<Resource file=\"a\" name=\"index.html\" mediaType=\"text/css\"/>", "twice"),
            ("<Resource file=\"a\" name=\"../a\" mediaType=\"text/css\"/>", "inside the package's folder"),
            ("<Resource file=\"a\" name=\"a\" mediaType=\"text\"/>", "no media type"),
        ] as [(String, String?)])
    func `A client's form is judged`(_ more: String, _ reason: String?) async throws {
        let plugin = """
            <Plugin name="form" kind="client"><Title>T</Title><Summary>S</Summary>\(more)\
            <Resource file="i" name="index.html" mediaType="text/html"/></Plugin></PluginPackage>
            """
        let manifest = try World.manifest.with("</PluginPackage>", plugin)
        if let reason {
            await expectRefusal(reason) { try World.unsigned(manifest) }
        } else {
            #expect(try PluginPackage(octets: World.unsigned(manifest)).members.count == 2)
        }
    }

    @Test func `A form without resources is refused`() async throws {
        let plugin = "<Plugin name=\"form\" kind=\"client\"><Title>T</Title><Summary>S</Summary></Plugin></PluginPackage>"
        await expectRefusal("has no Resource") { try World.unsigned(World.manifest.with("</PluginPackage>", plugin)) }
    }

    // MARK: Signed by the trusted publisher itself, and yet not a package

    /// Changes of a package's text; the publisher signs the result with a tool of its own.
    static let malformed: [(String, String, String)] = [
        ("<Manifest>", "<Manifest>\n", "not in canonical form"),
        ("<Manifest>", "<Manifest><!-- x -->", "not in canonical form"),
        ("<Title>Vacation</Title>", "<Title><![CDATA[Vacation]]></Title>", "not in canonical form"),
        ("<Version>1.4.0</Version><Title>Vacation</Title>", "<Title>Vacation</Title><Version>1.4.0</Version>", "canonical"),
        ("<Version>1.4.0", "<Version>01.4.0", "not in canonical form"),
        ("priority=\"400\"", "priority=\"0400\"", "not in canonical form"),
        ("priority=\"400\"", "priority=\"+400\"", "not in canonical form"),
        (" preset=\"\"", "", "no attribute preset"),
        ("<FailurePolicy>open</FailurePolicy>", "", "FailurePolicy missing"),
        ("<Capability>send</Capability>", "<Capability>subprocess</Capability>", "subprocess"),
        ("<Capability>send</Capability>", "<Capability>root</Capability>", "no capability"),
        ("<Capability>send</Capability>", "<Capability> send</Capability>", "no capability"),
        ("<Capability>send</Capability>", "<Capability>key-value</Capability>", "given twice"),
        ("name=\"delivery\"", "name=\"admin\"", "is no role"),
        ("https://plugins", "http://plugins", "no https address"),
        ("<Manifest>", "<Manifest xml:lang=\"en\">", "may not have the attribute"),
        ("<Manifest>", "<Manifest xmlns:x=\"urn:x\">", "not in canonical form"),
        ("</Manifest>", "<Extra></Extra></Manifest>", "may not contain"),
        ("</Plugin>", "</Plugin>x", "may not contain text"),
        ("mediaType=\"application/wasm\"", "mediaType=\"application/wasm\" file=\"x\"", "may not have the attribute"),
        ("mediaType=\"application/wasm\" ", "", "no attribute mediaType"),
        ("AGFzbQEAAAA=", "AGFz bQEAAAA=", "not in canonical form"),
        ("AGFzbQEAAAA=", "BGFzbQEAAAA=", "digest"),
        ("AGFzbQEAAAA=", "", "Module is empty"),
        ("AGFzbQEAAAA=", "AGFzbQEAAAE", "not base64"),
    ]

    @Test(arguments: malformed)
    func `A good signature does not make a bad package good`(_ old: String, _ new: String, _ reason: String) async throws {
        let publisher = try Publisher()
        let octets = try World.rawSign(World.text(World.unsigned()).with(old, new), publisher)
        await expectRefusal(reason) { try await publisher.verify(octets) }
        await expectRefusal(reason) { try PluginPackage(octets: octets) }
    }

    @Test func `Deep and wide documents end at the limits of the parser`() async throws {
        let deep = String(repeating: "<a>", count: 9) + String(repeating: "</a>", count: 9)
        let root = "<PluginPackage xmlns=\"urn:wsemail:2\" Id=\"package\">"
        await expectRefusal("no acceptable XML") { try PluginPackage(octets: Array((root + deep + "</PluginPackage>").utf8)) }
        let wide = String(repeating: "<Plugin></Plugin>", count: 9_000)
        await expectRefusal("no acceptable XML") { try PluginPackage(octets: Array((root + wide + "</PluginPackage>").utf8)) }
        let manifest = World.manifest + String(repeating: " ", count: 1 << 20)
        await expectRefusal("no acceptable XML") { try World.unsigned(manifest) }
    }
}
