import BenchSupport
import Foundation

/// Measures the mail server. Results are `key value` lines on standard output, everything else goes to standard error.
@main struct MailBench {
    static func main() async {
        // A server that dies must not take us along with its pipe.
        signal(SIGPIPE, SIG_IGN)
        do {
            let options = try Options(CommandLine.arguments.dropFirst())
            if options.showsHelp {
                print(Options.help)
                return
            }
            try await run(options)
        } catch {
            say("error: \(error)")
            exit(1)
        }
    }

    private static func run(_ options: Options) async throws {
        let bed = try TestBed(
            folder: options.folder, server: options.server,
            users: (["alice", "bob", "carol", "dave"], ["erin", "frank", "grace", "heidi"]))
        defer { bed.stop() }
        let workload = try await Workload(bed, options)
        try await workload.warmUp()
        var bytes: ByteFigures?
        var rounds: [RoundFigures] = []
        for round in 1...options.rounds {
            say("round \(round) of \(options.rounds)")
            let figures = try await workload.round()
            if bytes == nil { bytes = try await workload.measureBytes() }
            rounds.append(figures)
        }
        await workload.close()
        for (key, digits) in RoundFigures.keys { report(key, median(rounds.compactMap { $0[key] }), digits: digits) }
        bytes?.report()
    }
}
