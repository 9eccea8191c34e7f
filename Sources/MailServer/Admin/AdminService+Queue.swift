import Foundation
import Identity
import MailStore

/// The delivery queue.
extension AdminService {
    func listQueue(_ request: AdminRequest) async throws -> AdminReply {
        let limit = try pageLimit(of: request)
        let destination = try request[.domain].map { try MailDomain($0) }
        let cursor = try request[.after].map { text in
            guard let number = Int64(text) else { throw AdminError(.invalidArgument, "after is a job's number") }
            return number
        }
        let jobs = try await store.jobs(destination: destination, after: cursor, limit: limit, now: clock())
        return AdminReply(
            columns: [
                "id", "destination", "from", "recipients_count", "size_bytes", "created_at", "attempts_count", "state", "next_at",
                "reason",
            ],
            rows: jobs.map { job in
                [
                    String(job.id), job.destination.description, AdminService.text(job.origin), String(job.recipients.count),
                    String(job.size), timestamp(job.created), String(job.attempts), state(job), timestamp(job.due),
                    job.reason ?? "",
                ]
            },
            details: jobs.count == limit ? ["next": jobs.last.map { String($0.id) } ?? ""] : [:])
    }

    func showJob(_ request: AdminRequest) async throws -> AdminReply {
        let job = try await leased(request).job
        return AdminReply(
            columns: ["recipient"], rows: job.recipients.map { [$0.description] },
            details: [
                "id": String(job.id), "destination": job.destination.description, "from": AdminService.text(job.origin),
                "message": job.messageID, "size_bytes": String(job.size), "created_at": timestamp(job.created),
                "expires_at": timestamp(job.expires), "attempts_count": String(job.attempts), "state": state(job),
                "next_at": timestamp(job.due), "reason": job.reason ?? "",
            ])
    }

    func retryJobs(_ request: AdminRequest) async throws -> AdminReply {
        let selection: JobSelection
        switch (request[.job], request[.domain]) {
        case (nil, nil): selection = .all
        case (nil, let destination?): selection = .destination(try MailDomain(destination))
        case (_?, nil): selection = .job(try jobNumber(of: request))
        case (_?, _?): throw AdminError(.invalidArgument, "name a job or a destination, not both")
        }
        let count = try await store.retryNow(selection, now: clock())
        if case .job(let number) = selection, count == 0, try await store.job(number, now: clock()) == nil {
            throw AdminService.noJob(number)
        }
        try await tellRetry(selection)
        await hooks.queueChanged()
        guard count > 0 else { return AdminReply(try await nothingDue(selection), details: ["due_count": "0"]) }
        return AdminReply(
            count == 1 ? "one job is due now" : "\(count) jobs are due now", details: ["due_count": String(count)])
    }

    /// Why a retry changed nothing.
    private func nothingDue(_ selection: JobSelection) async throws -> String {
        switch selection {
        case .job(let number): return "job \(number) is being sent just now"
        case .destination(let destination):
            let jobs = try await store.jobs(destination: destination, after: nil, limit: 1, now: clock())
            return jobs.isEmpty
                ? "no mail waits for \(destination); nothing was changed" : "the mail for \(destination) is being sent just now"
        case .all:
            let jobs = try await store.jobs(destination: nil, after: nil, limit: 1, now: clock())
            return jobs.isEmpty ? "the queue is empty; nothing was changed" : "all jobs are being sent just now"
        }
    }

    private func tellRetry(_ selection: JobSelection) async throws {
        switch selection {
        case .all: await hooks.retryWanted(nil)
        case .destination(let destination): await hooks.retryWanted(destination)
        case .job(let number):
            if let job = try await store.job(number, now: clock()) { await hooks.retryWanted(job.job.destination) }
        }
    }

    /// Gives a job up: its author gets a bounce, as when its time had run out.
    func dropJob(_ request: AdminRequest) async throws -> AdminReply {
        let leased = try await leased(request)
        let reason = String((request[.reason] ?? "dropped by the administrator").prefix(500))
        var bounce: Acceptance?
        if try flag(.bounce, of: request, preset: true), leased.job.origin != .server {
            guard let write = hooks.bounce else {
                throw AdminError(
                    .needsServer, "only the running server can write the bounce that tells the author",
                    hint: "start `wsemaild serve`, or add --no-bounce to drop it silently")
            }
            bounce = try await write(leased, reason)
        }
        try await store.dropJob(leased.job.id, reason: reason, bounce: bounce, now: clock())
        await hooks.queueChanged()
        return AdminReply(
            "dropped job \(leased.job.id)" + (bounce == nil ? "; its author was not told" : "; its author got a bounce"),
            details: ["id": String(leased.job.id), "bounce": bounce == nil ? "no" : "yes"])
    }

    private func leased(_ request: AdminRequest) async throws -> LeasedJob {
        let number = try jobNumber(of: request)
        guard let job = try await store.job(number, now: clock()) else { throw AdminService.noJob(number) }
        return job
    }

    private static func noJob(_ number: Int64) -> AdminError {
        AdminError(.unknownJob, "there is no job \(number)", hint: "it may be done by now; see `wsemaild queue list`")
    }

    private func state(_ job: QueueJob) -> String {
        if job.isLeased { return "sending" }
        if job.expires <= clock() { return "expired" }
        return job.due <= clock() ? "due" : "waiting"
    }

    private static func text(_ origin: Origin) -> String {
        switch origin {
        case .submission(let address), .visitor(let address): address.description
        case .peer(let domain): domain.description
        case .server: "this server"
        }
    }
}
