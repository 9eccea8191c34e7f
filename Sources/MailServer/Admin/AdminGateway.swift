import Foundation
import Identity
import Logging
import MailStore
import SQLiteStore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The way of a command-line tool to a server: through the socket if the server runs, else by opening its store.
///
/// The choice is made once, with the first request. Call `close()` at the end.
public actor AdminGateway {
    private enum Way {
        case undecided
        case socket(AdminClient)
        case direct(AdminService, SQLiteStore)
    }

    private let configuration: ServerConfiguration
    private let logger: Logger
    private let clock: @Sendable () -> Date
    private var way = Way.undecided

    public init(configuration: ServerConfiguration, logger: Logger, clock: @escaping @Sendable () -> Date) {
        self.configuration = configuration
        self.logger = logger
        self.clock = clock
    }

    /// Whether the requests so far went to a running server.
    public var reachesServer: Bool {
        if case .socket = way { true } else { false }
    }

    /// Performs one act, wherever. What goes wrong stands in the reply.
    public func perform(_ request: AdminRequest) async -> AdminReply {
        do {
            switch way {
            case .socket(let client): return try client.perform(request)
            case .direct(let service, _): return await service.perform(request, by: caller)
            case .undecided:
                let client = AdminClient(path: configuration.adminSocketPath)
                do throws(AdminError) {
                    let reply = try client.perform(request)
                    way = .socket(client)
                    return reply
                } catch {
                    guard error.code == .notRunning else { throw error }
                    let (service, store) = try openDirectly()
                    way = .direct(service, store)
                    return await service.perform(request, by: caller)
                }
            }
        } catch {
            return AdminReply(error: AdminError.from(error))
        }
    }

    /// Lets go of the store, if it was opened.
    public func close() async {
        if case .direct(_, let store) = way { await store.close() }
        way = .undecided
    }

    private var caller: AdminCaller { AdminCaller(user: geteuid(), path: .direct) }

    private func openDirectly() throws -> (AdminService, SQLiteStore) {
        let path = configuration.databasePath
        var status = stat()
        guard stat(path, &status) == 0 else {
            if errno == EACCES { throw SocketFile.failure("reach", path) }
            throw AdminError(
                .file, "there is no database at \(path)",
                hint: "`wsemaild init \(configuration.domain)` makes one; or name the right file with --config")
        }
        // Files that another user leaves here would lock the server out of its own database.
        guard status.st_uid == geteuid() else {
            let owner = UserNames.text(status.st_uid)
            throw AdminError(
                .forbidden, "the database belongs to \(owner), and no server runs",
                hint: "run this as that user: sudo -u \(owner) wsemaild …")
        }
        var settings = SQLiteConfiguration(path: path)
        settings.tombstoneLife = ServerCore.tombstoneLife
        let store: SQLiteStore
        do throws(StoreError) {
            store = try SQLiteStore(configuration: settings, logger: logger)
        } catch {
            guard error.code == .inUse else { throw error }
            throw AdminError(
                .notRunning, "\(error.reason); it does not answer at \(configuration.adminSocketPath)",
                hint: "wait until it is up, or stop it")
        }
        let hooks = AdminHooks.direct(configuration, clock: clock)
        return (
            AdminService(configuration: configuration, store: store, hooks: hooks, logger: logger, clock: clock), store
        )
    }
}
