import BlobStore
import Foundation
import Identity
import Logging
import MailStore
import PluginHost

/// Removes files that no message refers to: uploads that were never sent, what a crash left, and what has expired.
struct FileCollector: Sendable {
    let blobs: any BlobStore
    let store: any PluginStore
    let logger: Logger

    /// How long an uploaded file waits for the message that refers to it.
    static let grace: TimeInterval = 86_400

    func round(now: Date) async throws {
        let report = try await blobs.collect(olderThan: now.addingTimeInterval(-FileCollector.grace), now: now) { owner, digest in
            try await isHeld(owner, digest)
        }
        if report.files + report.uploads + report.orphans > 0 {
            logger.info(
                "files collected",
                metadata: ["files": "\(report.files)", "bytes": "\(report.bytes)", "uploads": "\(report.uploads)"])
        }
        for name in report.damaged { logger.error("a stored file is damaged", metadata: ["file": "\(name)"]) }
    }

    private func isHeld(_ owner: Address, _ digest: [UInt8]) async throws -> Bool {
        let prefix = HostValues.holdPrefix(owner: owner, digest: digest)
        return try await !store.pluginKeys(prefix: prefix, after: nil, limit: 1, of: HostValues.holds).isEmpty
    }
}
