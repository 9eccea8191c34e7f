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
        let screen = Screen(isJSON: common.isJSON, isQuiet: common.isQuiet)
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
    /// - Parameter isUpload: the command may be one that goes on with an upload: what then still waits is told at its end.
    func withClient<T>(_ screen: Screen, isUpload: Bool = false, _ body: (MailClient) async throws -> T) async throws -> T {
        try await withRuntime { runtime in
            let client = try runtime.client(Accounts.choose(runtime.folder, account.address))
            KeyExpiry.warn(client.account, screen)
            try await OutboxRetry.run(client, screen)
            if !isUpload { try OutboxRetry.remind(client, screen) }
            let result = try await body(client)
            if isUpload { try? OutboxRetry.remind(client, screen) }
            return result
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
        let short = waiting.filter { !$0.hasUploads }
        if !short.isEmpty { progress.update("sending \(count(short.count)) from the outbox…") }
        let report = try await client.retryOutbox()
        progress.finish()
        show(report, screen)
    }

    /// Long uploads are not begun in passing.
    static func remind(_ client: MailClient, _ screen: Screen) throws {
        let long = try client.waiting().count(where: \.hasUploads)
        guard long > 0 else { return }
        screen.note("\(count(long)) in the outbox \(long == 1 ? "waits" : "wait") for files to be uploaded: wsemail outbox retry")
    }

    /// What became of the messages.
    static func show(_ report: OutboxReport, _ screen: Screen) {
        for damaged in report.damaged {
            screen.warning("a file of the outbox cannot be sent and was set aside: \(damaged.reason). It lies in \(damaged.path)")
        }
        for sent in report.sent {
            screen.note("Sent from the outbox: \"\(sent.entry.message.message.subject)\" (\(sent.entry.id))")
        }
        for refusal in report.refused {
            screen.warning(
                "a message in the outbox was refused: \(refusal.error.reason). \"\(refusal.entry.message.message.subject)\" "
                    + "was not sent; its text is kept in \(refusal.path)." + (refusal.error.advice.map { " \($0)" } ?? ""))
        }
        if !report.waiting.isEmpty {
            let reason = report.error.map { " (\($0.reason))" } ?? ""
            screen.warning("\(count(report.waiting.count)) still \(report.waiting.count == 1 ? "waits" : "wait")\(reason).")
        }
    }

    private static func count(_ number: Int) -> String { number == 1 ? "1 message" : "\(number) messages" }
}

extension MailClientError {
    /// The same, said of one of several files.
    func about(_ name: String) -> MailClientError {
        guard !reason.contains(name) else { return self }
        return MailClientError(code, "\(name): \(reason)", advice: advice, fault: fault, isTransient: isTransient)
    }
}

enum CommandFailure {
    static let notVerified = ExitCode(2)
    static let notReached = ExitCode(3)
    /// As of a process that SIGINT ended.
    static let interrupted = ExitCode(128 + 2)

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

    /// Of work of several parts, by what went wrong in each: what does not verify comes first. Nil: nothing did.
    static func exitCode(_ errors: [MailClientError]) -> ExitCode? {
        let codes = errors.map { exitCode($0) }
        guard let first = codes.first else { return nil }
        if codes.contains(notVerified) { return notVerified }
        return codes.allSatisfy { $0 == first } ? first : .failure
    }

    static func exitCode(_ error: MailClientError) -> ExitCode {
        switch error.code {
        case .unreachable: notReached
        case .notVerified, .untrustedServer, .fingerprintMismatch: notVerified
        default: .failure
        }
    }
}
