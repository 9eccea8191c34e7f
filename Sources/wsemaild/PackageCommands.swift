import ArgumentParser
import Console
import Foundation
import Identity
import MailServer
import PluginAPI
import PluginPackage

/// `wsemaild plugin keygen`: for those who publish plug-ins.
struct KeygenCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keygen", abstract: "Make a publisher's keys: a root to hand out, and a certificate to sign packages with.",
        discussion: """
            Writes root.pem (hand it to administrators), root.key (keep it offline), publisher.pem and publisher.key into a folder.
            In a folder that has a root already, only the signing certificate is made anew.
              wsemaild plugin keygen "Example Ltd" --out keys
            """)

    @Flag(help: "Print JSON for scripts.") var json = false
    @Option(help: ArgumentHelp("The folder; made with mode 0700 if it is not there.", valueName: "folder")) var out: String
    @Argument(help: "The publisher's name, as administrators see it.") var name: String

    func run() async throws {
        try PackageTool.run(json: json) { output in
            try PrivateFile.createFolder(out)
            let now = Date()
            let authority: PublisherAuthority
            if FileManager.default.fileExists(atPath: out + "/root.key") {
                authority = try PublisherAuthority(
                    certificatePEM: PackageTool.text(out + "/root.pem"), keyPEM: PrivateFile.readText(out + "/root.key"))
            } else {
                authority = try PublisherAuthority.create(name: name, now: now)
                try PrivateFile.write(authority.keyPEM(), to: out + "/root.key")
                try PrivateFile.write(authority.certificatePEM, to: out + "/root.pem")
            }
            let replaces = FileManager.default.fileExists(atPath: out + "/publisher.key")
            let key = PublisherKey()
            let certificate = try authority.issueCodeSigningCertificate(publicKey: key.publicKey, publisher: name, now: now)
            try PrivateFile.write(key.pem, to: out + "/publisher.key")
            try PrivateFile.write(certificate.pem, to: out + "/publisher.pem")
            try output.show(
                AdminReply(
                    replaces
                        ? "made a new signing key of \(name) in \(out); publisher.pem and publisher.key were replaced"
                        : "made the keys of \(name) in \(out)",
                    details: [
                        "root_fingerprint": authority.certificate.fingerprint.description, "root": out + "/root.pem",
                        "signing_certificate": out + "/publisher.pem",
                    ]), showsDetails: true)
        }
    }
}

/// `wsemaild plugin pack`
struct PackCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pack", abstract: "Make a package of a manifest and the files it names.",
        discussion: "Example: wsemaild plugin pack manifest.xml --out vacation.wsep")

    @Flag(help: "Print JSON for scripts.") var json = false
    @Option(help: ArgumentHelp("Where the package goes.", valueName: "file")) var out: String
    @Option(help: ArgumentHelp("Where the files are; by default beside the manifest.", valueName: "folder")) var files: String?
    @Argument(help: "The manifest.", completion: .file(extensions: ["xml"])) var manifest: String

    func run() async throws {
        try PackageTool.run(json: json) { output in
            let folder = files ?? URL(fileURLWithPath: manifest).deletingLastPathComponent().path
            let source = try PackageFile.read(manifest, output, limit: 1 << 20)
            let octets = try PackageBuilder(manifest: source, file: PackageBuilder.folder(folder)).unsigned()
            try PackageTool.write(octets, to: out)
            let package = try PluginPackage(octets: octets)
            try output.show(
                AdminReply(
                    "packed \(package.identifier) \(package.version) into \(out); now sign it",
                    details: ["file_bytes": String(octets.count)]))
        }
    }
}

