import Foundation
import Identity
import MailStore

extension SQLiteStore {
    public func examine(_ requests: [IntentRequest]) async throws(StoreError) -> [IntentVerdict] {
        try await read { sql in
            let judge = IntentJudge(sql: sql)
            return try requests.map { try judge.verdict(on: $0) }
        }
    }

    public func accept(_ acceptances: [Acceptance], now: Date) async -> [Result<AcceptOutcome, StoreError>] {
        let configuration = configuration
        return await writer.writeEach(
            acceptances.map { acceptance in
                { connection in
                    try AcceptanceWriter(
                        connection: connection, acceptance: acceptance, configuration: configuration, now: now
                    ).run()
                }
            })
    }
}
