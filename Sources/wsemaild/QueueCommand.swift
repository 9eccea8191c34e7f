import ArgumentParser
import MailServer

/// `wsemaild queue …`
struct QueueCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "queue", abstract: "Mail that waits for other domains.", discussion: "Example: wsemaild queue list",
        subcommands: [List.self, Show.self, Retry.self, Drop.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the jobs.", discussion: "Example: wsemaild queue list --domain example.net")

        @OptionGroup var options: CommonOptions
        @Option(help: "Only jobs for this domain.") var domain: String?

        func run() async throws {
            try await AdminSession.run(options) {
                try await $0.list(.queueList, domain.map { [.domain: $0] } ?? [:], empty: "the queue is empty")
            }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show one job: for whom, since when, why it waits.", discussion: "Example: wsemaild queue show 17")

        @OptionGroup var options: CommonOptions
        @Argument(help: "The job's number.") var job: Int64

        func run() async throws {
            try await AdminSession.run(options) {
                try await $0.show(AdminRequest(.queueShow, [.job: String(job)]), showsDetails: true)
            }
        }
    }

    struct Retry: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Try jobs again now.",
            discussion: """
                Examples:
                  wsemaild queue retry 17
                  wsemaild queue retry --domain example.net
                  wsemaild queue retry --all
                """)

        @OptionGroup var options: CommonOptions
        @Option(help: "All jobs for this domain.") var domain: String?
        @Flag(help: "All jobs.") var all = false
        @Argument(help: "The job's number.") var job: Int64?

        func validate() throws {
            switch [job != nil, domain != nil, all].count(where: \.self) {
            case 0: throw ValidationError("Name a job, or --domain DOMAIN, or --all.")
            case 1: break
            default: throw ValidationError("Give only one of a job, --domain DOMAIN and --all.")
            }
        }

        func run() async throws {
            var arguments: [AdminArgument: String] = [:]
            arguments[.job] = job.map { String($0) }
            arguments[.domain] = domain
            let request = AdminRequest(.queueRetry, arguments)
            try await AdminSession.run(options) { session in
                let reply = await session.gateway.perform(request)
                try session.output.show(reply)
                guard await session.gateway.reachesServer || reply.details["due_count"] == "0" else {
                    return session.output.warning("the server does not run: the jobs wait for `wsemaild serve`")
                }
            }
        }
    }

    struct Drop: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give a job up; its author gets a bounce unless --no-bounce is given.",
            discussion: "Example: wsemaild queue drop 17 --reason \"the domain has closed\"")

        @OptionGroup var options: CommonOptions
        @Option(help: "Told to the author.") var reason: String?
        @Flag(inversion: .prefixedNo, help: "Tell the author; without, the message's status says refused.") var bounce = true
        @Argument(help: "The job's number.") var job: Int64

        func run() async throws {
            var arguments: [AdminArgument: String] = [.job: String(job), .bounce: bounce ? "yes" : "no"]
            arguments[.reason] = reason
            try await AdminSession.run(options) { try await $0.show(AdminRequest(.queueDrop, arguments)) }
        }
    }
}
