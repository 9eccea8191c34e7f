/// What a plug-in decides about a message handed in.
enum SendingVerdict {
    case proceed
    /// Take these attachments (by digest) out.
    case drop([Bytes])
    /// Deliver to others instead of some recipients.
    case redirect([(recipient: Bytes, targets: [Bytes])])
    /// The sender reads the reason.
    case refuse(Bytes, transient: Bool)

    /// Empty: proceed.
    var frame: Bytes {
        var frame = FrameWriter()
        switch self {
        case .proceed: break
        case .drop(let digests) where digests.isEmpty: break
        case .redirect(let replacements) where replacements.isEmpty: break
        case .drop(let digests):
            frame.add(.verdict, "drop")
            for digest in digests { frame.add(.drop, digest) }
        case .redirect(let replacements):
            frame.add(.verdict, "redirect")
            for replacement in replacements {
                var inner = FrameWriter()
                inner.add(.recipient, replacement.recipient)
                for target in replacement.targets { inner.add(.target, target) }
                frame.add(.replacement, inner.octets)
            }
        case .refuse(let reason, let transient):
            frame.refuse(reason, transient: transient)
        }
        return frame.octets
    }
}

/// What a plug-in decides about a message for one recipient.
enum DeliveryVerdict {
    case proceed
    case file(folder: Bytes, seen: Bool, flagged: Bool)
    /// It enters no mailbox, and nobody is told.
    case consume
    case redirect([Bytes])
    /// Its author gets a bounce with the reason.
    case refuse(Bytes)
    /// Ask again after so many seconds (1 to 86,400).
    case later(seconds: Int, Bytes)

    /// Empty: proceed.
    var frame: Bytes {
        var frame = FrameWriter()
        switch self {
        case .proceed: break
        case .file(let folder, let seen, let flagged):
            frame.add(.verdict, "file")
            frame.add(.folder, folder)
            if seen { frame.add(.flag, "seen") }
            if flagged { frame.add(.flag, "flagged") }
        case .consume: frame.add(.verdict, "consume")
        case .redirect(let targets):
            frame.add(.verdict, "redirect")
            for target in targets { frame.add(.target, target) }
        case .refuse(let reason): frame.refuse(reason, transient: false)
        case .later(let seconds, let reason):
            frame.add(.verdict, "later")
            frame.add(.seconds, Bytes(decimal: seconds))
            frame.add(.reason, reason)
        }
        return frame.octets
    }
}

/// An extension's refusal; the caller reads the reason.
struct Fault: Error {
    let reason: Bytes
    let transient: Bool

    init(_ reason: Bytes, transient: Bool = false) {
        self.reason = reason
        self.transient = transient
    }
}

extension FrameWriter {
    mutating func refuse(_ reason: Bytes, transient: Bool) {
        add(.verdict, "refuse")
        add(.reason, reason.cut(500))
        if transient { add(.transient, "yes") }
    }
}
