import BenchSupport
import Foundation

/// alice sends files, erin fetches them from alice's server: `wsemail` as people use it.
struct MailFiles {
    private let bed: TestBed
    private let options: Options
    private let file: SampleFile
    private let counter = Counter()

    private final class Counter { var sent = 0 }

    init(_ bed: TestBed, _ options: Options, _ file: SampleFile) throws {
        self.bed = bed
        self.options = options
        self.file = file
        for (user, domain) in [("alice", TestBed.home), ("erin", TestBed.abroad)] {
            try wsemail(
                user,
                [
                    "account", "add", "\(user)@\(domain)", "--trust-on-first-use", "--password-file", bed.passwordFile, "--dns",
                    "127.0.0.1@\(bed.dnsPort)", "--allow-private", "--yes",
                ])
        }
    }

    /// A new file each time: what the server has it need not be sent again.
    func send() throws -> Transfer {
        counter.sent += 1
        try file.change(to: counter.sent)
        return try measure(
            "alice", ["send", "erin@\(TestBed.abroad)", "--subject", "File \(counter.sent)", "--body", "", "--attach", file.path])
    }

    func fetch() throws -> Transfer {
        let folder = options.folder + "/fetched"
        try? FileManager.default.removeItem(atPath: folder)
        let transfer = try measure("erin", ["attachments", "get", arrived(), "--to", folder])
        try file.compare(with: folder)
        return transfer
    }

    private func measure(_ user: String, _ arguments: [String]) throws -> Transfer {
        let server = try ServerMeter(process: bed.serverProcess)
        let start = ContinuousClock.now
        let client = try wsemail(user, arguments)
        return try Transfer(seconds: (ContinuousClock.now - start) / .seconds(1), client: client.usage, server: server)
    }

    /// The id of the last message in erin's Inbox, once it is the one that was sent last.
    private func arrived() throws -> String {
        for _ in 0..<300 {
            let listing = try wsemail("erin", ["list", "--json"]).output
            let headers = try JSONSerialization.jsonObject(with: Data(listing.utf8)) as? [[String: Any]] ?? []
            let header = headers.first { $0["subject"] as? String == "File \(counter.sent)" }
            if let id = header?["id"] as? String { return id }
            usleep(100_000)
        }
        throw Failure("a message did not arrive\n\(bed.logs)")
    }

    @discardableResult
    private func wsemail(_ user: String, _ arguments: [String]) throws -> ChildProcess {
        // env: each user has a folder of their own.
        let home = "WSEMAIL_HOME=\(options.folder)/home-\(user)"
        let process = try ChildProcess(
            "env", [home, options.programs + "/wsemail"] + arguments, folder: options.folder, name: "wsemail-\(user)")
        guard process.wait() else {
            throw Failure("wsemail \(arguments[0]) failed: \(process.errors)\(process.output)\n\(bed.logs)")
        }
        return process
    }
}
