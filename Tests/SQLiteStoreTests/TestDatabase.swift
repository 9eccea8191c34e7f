import Foundation
import GRDB
import Identity
import Logging
import MailStore
import MailStoreContract

@testable import SQLiteStore

/// A database in a folder of its own.
final class TestDatabase: ContractDatabase {
    let folder: URL
    let configuration: SQLiteConfiguration

    init(_ change: (inout SQLiteConfiguration) -> Void = { _ in }) throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("wsemail-store-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        var configuration = SQLiteConfiguration(path: folder.appendingPathComponent("mail.sqlite").path)
        change(&configuration)
        self.configuration = configuration
    }

    deinit {
        try? FileManager.default.removeItem(at: folder)
    }

    var path: String { configuration.path }

    func open() async throws -> any MailStore { try store() }

    func store(migrations: [Migration] = Schema.migrations) throws -> SQLiteStore {
        try SQLiteStore(configuration: configuration, migrations: migrations, logger: .silent)
    }

    func remove() async {}

    /// Looks into the file beside the store.
    func inspect<T>(_ body: (Database) throws -> T) throws -> T {
        let queue = try DatabaseQueue(path: path)
        defer { try? queue.close() }
        return try queue.inDatabase(body)
    }

    /// All rows of all tables, to compare states.
    func dump() throws -> [String] {
        try inspect { database in
            let tables = try String.fetchAll(
                database, sql: "SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'sqlite_sequence' ORDER BY name")
            return try tables.flatMap { table in
                try Row.fetchAll(database, sql: "SELECT * FROM \(table) ORDER BY 1, 2").map { "\(table): \($0)" }
            }
        }
    }
}

extension Logger {
    static let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
}
