import ArgumentParser
import Console
import MailServer

/// Where a command takes a password from. It never stands on the command line, where every user of the machine could read it.
struct PasswordOptions: ParsableArguments {
    @Option(
        name: .customLong("password-file"),
        help: ArgumentHelp("Take the password from the first line of this file; - is standard input.", valueName: "file|-"))
    var file: String?

    /// The password: from the file, or typed twice at the terminal.
    func read(for address: String, output: Output) throws -> String {
        do {
            guard let file else {
                return try Prompt.newSecret("new password for \(PrintableText.clean(address)): ")
            }
            return try Prompt.firstLine(of: file)
        } catch {
            throw output.failure(
                AdminError(
                    .invalidArgument, error.reason,
                    hint: error.code == .noTerminal ? "use --password-file FILE, or --password-file - and a pipe" : ""))
        }
    }
}
