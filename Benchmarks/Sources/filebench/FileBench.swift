import BenchSupport
import Foundation

/// Measures how fast large files go to and from the server, beside nginx and curl on the same file in the same run. Results are
/// `key value` lines on standard output, everything else goes to standard error.
@main struct FileBench {
    static func main() {
        // A server that dies must not take us along with its pipe.
        signal(SIGPIPE, SIG_IGN)
        do {
            let options = try Options(CommandLine.arguments.dropFirst())
            if options.showsHelp {
                print(Options.help)
                return
            }
            try run(options)
        } catch {
            say("error: \(error)")
            exit(1)
        }
    }

    private static func run(_ options: Options) throws {
        let bed = try TestBed(
            folder: options.folder, server: options.programs + "/wsemaild", users: (["alice"], ["erin"]))
        defer { bed.stop() }
        let file = try SampleFile(megabytes: options.megabytes, folder: options.folder)
        let web = try WebServer(folder: options.folder, keys: bed.data(TestBed.home) + "/keys", file: file)
        defer { web.stop() }
        say("curl: \(try web.cipher())")
        var figures = FileFigures()
        if options.measuresOnlyBaseline {
            for round in 1...options.rounds { try fetch(from: web, round, into: &figures) }
        } else {
            try measure(MailFiles(bed, options, file), web, rounds: options.rounds, into: &figures)
        }
        figures.report(megabytes: options.megabytes)
    }

    private static func measure(_ mail: MailFiles, _ web: WebServer, rounds: Int, into figures: inout FileFigures) throws {
        for round in 1...rounds {
            say("round \(round) of \(rounds)")
            figures["upload", round] = try mail.send()
            // Each before the other in every second round: what the machine does beside this falls on both.
            if round.isMultiple(of: 2) { figures["fetch", round] = try mail.fetch() }
            try fetch(from: web, round, into: &figures)
            if !round.isMultiple(of: 2) { figures["fetch", round] = try mail.fetch() }
        }
    }

    private static func fetch(from web: WebServer, _ round: Int, into figures: inout FileFigures) throws {
        figures["nginx", round] = try web.fetch(into: "sha256sum")
        figures["nginx_openssl", round] = try web.fetch(into: "openssl dgst -sha256 -r")
    }
}
