import BenchSupport
import Foundation

/// The command line.
struct Options {
    var rounds = 3
    /// Sends of each client in a round; the other operations are multiples.
    var operations = 250
    var showsHelp = false
    /// The folder of databases and keys; must not exist or be empty.
    var folder = "/var/tmp/wsemail-bench-\(getpid())"
    /// Where perf's recordings of each phase go.
    var perfFolder: String?
    var server: String

    init(_ arguments: some Sequence<String>) throws {
        let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        server = URL(fileURLWithPath: own).deletingLastPathComponent().path + "/wsemaild"
        var rest = arguments.makeIterator()
        func value(_ name: String) throws -> String {
            guard let value = rest.next() else { throw Failure("\(name) takes a value; see --help") }
            return value
        }
        func number(_ name: String) throws -> Int {
            guard let number = Int(try value(name)), (1...100_000).contains(number) else {
                throw Failure("\(name) takes a number from 1 to 100000")
            }
            return number
        }
        while let argument = rest.next() {
            switch argument {
            case "-h", "--help": showsHelp = true
            case "--rounds": rounds = try number(argument)
            case "--operations": operations = max(50, try number(argument))
            case "--folder": folder = try value(argument)
            case "--perf": perfFolder = try value(argument)
            case "--server": server = try value(argument)
            default: throw Failure("unknown option \(argument); see --help")
            }
        }
    }

    static let help = """
        usage: mailbench [--rounds N] [--operations N] [--perf FOLDER] [--folder FOLDER] [--server WSEMAILD]

        Measures a wsemaild of the domain capicom.test, which delivers to a second one of scopio.test. Both are processes of
        their own with TLS, their own databases (SQLite, synchronous=FULL) and dnsmasq between them. Prints `key value` lines,
        each the median of N rounds (default 3).

        Four users call at once, each over one kept TLS connection in a session opened by password, as the paper's section
        5 has it. The body of a mail is 1 KB (1,024 bytes) of seeded words drawn from a list of common English ones by
        Zipf's law, with sentences and lines: it shrinks by gzip to about what English prose of that size does.

          send_cpu_ms        one local and one external recipient; includes the delivery of both: the clock is read when
                             the other domain has every message and has been believed about it
          list_cpu_ms        the newest six headers: the paper's inbox
          list_50_cpu_ms     the newest fifty
          retrieve_cpu_ms    a message with its Postmark
          delete_cpu_ms      one message of an inbox
          mix_cpu_ms         one operation of the paper's mix: a quarter of each, inboxes primed with six
                             CPU is user + system time of the capicom.test process, all of its threads
          ops_per_s          operations of the mix a second, with clients and both servers on this machine
          mean_ms, p99_ms    their latency
          send_bytes         request of a Send
          retrieve_bytes     reply to a Retrieve
          list_bytes_per_header  a fiftieth of the reply of fifty
          delete_bytes       request and reply of a Delete
                             Bytes are TLS payload (HTTP heads and bodies as they travelled), gzip as our client and server
                             use it; the median of 25

        --perf FOLDER   also records each phase of the last round with perf: perf report -i FOLDER/send.data
        """
}
