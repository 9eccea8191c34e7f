import Foundation
import GRDB
import MailStore

/// Statements on one connection, compiled once each. Lives only inside one database access.
struct SQLConnection {
    let database: Database
    var willRun: FaultInjector?

    /// Runs a statement that returns no rows; returns how many rows it changed.
    @discardableResult
    func run(_ sql: String, _ arguments: (any DatabaseValueConvertible)?...) throws -> Int {
        let statement = try prepare(sql, arguments)
        try statement.execute()
        return database.changesCount
    }

    /// The first row, mapped; nil if there is none. Steps to the end, so that `RETURNING` statements are complete.
    func first<T>(
        _ sql: String, _ arguments: (any DatabaseValueConvertible)?..., map: (Row) throws -> T
    ) throws -> T? {
        let rows = try Row.fetchCursor(prepare(sql, arguments))
        var result: T?
        while let row = try rows.next() {
            if result == nil { result = try map(row) }
        }
        return result
    }

    /// All rows, mapped.
    func all<T>(
        _ sql: String, _ arguments: (any DatabaseValueConvertible)?..., map: (Row) throws -> T
    ) throws -> [T] {
        try all(sql, with: arguments, map: map)
    }

    func all<T>(_ sql: String, with arguments: [(any DatabaseValueConvertible)?], map: (Row) throws -> T) throws -> [T] {
        let rows = try Row.fetchCursor(prepare(sql, arguments))
        var result: [T] = []
        while let row = try rows.next() {
            result.append(try map(row))
        }
        return result
    }

    /// The first column of the only row as a number; 0 if there is none or it is NULL.
    func number(_ sql: String, _ arguments: (any DatabaseValueConvertible)?...) throws -> Int64 {
        let rows = try Row.fetchCursor(prepare(sql, arguments))
        var result: Int64 = 0
        while let row = try rows.next() {
            result = try row.optionalInt(0) ?? 0
        }
        return result
    }

    private func prepare(_ sql: String, _ arguments: [(any DatabaseValueConvertible)?]) throws -> Statement {
        try willRun?(.statement(sql))
        let statement = try database.cachedStatement(sql: sql)
        try statement.setArguments(StatementArguments(arguments))
        return statement
    }
}

/// Columns are decoded by throwing: a damaged or foreign file is input like any other.
extension Row {
    func int(_ index: Int) throws -> Int64 { try decode(Int64.self, atIndex: index) }
    func optionalInt(_ index: Int) throws -> Int64? { try decode(Int64?.self, atIndex: index) }
    func text(_ index: Int) throws -> String { try decode(String.self, atIndex: index) }
    func optionalText(_ index: Int) throws -> String? { try decode(String?.self, atIndex: index) }
    func time(_ index: Int) throws -> Date { Date(micros: try int(index)) }
    func optionalTime(_ index: Int) throws -> Date? { try optionalInt(index).map(Date.init(micros:)) }

    func optionalBytes(_ index: Int) throws -> [UInt8]? {
        try decode(Data?.self, atIndex: index).map { [UInt8]($0) }
    }

    func bytes(_ index: Int) throws -> [UInt8] {
        [UInt8](try decode(Data.self, atIndex: index))
    }

    func lines(_ index: Int) throws -> [String] {
        try text(index).split(separator: "\n").map(String.init)
    }
}

extension Date {
    init(micros: Int64) {
        self.init(timeIntervalSince1970: Double(micros) / 1_000_000)
    }

    /// Microseconds since 1970. Dates of messages come from anywhere: what is beyond a hundred thousand years is cut
    /// off.
    var micros: Int64 {
        let limit = 4_000_000_000_000.0
        let seconds = timeIntervalSince1970
        guard seconds.isFinite else { return seconds > 0 ? Int64(limit * 1_000_000) : 0 }
        return Int64((min(max(seconds, -limit), limit) * 1_000_000).rounded())
    }
}

extension [UInt8] {
    var blob: Data { Data(self) }
}
