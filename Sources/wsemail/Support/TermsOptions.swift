import ArgumentParser
import Foundation
import MailClient
import MailModel

/// What a sender may say of the files that go with a message.
struct TermsOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp("The files can be fetched so long: 12h, 7d, 4w.", valueName: "time"),
        transform: { try TimeArgument(typed: $0) })
    var expires: TimeArgument?

    @Option(name: .customLong("max-fetches"), help: ArgumentHelp("How often a file may be fetched, by all together.", valueName: "number"))
    var maxFetches: UInt64?

    @Option(
        name: .customLong("on-forward"),
        help: ArgumentHelp("When a recipient wants to pass a file on: ask you, allow it, or forbid it.", valueName: "ask|allow|forbid"))
    var onForward: AttachmentTerms.OnForward?

    var isEmpty: Bool { expires == nil && maxFetches == nil && onForward == nil }

    func validate() throws {
        guard maxFetches.map({ (1...1_000_000_000).contains($0) }) ?? true else {
            throw ValidationError("--max-fetches is 1 to 1000000000.")
        }
    }

    func terms(now: Date) -> AttachmentTerms {
        AttachmentTerms(
            expires: expires.map { Date(timeIntervalSince1970: (now.timeIntervalSince1970 + $0.seconds).rounded()) },
            maxFetches: maxFetches, onForward: onForward)
    }
}

/// `12h`, `7d`, `4w`. Not `1m`: a minute for some, a month for others.
struct TimeArgument {
    let seconds: TimeInterval

    /// - Throws: `ValidationError`.
    init(typed text: String) throws {
        let units: [Character: Double] = ["h": 3_600, "d": 86_400, "w": 604_800]
        guard let last = text.last, let unit = units[last], let number = UInt32(text.dropLast()), number > 0, !text.hasPrefix("+") else {
            throw ValidationError("it is a number of hours, days or weeks, such as 12h, 7d or 4w.")
        }
        // No server can be set to more.
        guard Double(number) * unit <= 3_650 * 86_400 else { throw ValidationError("it is at most 3650d.") }
        seconds = Double(number) * unit
    }
}

extension AttachmentKeep.OnForward: ExpressibleByArgument {}
