import BenchSupport
import Foundation

/// The command line.
struct Options {
    var rounds = 3
    /// MiB of the file.
    var megabytes = 1_024
    /// nginx and curl alone.
    var measuresOnlyBaseline = false
    var showsHelp = false
    /// The folder of databases, keys and files; must not exist or be empty.
    var folder = "/var/tmp/wsemail-bench-\(getpid())"
    /// The folder of wsemaild and wsemail.
    var programs: String

    init(_ arguments: some Sequence<String>) throws {
        let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        programs = URL(fileURLWithPath: own).deletingLastPathComponent().path
        var rest = arguments.makeIterator()
        func value(_ name: String) throws -> String {
            guard let value = rest.next() else { throw Failure("\(name) takes a value; see --help") }
            return value
        }
        func number(_ name: String, _ range: ClosedRange<Int>) throws -> Int {
            guard let number = Int(try value(name)), range.contains(number) else {
                throw Failure("\(name) takes a number from \(range.lowerBound) to \(range.upperBound)")
            }
            return number
        }
        while let argument = rest.next() {
            switch argument {
            case "-h", "--help": showsHelp = true
            case "--rounds": rounds = try number(argument, 1...9)
            case "--megabytes": megabytes = try number(argument, 1...2_048)
            case "--baseline": measuresOnlyBaseline = true
            case "--folder": folder = try value(argument)
            case "--programs": programs = try value(argument)
            default: throw Failure("unknown option \(argument); see --help")
            }
        }
    }

    static let help = """
        usage: filebench [--rounds N] [--megabytes N] [--baseline] [--folder FOLDER] [--programs FOLDER]

        alice@capicom.test sends a file (1,024 MiB of random bytes) with `wsemail`; erin@scopio.test fetches it from alice's
        server with a token of her own. In the same run curl fetches the same file from nginx, with the same certificate, over
        TLS 1.3, into sha256sum. All over loopback, each in processes of its own. Prints `key value` lines, each the median of
        N rounds (default 3).

          upload_mb_s                 1 MB = 1,000,000 bytes; the wall time of `wsemail send`: hashing, the upload, its digest
                                      checked and synced to disk by the server, the message accepted
          fetch_mb_s                  wall time of `wsemail`'s fetch: token, ticket, download, digest checked, written and synced
          nginx_mb_s                  wall time of curl | sha256sum
          nginx_openssl_mb_s          the same with openssl dgst -sha256, which uses the processor's SHA instructions as we do
          fetch_to_nginx_ratio, fetch_to_nginx_openssl_ratio  of the rates, in the same round
          KIND_server_cpu_s           user + system time of our server, or of nginx
          KIND_client_cpu_s           of wsemail, or of curl and sha256sum together
          KIND_server_peak_mb         peak resident memory in MiB, from before KIND began to its end
          KIND_client_peak_mb         the same of the client's largest process

        --baseline   nginx and curl alone
        """
}
