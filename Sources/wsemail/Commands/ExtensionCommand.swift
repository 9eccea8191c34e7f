import ArgumentParser
import Console
import MailClient

struct ExtensionCommand: MailboxCommand {
    static let configuration = CommandConfiguration(
        commandName: "extension", abstract: "Ask a plug-in of your server something, in XML, and print its answer.",
        discussion: """
            The identifier says which plug-in answers; what to ask is described by whoever \
            made the plug-in. The request is one XML document, from a file or from \
            standard input.

            Example:
              echo '<status xmlns="urn:example:vacation:1"/>' |
                wsemail extension urn:example:vacation:1
            """)

    /// Larger than any server takes.
    private static let limit = 32 << 20

    @OptionGroup var common: CommonOptions
    @OptionGroup var account: AccountOptions

    @Argument(help: ArgumentHelp("The extension's identifier: a URI.", valueName: "identifier"))
    var identifier: String

    @Argument(help: ArgumentHelp("A file with the request, or - for standard input.", valueName: "file"))
    var file = "-"

    private struct Output: Encodable {
        let identifier: String
        /// One XML element.
        let answer: String
    }

    func run(on screen: Screen) async throws {
        if file == "-", Terminal.input.isTTY {
            screen.note("Write the request in XML; end it with Control-D on an empty line.")
        }
        let request = try InputFile.read(file, limit: Self.limit)
        try await withClient(screen) { client in
            let answer = try await Progress.run("asking the server…", screen) {
                try await client.callExtension(identifier, request)
            }
            let text = String(decoding: answer, as: UTF8.self)
            if screen.isJSON {
                try screen.json(Output(identifier: identifier, answer: text))
            } else if Terminal.output.isTTY {
                screen.line(PrintableText.clean(text, keepsLines: true))
            } else {
                // The very octets to a file or pipe.
                screen.write(answer)
                screen.line()
            }
        }
    }
}
