import Identity
import MailServer
import MailStore

/// Why the server did not start or stopped, with advice.
enum ServerProblem {
    static func explain(_ error: any Error, _ configuration: ServerConfiguration) -> AdminError {
        let isMissing =
            (error as? StoreError)?.code == .ioFailure || (error as? IdentityError)?.code == .fileSystem
        let problem = AdminError.from(error)
        guard isMissing else { return problem }
        return AdminError(
            .file, problem.reason, hint: "has `wsemaild init \(configuration.domain)` been run as this user?")
    }
}
