import Identity
import MailServer
import MailStore

/// Why the server did not start or stopped, with advice.
enum ServerProblem {
    static func explain(_ error: any Error, _ configuration: ServerConfiguration) -> AdminError {
        switch error {
        case let error as AdminError: return error
        case let error as ConfigurationError: return AdminError(.file, error.reason)
        case let error as StoreError:
            let isMissing = error.code == .ioFailure
            return AdminError(
                error.code == .inUse ? .inUse : .file, error.reason,
                hint: isMissing ? "has `wsemaild init \(configuration.domain)` been run as this user?" : "")
        case let error as IdentityError:
            return AdminError(
                .file, error.reason,
                hint: error.code == .fileSystem ? "has `wsemaild init \(configuration.domain)` been run as this user?" : "")
        default:
            let text = "\(error)"
            // NIO's bind failure: the commonest reason why a server does not start.
            if text.contains("Address already in use") || text.contains("errno: 98") {
                return AdminError(
                    .inUse, "port \(configuration.listenPort) is taken by another program",
                    hint: "stop it, or set listen_port")
            }
            if text.contains("errno: 13") {
                return AdminError(
                    .forbidden, "this user may not listen on port \(configuration.listenPort)",
                    hint: "use a port above 1023, or give the program CAP_NET_BIND_SERVICE")
            }
            return AdminError(.internal, "the server stopped: \(text)", hint: "the log above says more")
        }
    }
}
