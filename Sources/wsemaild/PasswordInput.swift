import ArgumentParser
import Console
import MailServer

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

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
            warnIfOpen(file, output: output)
            return try Prompt.firstLine(of: file)
        } catch {
            throw output.failure(
                AdminError(
                    .invalidArgument, error.reason,
                    hint: error.code == .noTerminal ? "use --password-file FILE, or --password-file - and a pipe" : ""))
        }
    }
}

/// Warns of a password file that others may read.
func warnIfOpen(_ path: String, output: Output) {
    var status = stat()
    guard path != "-", stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_mode & 0o077 != 0 else { return }
    output.warning("others may read the password in \(path); run: chmod 600 \(path)")
}