/// `wsemaild plugin sign`
struct SignCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sign", abstract: "Sign a package; an earlier signature is replaced.",
        discussion: "Example: wsemaild plugin sign vacation.wsep --certificate keys/publisher.pem --key keys/publisher.key")

    @Flag(help: "Print JSON for scripts.") var json = false
    @Option(help: ArgumentHelp("The publisher's certificate, then those between it and the root.", valueName: "file"))
    var certificate: String
    @Option(help: ArgumentHelp("The private key (PEM, mode 0600).", valueName: "file")) var key: String
    @Option(help: ArgumentHelp("Where the signed package goes; by default in place.", valueName: "file")) var out: String?
    @Argument(help: "The package.", completion: .file(extensions: ["wsep"])) var package: String

    func run() async throws {
        try PackageTool.run(json: json) { output in
            let octets = try PackageFile.read(package, output)
            let signed = try PackageBuilder.sign(
                octets, certificatePEM: PackageTool.text(certificate), keyPEM: PrivateFile.readText(key), now: Date())
            try PackageTool.write(signed, to: out ?? package)
            try output.show(AdminReply("signed \(out ?? package)"))
        }
    }
}

/// `wsemaild plugin verify`
struct VerifyPackageCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Say who signed a package and what it asks for. Needs no server.",
        discussion: "Example: wsemaild plugin verify vacation.wsep --root example-publisher.pem")

    @Flag(help: "Print JSON for scripts.") var json = false
    @Option(help: ArgumentHelp("The publisher's root certificate as PEM; may be repeated.", valueName: "file")) var root: [String]
    @Argument(help: "The package.", completion: .file(extensions: ["wsep"])) var package: String

    func run() async throws {
        try await PackageTool.run(json: json) { output in
            let octets = try PackageFile.read(package, output)
            try show(await verify(octets), output)
        }
    }

    private func verify(_ octets: [UInt8]) async throws -> VerifiedPackage {
        let verifier = try verifier()
        return try await verifier.verify(octets, at: Date())
    }

    private func verifier() throws -> PackageVerifier {
        PackageVerifier(PublisherAnchors(anchors: try root.map { try PublisherAnchor(pem: PackageTool.text($0), label: $0) }))
    }

    private func show(_ verified: VerifiedPackage, _ output: Output) throws {
        let package = verified.package
        try output.show(
            AdminReply(
                "\(package.identifier) \(package.version) is signed by \(verified.publisher.name)",
                columns: ["plugin", "roles", "capabilities", "policy", "summary"],
                rows: package.members.map(PackageTool.row),
                details: [
                    "title": package.title, "publisher": verified.publisher.name,
                    "certificate": try Fingerprint(verified.publisher.certificate).description,
                    "root": try Fingerprint(verified.publisher.anchor).description,
                    "expires_at": ISO8601DateFormatter().string(from: verified.publisher.notAfter),
                ]), showsDetails: true)
    }
}

/// What the tools for packages share.
enum PackageTool {
    static func run(json: Bool, _ body: (Output) throws -> Void) throws {
        let output = Output(json: json)
        do { try body(output) } catch let exit as ExitCode { throw exit } catch { throw output.failure(AdminError.from(error)) }
    }

    static func run(json: Bool, _ body: (Output) async throws -> Void) async throws {
        let output = Output(json: json)
        do { try await body(output) } catch let exit as ExitCode { throw exit } catch { throw output.failure(AdminError.from(error)) }
    }

    static func text(_ path: String) throws -> String {
        do throws(ConsoleError) { return String(decoding: try InputFile.read(path, limit: 256 << 10), as: UTF8.self) } catch {
            throw AdminError(.file, error.reason)
        }
    }

    static func write(_ octets: [UInt8], to path: String) throws {
        do { try Data(octets).write(to: URL(fileURLWithPath: path), options: .atomic) } catch {
            throw AdminError(.file, "cannot write \(path)")
        }
    }

    static func row(_ member: PluginPackage.Member) -> [String] {
        let descriptor = member.descriptor
        let roles = descriptor.roles.sorted { $0.key < $1.key }.map { "\($0.key.rawValue) \($0.value)" }
        return [
            descriptor.identifier.description, roles.joined(separator: ", "),
            descriptor.capabilities.sorted().map(\.rawValue).joined(separator: ", "), descriptor.failurePolicy.rawValue,
            descriptor.summary,
        ]
    }
}
