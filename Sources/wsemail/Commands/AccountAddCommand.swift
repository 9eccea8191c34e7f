import ArgumentParser
import Console
import Foundation
import Identity
import MailClient

struct AccountAddCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "add", abstract: "Add an account: pin the domain's root, then enrol a key with the password.",
        discussion: """
            The server's root is believed only after you compared its fingerprint with \
            one that you got another way (on paper, by phone). The password is sent only \
            after the server has proved itself under that root, and only once.

            Examples:
              wsemail account add alice@capicom.test
              wsemail account add alice@capicom.test --fingerprint SHA256:AB:CD:…
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var password: PasswordOptions

    @Argument(help: "Your address, such as alice@capicom.test.")
    var address: Address

    @Option(help: ArgumentHelp("The fingerprint that the root must have.", valueName: "SHA256:…"))
    var fingerprint: String?

    @Flag(help: "Take whatever root the server shows. Anybody in between could then be that server.")
    var trustOnFirstUse = false

    @Flag(name: .shortAndLong, help: "Answer questions with yes. Never replaces the comparison of the fingerprint.")
    var yes = false

    @Flag(help: "Enrol a new key for an account that is here already.")
    var renew = false

    @Option(help: ArgumentHelp("The server, where DNS does not know it.", valueName: "host:port"))
    var server: String?

    @Option(help: ArgumentHelp("A DNS resolver to ask instead of the system's.", valueName: "address[@port]"))
    var dns: String?

    @Flag(help: "DNS may lead to loopback and private addresses.")
    var allowPrivate = false

    func validate() throws {
        if fingerprint != nil, trustOnFirstUse {
            throw ValidationError("Give --fingerprint or --trust-on-first-use, not both.")
        }
    }

    func run(on screen: Screen) async throws {
        try await withRuntime { runtime in
            let setup = AccountSetup(runtime)
            let account: ClientAccount
            if renew {
                account = try await setup.renew(runtime.folder.account(address), password: askPassword)
            } else {
                account = try await add(setup, screen)
            }
            try show(account, isDefault: runtime.folder.defaultAddress() == address, screen)
        }
    }

    private func add(_ setup: AccountSetup, _ screen: Screen) async throws -> ClientAccount {
        let wanted = try fingerprint.map { try Fingerprint($0) }
        let connection = ConnectionSettings(server: server, dns: dns, allowsPrivateAddresses: allowPrivate)
        let progress = screen.progress()
        progress.update("looking for the server of \(address.domain)…")
        let contact: FirstContact
        do {
            contact = try await setup.discover(address, connection: connection)
            progress.finish()
        } catch {
            progress.finish()
            throw error
        }
        let root = try choose(contact, wanted, screen)
        return try await setup.add(contact, root: root, password: askPassword)
    }

    private func choose(
        _ contact: FirstContact, _ wanted: Fingerprint?, _ screen: Screen
    ) throws -> MailCertificate {
        if let wanted { return try contact.root(wanted) }
        let root = try contact.onlyRoot()
        if trustOnFirstUse {
            screen.warning(
                "trusting the root that the server shows, unseen: \(root.fingerprint). Compare it when you can.")
            return root
        }
        guard !yes, !screen.isJSON, Terminal.input.isTTY, Terminal.error.isTTY else {
            throw MailClientError(
                .fingerprintMismatch, "nobody compared the root's fingerprint: \(root.fingerprint)",
                advice: "Give the one that the operator told you with --fingerprint (or, at your own risk, "
                    + "--trust-on-first-use).")
        }
        Terminal.error.line("The server of \(contact.address.domain) shows this root:")
        Terminal.error.line("")
        Terminal.error.line("  " + TerminalStyle(for: .error)(root.fingerprint.description, .bold))
        Terminal.error.line("")
        Terminal.error.line("Compare it with the fingerprint that the domain's operator gave you by another way.")
        guard Prompt.confirm("Are they the same?") else {
            throw MailClientError(
                .fingerprintMismatch, "the account was not added", advice: "Ask the domain's operator for the fingerprint.")
        }
        return root
    }

    private func askPassword() throws -> String {
        try PasswordInput.read(password.file, "Password of \(address): ")
    }

    private struct Output: Encodable {
        let address: Address
        let root: String
        let certificateExpires: Date?
        let isDefault: Bool
    }

    private func show(_ account: ClientAccount, isDefault: Bool, _ screen: Screen) throws {
        let expires = account.identity?.certificate.notAfter
        if screen.isJSON {
            return try screen.json(
                Output(
                    address: account.address, root: account.root.fingerprint.description, certificateExpires: expires,
                    isDefault: isDefault))
        }
        screen.line("\(renew ? "Renewed" : "Added") \(account.address). The domain's root is pinned.")
        if let expires { screen.line("Your key is enrolled until \(MailText.date(expires)).") }
        if !isDefault { screen.line("It is not the default account: wsemail account default \(account.address)") }
    }
}
