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
                .keyRefused, "the server does not accept your key (any more): \(fault.reason)",
                advice: "Enrol a new key with your password: wsemail account add ADDRESS --renew", fault: subcode)
        case .unknownMessage:
            self.init(
                .noSuchMessage, "the server knows no such message", advice: "`wsemail list` shows what there is.",
                fault: subcode)
        case .unknownFolder:
            self.init(
                .invalidInput, "there is no such folder", advice: "The folders are Inbox and Sent.", fault: subcode)
        case .busy, .storageFull, .internal:
            self.init(
                .refused, "the server cannot do it now: \(fault.reason)", advice: "Try again in a minute.",
                fault: subcode, isTransient: true)
        default:
            self.init(
                .refused, fault.reason, advice: Self.advice[fault.subcode], fault: subcode,
                isTransient: fault.isTransient)
        }
    }

    private static let advice: [FaultSubcode: String] = [
        .unknownRecipient: "Check the spelling of the address.",
        .quotaExceeded: "Delete mail that is no longer needed (wsemail delete ID), then send again.",
        .tooLarge: "Shorten the message.",
        .tooMany: "Send it in several messages.",
        .idConflict: "Write the message anew: its id was used for another one.",
        .staleTimestamp: "Set this computer's clock.",
        .forbidden: "Ask the domain's administrator.",
        .unsupportedConstraint: "Send it without that constraint.",
        .expiredMessage: "Check this computer's clock and write the message anew.",
    ]
}
