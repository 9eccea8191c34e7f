import GRDB
import MailStore

extension StoreError {
    /// What SQLite's result codes mean to callers (https://www.sqlite.org/rescode.html).
    init(wrapping error: any Error) {
        switch error {
        case let error as StoreError: self = error
        case let error as DatabaseError: self.init(StoreError.code(of: error), StoreError.reason(of: error))
        default: self.init(.internal, String(describing: error))
        }
    }

    private static func code(of error: DatabaseError) -> Code {
        switch error.resultCode {
        case .SQLITE_FULL: .storageFull
        case .SQLITE_IOERR, .SQLITE_CANTOPEN, .SQLITE_READONLY, .SQLITE_NOMEM, .SQLITE_PERM: .ioFailure
        case .SQLITE_BUSY, .SQLITE_LOCKED, .SQLITE_INTERRUPT, .SQLITE_PROTOCOL: .busy
        case .SQLITE_CORRUPT, .SQLITE_NOTADB: .corrupt
        case .SQLITE_TOOBIG: .invalid
        case .SQLITE_MISUSE: .closed
        default: .internal
        }
    }

    /// Without the statement's arguments, which are mail.
    private static func reason(of error: DatabaseError) -> String {
        let code = error.extendedResultCode
        let message = error.message ?? "no message"
        guard let sql = error.sql else { return "SQLite \(code.rawValue): \(message)" }
        return "SQLite \(code.rawValue): \(message), at: \(sql.prefix(60))"
    }
}
