import ArgumentParser
import Identity
import MailClient

struct PasswordCommand: MailboxCommand {
    static let configuration = CommandConfiguration(
        commandName: "passwd", abstract: "Change your password. All sessions end; your keys stay.",
        discussion: """
            Examples:
              wsemail passwd
              wsemail passwd --password-file old.txt --new-password-file new.txt
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var account: AccountOptions
    @OptionGroup var password: PasswordOptions

    @Option(
        name: .customLong("new-password-file"),
        help: ArgumentHelp("Read the new password from the first line of a file, or of standard input (-).", valueName: "file"))
    var newFile: String?

    private struct Output: Encodable { let changed: Address }

    func run(on screen: Screen) async throws {
        let old = try PasswordInput.read(password.file, "Old password: ")
        let new = try PasswordInput.readNew(newFile, "New password: ")
        try await withClient(screen) { client in
            try await client.changePassword(old: old, new: new)
            if screen.isJSON { return try screen.json(Output(changed: client.account.address)) }
            screen.line("The password of \(client.account.address) is changed.")
        }
    }
}
