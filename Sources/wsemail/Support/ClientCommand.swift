import ArgumentParser
import Console
import Foundation
import Identity
import MailClient

/// A command of this program: runs with a screen, and ends with one of the documented exit codes.
protocol ClientCommand: AsyncParsableCommand {
    var common: CommonOptions { get }
    func run(on screen: Screen) async throws
}

extension ClientCommand {
    func run() async throws {
        let screen = Screen(isJSON: common.isJSON)
        do {
            try await run(on: screen)
        } catch let code as ExitCode {
            throw screen.outputFailure() ?? code
        } catch {
            let failure = CommandFailure.translate(error)
            screen.failure(failure)
            // With --json that, too, is output.
            _ = screen.outputFailure()
            throw CommandFailure.exitCode(failure)
        }
        if let code = screen.outputFailure() { throw code }
    }

    /// Runs with the person's folder; connections end with it.
    func withRuntime<T>(_ body: (ClientRuntime) async throws -> T) async throws -> T {
        let environment = ProcessInfo.processInfo.environment
        let path = try ClientFolder.standardPath(explicit: common.configFolder, environment: environment)
        let runtime = ClientRuntime(folder: try ClientFolder(path: path), clock: { Date() })
        do {
            let result = try await body(runtime)
            await runtime.close()
            return result
        } catch {
            await runtime.close()
            throw error
        }
    }
}

/// A command that works with a mailbox.
protocol MailboxCommand: ClientCommand {
    var account: AccountOptions { get }
}

extension MailboxCommand {
    /// Runs with the mailbox of the chosen account. What earlier commands left in the outbox is sent first.
    func withClient<T>(_ screen: Screen, _ body: (MailClient) async throws -> T) async throws -> T {
        try await withRuntime { runtime in
            let client = try runtime.client(Accounts.choose(runtime.folder, account.address))
            KeyExpiry.warn(client.account, screen)
            try await OutboxRetry.run(client, screen)
            return try await body(client)
        }
    }
}

enum Accounts {
    /// The named account, or the default one.
    static func choose(_ folder: ClientFolder, _ address: Address?) throws -> ClientAccount {
        if let address = try address ?? folder.defaultAddress() { return try folder.account(address) }
        if try folder.addresses().isEmpty {
            throw MailClientError(
                .noAccount, "there is no account yet", advice: "Add one: wsemail account add ADDRESS")
        }
        throw MailClientError(
            .noAccount, "there are several accounts and none is the default",
            advice: "Name one with --account, or choose: wsemail account default ADDRESS")
    }
}

/// A key that ends soon is renewed while it still opens sessions.
enum KeyExpiry {
    private static let notice: TimeInterval = 30 * 86_400

    static func warn(_ account: ClientAccount, _ screen: Screen) {
        guard let certificate = account.identity?.certificate else { return }
        let left = certificate.notAfter.timeIntervalSinceNow
        guard left < notice else { return }
        screen.warning(
            "your key \(left < 0 ? "has expired" : "expires on \(MailText.date(certificate.notAfter))"); enrol a new one: "
                + "wsemail account add \(account.address) --renew")
    }
}

/// Sends what waits in the outbox, and says so.
enum OutboxRetry {
    static func run(_ client: MailClient, _ screen: Screen) async throws {
        let waiting = try client.waiting()
        let progress = screen.progress()
        if !waiting.isEmpty { progress.update("sending \(count(waiting.count)) from the outbox…") }
        let report = try await client.retryOutbox()
        progress.finish()
        for damaged in report.damaged {
            screen.warning("a file of the outbox cannot be sent and was set aside: \(damaged.reason). It lies in \(damaged.path)")
        }
        for sent in report.sent {
            screen.note("Sent from the outbox: \"\(sent.entry.message.message.subject)\" (\(sent.entry.id))")
        }
        for refusal in report.refused {
            screen.warning(
                "a message in the outbox was refused: \(refusal.error.reason). \"\(refusal.entry.message.message.subject)\" "
                    + "was not sent; it is kept in \(refusal.path)")
        }
        if !report.waiting.isEmpty {
            let reason = report.error.map { " (\($0.reason))" } ?? ""
            screen.warning("\(count(report.waiting.count)) still \(report.waiting.count == 1 ? "waits" : "wait")\(reason).")
        }
    }

    private static func count(_ number: Int) -> String { number == 1 ? "1 message" : "\(number) messages" }
}

enum CommandFailure {
    static let notVerified = ExitCode(2)
    static let notReached = ExitCode(3)

    static func translate(_ error: any Error) -> MailClientError {
        if let error = error as? ConsoleError {
            let isAboutFile = error.code == .unreadable || error.code == .tooLong
            return MailClientError(isAboutFile ? .invalidInput : .password, error.reason, advice: advice(error))
        }
        return MailClientError(error)
    }

    private static func advice(_ error: ConsoleError) -> String? {
        error.code == .noTerminal ? "Use --password-file FILE, or - for standard input." : nil
    }

    static func exitCode(_ error: MailClientError) -> ExitCode {
        switch error.code {
        case .unreachable: notReached
        case .notVerified, .untrustedServer, .fingerprintMismatch: notVerified
        default: .failure
        }
    }
}
