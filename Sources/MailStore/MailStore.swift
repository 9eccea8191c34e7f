import Identity

/// All that a server keeps: accounts, sessions, mail, the queue, the status of what was sent, peers and trust.
///
/// Rules that hold for every method of every part:
/// - A write that returned is durable: it survives the death of the process and of the machine at any later instant.
/// - A write that threw changed nothing, with one exception that no store can avoid: when the failure hit the commit
///   itself (`ioFailure`, `closed`, a lost database connection), the change may or may not be there. Every write is therefore
///   either idempotent or guarded by an id, so that repeating it is right.
/// - Each write is atomic by itself. Several writes that wait at the same time may be committed together, yet none
///   fails because another one did (design §5.1).
/// - Reads see one consistent state of all that was committed before they began.
/// - Times are passed in and kept to the microsecond. Nothing is cancelled with the calling task.
/// - Addresses compare by their canonical spelling (`Address.description`).
public protocol MailStore: AccountStore, CertificateStore, SessionStore, IntakeStore, MailboxStore, QueueStore, StatusStore,
    PeerStore, DomainStateStore, MaintenanceStore, PluginStore
{
    /// Finishes the writes that wait, then lets go of the database. Later calls throw `closed`. Idempotent.
    func close() async
}
