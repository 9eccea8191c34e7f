/// Well-formed documents that use every freedom of spelling XML has.
public struct RandomDocument {
    public static let elementNames = ["a", "b", "c", "data", "Größe"]
    public static let namespaces = ["urn:test:x", "urn:test:y", "http://example.org/z"]
    public static let prefixes = ["", "p", "q", "n1"]

    public private(set) var text = ""
    /// The ids given, as attribute `Id`.
    public private(set) var ids: [String] = []
    private var random: SeededGenerator
    private let identified: Bool
    private let hasComments: Bool

    /// - Parameters:
    ///   - identified: gives the root and some more elements an attribute `Id`. What signxml cannot do is left out:
    ///     names beyond ASCII, and text right behind an element.
    ///   - hasComments: strews comments about.
    public init(seed: UInt64, identified: Bool = false, hasComments: Bool = true) {
        random = SeededGenerator(seed: seed)
        self.identified = identified
        self.hasComments = hasComments
        if random.chance(30) { text += "<?xml version=\"1.0\" encoding='UTF-8'?>\r\n" }
        if hasComments, random.chance(30) { text += "<!-- before -->\n" }
        element(scope: [:], depth: 0)
        if random.chance(20) { text += "\n" }
    }

    private mutating func element(scope outer: [String: String], depth: Int) {
        var scope = outer
        var declarations: [(String, String)] = []
        for prefix in Self.prefixes where random.chance(depth == 0 ? 60 : 20) {
            let canUndeclare = prefix.isEmpty && random.chance(30)
            let namespace = canUndeclare ? "" : random.pick(Self.namespaces)
            scope[prefix] = namespace
            declarations.append((prefix.isEmpty ? "xmlns" : "xmlns:\(prefix)", namespace))
        }
        let bound = scope.keys.filter { !$0.isEmpty }.sorted()
        let prefix = bound.isEmpty || random.chance(50) ? "" : random.pick(bound)
        let name = (prefix.isEmpty ? "" : prefix + ":") + random.pick(Array(Self.elementNames.dropLast(identified ? 1 : 0)))
        text += "<\(name)"
        for (name, value) in (declarations + attributes(scope, bound, depth: depth)).shuffled(using: &random) {
            text += space() + name + (random.chance(10) ? " = " : "=")
            let quote = random.chance(80) ? "\"" : "'"
            text += quote + value.replacing(quote, with: quote == "\"" ? "&quot;" : "&apos;") + quote
        }
        if random.chance(15) { text += space() }
        if random.chance(15) {
            text += "/>"
            return
        }
        text += ">"
        content(scope: scope, depth: depth)
        text += "</\(name)\(random.chance(10) ? " " : "")>"
    }

    private mutating func attributes(
        _ scope: [String: String], _ bound: [String], depth: Int
    ) -> [(String, String)] {
        var result: [(String, String)] = []
        var seen: Set<String> = []
        for _ in 0..<Int.random(in: 0...4, using: &random) {
            let local = random.pick(["x", "y", "Zeit", "z", identified ? "w" : "é"])
            let prefix = bound.isEmpty || random.chance(50) ? "" : random.pick(bound)
            let namespace = prefix.isEmpty ? "" : scope[prefix] ?? ""
            guard seen.insert("\(namespace) \(local)").inserted else { continue }
            result.append((prefix.isEmpty ? local : "\(prefix):\(local)", pieces(Self.values)))
        }
        if random.chance(10) { result.append(("xml:lang", "de")) }
        if identified, depth == 0 || random.chance(30) {
            let id = "id-\(ids.count)"
            ids.append(id)
            result.append(("Id", id))
        }
        return result
    }

    private mutating func content(scope: [String: String], depth: Int) {
        for _ in 0..<Int.random(in: 0...5, using: &random) {
            switch Int.random(in: 0..<10, using: &random) {
            case 0 where hasComments: text += "<!--" + pieces(["a", " b ", "-c", "<&", "é", "\r\n"]) + "x-->"
            case 1: text += "<![CDATA[" + pieces(["<b>", "&amp;", "]]", "\r\n", "\r", " > ", "日本"]) + " ]]>"
            case 2...5 where depth < 5:
                element(scope: scope, depth: depth + 1)
                if identified { text += "<!---->" }
            default: text += pieces(Self.texts)
            }
        }
    }

    private static let values = [
        "plain", " two  spaces ", "&amp;", "&lt;", "&gt;", ">", "&quot;", "&apos;", "&#9;", "&#xA;", "&#13;", "&#xD;",
        "\t", "\n", "\r\n", "é", "日本", "😀", "&#x1F600;", "&#65;",
        "'", "\"",
    ]
    private static let texts = values + ["\r", "]] >", "   ", "\n    "]

    private mutating func pieces(_ all: [String]) -> String {
        (0..<Int.random(in: 0...4, using: &random)).map { _ in random.pick(all) }.joined()
    }

    private mutating func space() -> String {
        random.chance(75) ? " " : random.pick(["  ", "\n", "\t", "\r\n ", " \n  "])
    }
}
