import ArgumentParser
import Console
import Foundation
import MailServer

/// `wsemaild trust …`
struct TrustCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "trust", abstract: "Other domains whose signatures this server believes.",
        discussion: "Example: wsemaild trust add example.net --fingerprint SHA256:AB:CD:…",
        subcommands: [Add.self, List.self, Remove.self])

    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Trust a domain's root, or a federation's.",
            discussion: """
                Get the fingerprint from the other administrator over a way you trust (its `wsemaild status` prints it):
                  wsemaild trust add example.net --fingerprint SHA256:AB:CD:…
                  wsemaild trust add example.net --certificate root.pem
                  wsemaild trust add --federation --certificate federation.pem
                """)

        @OptionGroup var options: CommonOptions
        @Option(help: ArgumentHelp("The root certificate as PEM.", valueName: "file")) var certificate: String?
        @Option(help: ArgumentHelp("The root's SHA-256; alone, the domain's server is asked for the root.", valueName: "SHA256:…"))
        var fingerprint: String?
        @Flag(help: "A federation's root: believed for every domain under it.") var federation = false
        @Flag(help: "Replace the roots that are trusted for this domain now.") var replace = false
        @Option(help: "A note of yours, shown by `trust list`.") var label: String?
        @Argument(help: "The mail domain; none with --federation.") var domain: String?

        func validate() throws {
            guard federation == (domain == nil) else {
                throw ValidationError(federation ? "A federation's root takes no domain." : "Name the domain to trust.")
            }
            guard certificate != nil || fingerprint != nil else {
                throw ValidationError("Give --certificate FILE or --fingerprint SHA256:….")
            }
            guard !federation || certificate != nil else { throw ValidationError("A federation's root needs --certificate FILE.") }
        }

        func run() async throws {
            var arguments: [AdminArgument: String] = [.scope: federation ? "federation" : "domain"]
            arguments[.domain] = domain
            arguments[.fingerprint] = fingerprint
            arguments[.label] = label
            if replace { arguments[.replace] = "yes" }
            if let certificate { arguments[.certificate] = try readCertificate(certificate) }
            try await AdminSession.run(options) { try await $0.show(AdminRequest(.trustAdd, arguments)) }
        }

        private func readCertificate(_ path: String) throws -> String {
            let hint = "give the other domain's root certificate as a PEM file"
            guard let data = FileManager.default.contents(atPath: path) else {
                throw options.output.failure(AdminError(.file, "cannot read \(path)", hint: hint))
            }
            guard data.count <= 48 << 10, let text = String(data: data, encoding: .utf8) else {
                throw options.output.failure(AdminError(.file, "\(path) is no PEM certificate", hint: hint))
            }
            return text
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the trusted roots.", discussion: "Example: wsemaild trust list")

        @OptionGroup var options: CommonOptions

        func run() async throws {
            try await AdminSession.run(options) {
                try await $0.show(AdminRequest(.trustList), empty: "no other domain is trusted yet")
            }
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Stop trusting a domain, or one of its roots.",
            discussion: """
                Examples:
                  wsemaild trust remove example.net
                  wsemaild trust remove --federation --fingerprint SHA256:AB:CD:…
                """)

        @OptionGroup var options: CommonOptions
        @Option(help: ArgumentHelp("Only the root with this fingerprint.", valueName: "SHA256:…")) var fingerprint: String?
        @Flag(help: "A federation's root.") var federation = false
        @Argument(help: "The mail domain; none with --federation.") var domain: String?

        func validate() throws {
            guard federation == (domain == nil) else {
                throw ValidationError(federation ? "A federation's root takes no domain." : "Name the domain.")
            }
            guard !federation || fingerprint != nil else { throw ValidationError("Name the root with --fingerprint SHA256:….") }
        }

        func run() async throws {
            var arguments: [AdminArgument: String] = [.scope: federation ? "federation" : "domain"]
            arguments[.domain] = domain
            arguments[.fingerprint] = fingerprint
            try await AdminSession.run(options) { try await $0.show(AdminRequest(.trustRemove, arguments)) }
        }
    }
}
