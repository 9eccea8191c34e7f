import Identity
import SOAP

extension MailClientError {
    /// A fault that the home server signed, in the person's words.
    init(fault: SOAPFault) {
        let subcode = fault.subcode.rawValue
        switch fault.subcode {
        case .failedAuthentication:
            self.init(
                .password, fault.reason, advice: "Check address and password; after many attempts the server waits.",
                fault: subcode)
        case .untrustedCertificate, .unknownCertificate:
            self.init(
                .keyRefused, "your server does not accept your key (any more): \(fault.reason)",
                advice: Self.keyAdvice(nil), fault: subcode)
        case .unknownMessage:
            self.init(
                .noSuchMessage, "the server knows no such message", advice: "`wsemail list` shows what there is.",
                fault: subcode)
        case .unknownFolder:
            self.init(
                .invalidInput, fault.reason, advice: nil, fault: subcode)
        case .busy, .storageFull, .internal, .pluginUnavailable:
            // A reason that says how long to wait needs no second hint.
            let saysWhen = fault.reason.contains("try again")
            self.init(
                .refused, saysWhen ? fault.reason : "the server cannot do it now: \(fault.reason)",
                advice: saysWhen ? nil : "Try again in a minute.", fault: subcode, isTransient: true)
        default:
            // What the attachment plug-in says of --expires has a better next step than asking somebody.
            let isTooLong = fault.reason.contains("is kept for at most")
            self.init(
                .refused, fault.reason, advice: isTooLong ? "Give it less time with --expires." : Self.advice[fault.subcode],
                fault: subcode,
                isTransient: fault.isTransient)
        }
    }

    /// The same, with what only the account tells: which address has to be enrolled anew.
    func about(_ address: Address) -> MailClientError {
        guard code == .keyRefused else { return self }
        return MailClientError(code, reason, advice: Self.keyAdvice(address), fault: fault, isTransient: isTransient)
    }

    private static func keyAdvice(_ address: Address?) -> String {
        let command = "`wsemail account add \(address.map(\.description) ?? "YOUR-ADDRESS") --renew`"
        return "The account may be disabled, or the key revoked: ask your domain's administrator. "
            + "If the account is in order, \(command) enrols a new key with your password."
    }

    private static let advice: [FaultSubcode: String] = [
        .unknownRecipient: "Check the spelling of the address.",
        .quotaExceeded: "Delete mail that is no longer needed (wsemail delete ID), then send again.",
        .tooLarge: "Shorten the message.",
        .tooMany: "Send it in several messages.",
        .idConflict: "Write the message anew: its id was used for another one.",
        .staleTimestamp: "Set this computer's clock.",
        .forbidden: "The account may be disabled: ask your domain's administrator.",
        .unsupportedConstraint: "Send it without that constraint.",
        .expiredMessage: "Check this computer's clock and write the message anew.",
        .unknownExtension: "Check the spelling of the identifier; `wsemaild plugin list` shows your administrator what there is.",
        .refusedByPolicy: "That is your domain's policy: ask its administrator.",
    ]
}
