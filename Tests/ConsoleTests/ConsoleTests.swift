import Testing

@testable import Console

@Suite("Text on a terminal")
struct ConsoleTests {
    private let plain = TerminalStyle(isEnabled: false)

    @Test func columnsAreAlignedAndTheLastIsNotPadded() {
        var table = TextTable([.init("NAME"), .init("SIZE", .right), .init("NOTE")])
        table.append(["a", "1", "x"])
        table.append(["long name", "1000", ""])
        #expect(table.rendered(style: plain) == "NAME       SIZE  NOTE\na             1  x\nlong name  1000  \n")
        #expect(TextTable([.init("A")]).rendered(style: plain) == "")
    }

    @Test func aTableIsCutToTheWindowWhereItMay() {
        var table = TextTable([.init("ID"), .init("REASON", canShrink: true), .init("STATE")])
        table.append(["1", "a very long reason why this waits", "waiting"])
        let lines = table.rendered(style: plain, width: 30).split(separator: "\n")
        #expect(lines.allSatisfy { PrintableText.width(String($0)) <= 30 })
        #expect(lines[1].contains("…") && lines[1].hasSuffix("waiting"))
    }

    @Test(arguments: [
        ("plain", "plain"), ("tab\tand\nline", "tab and line"), ("a\u{1B}[31mred", "a\u{FFFD}[31mred"),
        ("\u{9B}2J\u{7F}\u{0}", "\u{FFFD}2J\u{FFFD}\u{FFFD}"), ("evil\u{202E}txt.exe", "evil\u{FFFD}txt.exe"), ("crlf\r\nx", "crlf x"),
        ("日本 é", "日本 é"),
    ])
    func nothingSteersTheTerminal(_ text: String, _ expected: String) {
        #expect(PrintableText.clean(text) == expected)
    }

    @Test func linesMayBeKept() {
        #expect(PrintableText.clean("a\r\nb\tc\u{1B}", keepsLines: true) == "a\nb\tc\u{FFFD}")
    }

    @Test func tableCellsAreCleaned() {
        var table = TextTable([.init("A")])
        table.append(["x\u{1B}]0;title\u{7}"])
        #expect(!table.rendered(style: plain).contains("\u{1B}"))
    }

    @Test func widthsCountColumns() {
        #expect(PrintableText.width("abc") == 3)
        #expect(PrintableText.width("日本") == 4)
        #expect(PrintableText.width("e\u{301}") == 1)
        #expect(PrintableText.width("👍") == 2)
        #expect(PrintableText.truncate("日本語", to: 4) == "日…")
        #expect(PrintableText.truncate("abc", to: 3) == "abc")
        #expect(PrintableText.truncate("abcd", to: 3) == "ab…")
        #expect(PrintableText.truncate("abcd", to: 0) == "")
    }

    @Test func stylesAreLeftOutWhereDisabled() {
        #expect(plain("x", .bold, .red) == "x")
        #expect(TerminalStyle(isEnabled: true)("x", .bold, .red) == "\u{1B}[1;31mx\u{1B}[0m")
    }

    @Test(
        arguments: [
            (0, "0 B"), (1_023, "1023 B"), (1_024, "1.0 KB"), (1_536, "1.5 KB"), (10 << 20, "10.0 MB"), (1 << 30, "1.0 GB"),
            (200 << 10, "200 KB"), (1_048_575, "1.0 MB"),
        ] as [(Int64, String)])
    func sizesAreReadable(_ bytes: Int64, _ text: String) {
        #expect(HumanText.bytes(bytes) == text)
    }

    @Test func timesAreReadable() {
        #expect(HumanText.duration(59) == "59 s")
        #expect(HumanText.duration(3_600 * 3 + 300) == "3 h 5 min")
        #expect(HumanText.duration(86_400 * 4) == "4 d")
        #expect(HumanText.relative(100, now: 400) == "5 min ago")
        #expect(HumanText.relative(400, now: 100) == "in 5 min")
        #expect(HumanText.relative(100, now: 100.5) == "now")
        #expect(HumanText.duration(.nan) == "?")
    }
}
