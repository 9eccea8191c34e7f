import Identity

/// What a ``SendingProcessor`` decides. The Message itself is never edited (design §6).
public enum SendingVerdict: Sendable, Hashable {
    case proceed
    /// Take these attachments (by SHA-256) out; the Postmark says so. The next plug-in goes on without them.
    case dropAttachments(Set<[UInt8]>)
    /// Deliver to others instead of some recipients (by recipient). The next plug-in sees the new recipients.
    case redirect([Address: [Address]])
    /// Take files into this plug-in's custody: the GUID that names each attachment from now on, by SHA-256. The Postmark tells
    /// it, and the file stays until the plug-in releases it. Each must be in ``SubmissionEvent/files`` and kept by nobody yet; a
    /// GUID has 32 lower-case hexadecimal digits. (`blobs`)
    case keep([[UInt8]: String])
    /// Refuse the submission. Ends the queue.
    case refuse(reason: String, isTransient: Bool)
}

/// What a ``DeliveryProcessor`` decides for one recipient.
public enum DeliveryVerdict: Sendable, Hashable {
    case proceed
    /// Put it into this folder (made if it is not there) with these flags; the next plug-in goes on, and may file it anew.
    case file(folder: String, flags: Set<DeliveryFlag>)
    /// It is dealt with: it enters no mailbox, and nobody is told. Ends the queue.
    case consume
    /// Pass it on to these addresses instead (1 to 20), the original embedded with its proof. Ends the queue.
    case redirect([Address])
    /// Refuse it; its author gets a bounce. Ends the queue.
    case refuse(reason: String)
    /// Try again after so many seconds (1 to 86,400); nothing of this run takes hold. Ends the queue.
    case later(seconds: Int, reason: String)
}

public enum DeliveryFlag: String, Sendable, Hashable, CaseIterable {
    case seen, flagged
}
