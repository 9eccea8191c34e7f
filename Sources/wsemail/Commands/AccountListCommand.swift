import ArgumentParser
import Console
import Foundation
import Identity
import MailClient

struct AccountListCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Show the accounts.",
        discussion: """
            Example:
              wsemail account list
            """)

    @OptionGroup var common: CommonOptions

    private struct Row: Encodable {
        let address: Address
        let isDefault: Bool
        let server: String?
        let certificateExpires: Date?
        let root: String
    }

    func run(on screen: Screen) async throws {
        try await withRuntime { runtime in
            let chosen = try runtime.folder.defaultAddress()
            let accounts = try runtime.folder.addresses().map { try runtime.folder.account($0) }
            if screen.isJSON {
                return try screen.json(
                    accounts.map {
                        Row(
                            address: $0.address, isDefault: $0.address == chosen, server: $0.connection.server,
                            certificateExpires: $0.identity?.certificate.notAfter, root: $0.root.fingerprint.description)
                    })
            }
            guard !accounts.isEmpty else { return screen.note("No accounts yet. Add one: wsemail account add ADDRESS") }
            var table = TextTable([
                .init(""), .init("Address"), .init("Server"), .init("Key until"), .init("Root", canShrink: true),
            ])
            for account in accounts {
                table.append([
                    .init(account.address == chosen ? "*" : "", .green), .init(account.address.unicode),
                    .init(account.connection.server ?? "by DNS"), key(account), .init(account.root.fingerprint.description),
                ])
            }
            screen.table(table)
        }
    }

    private func key(_ account: ClientAccount) -> TextTable.Cell {
        guard let certificate = account.identity?.certificate else { return .init("no key", .red) }
        let text = MailText.date(certificate.notAfter)
        return certificate.isValid(at: Date()) ? .init(text) : .init("\(text) (expired)", .red)
    }
}
