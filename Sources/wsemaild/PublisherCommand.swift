import ArgumentParser
import Foundation
import MailServer

/// `wsemaild plugin publisher …`
struct PublisherCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "publisher", abstract: "Whose packages this server believes. Apart from the trust in mail.",
        discussion: "Example: wsemaild plugin publisher add example-publisher.pem",
        subcommands: [Add.self, List.self, Remove.self, Revoke.self])

    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Believe packages signed under a publisher's root certificate.",
            discussion: "Compare the fingerprint with the publisher first. Example: wsemaild plugin publisher add example.pem")

        @OptionGroup var options: CommonOptions
        @Option(help: "A note of yours; by default the name in the certificate.") var label: String?
        @Argument(help: "The root certificate as PEM.") var certificate: String

        func run() async throws {
            let pem = String(decoding: try PackageFile.read(certificate, options.output, limit: 48 << 10), as: UTF8.self)
            var arguments: [AdminArgument: String] = [.certificate: pem]
            arguments[.label] = label
            try await AdminSession.run(options) { try await $0.show(AdminRequest(.publisherAdd, arguments), showsDetails: true) }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the publishers' roots.", discussion: "Example: wsemaild plugin publisher list")

        @OptionGroup var options: CommonOptions

        func run() async throws {
            try await AdminSession.run(options) { try await $0.show(AdminRequest(.publisherList), empty: "no publisher is known") }
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Stop believing a publisher; its plug-ins are taken out at once.",
            discussion: "Example: wsemaild plugin publisher remove SHA256:AB:CD:…")

        @OptionGroup var options: CommonOptions
        @Argument(help: "The root's fingerprint.") var fingerprint: String

        func run() async throws { try await PluginCommand.act(.publisherRemove, options, [.fingerprint: fingerprint]) }
    }

    struct Revoke: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Refuse what a stolen or withdrawn certificate signed, whenever that was.",
            discussion: "`wsemaild plugin verify` shows a package's certificate. Example: wsemaild plugin publisher revoke SHA256:AB:CD:…")

        @OptionGroup var options: CommonOptions
        @Option(help: "Why, for your records.") var reason: String?
        @Argument(help: "The fingerprint of a signing certificate or of an authority between it and the root.") var fingerprint: String

        func run() async throws {
            var arguments: [AdminArgument: String] = [.fingerprint: fingerprint]
            arguments[.reason] = reason
            try await PluginCommand.act(.publisherRevoke, options, arguments)
        }
    }
}
