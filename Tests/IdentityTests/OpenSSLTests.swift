import Foundation
import Testing
import XMLSecurity

@testable import Identity

/// OpenSSL as a second opinion on what we issue. Skipped where there is none.
@Suite(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/openssl")))
struct OpenSSLTests {
    private func openssl(_ arguments: String...) throws -> (status: Int32, output: String) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
        process.arguments = arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        let output = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: output, as: UTF8.self))
    }

    private func verify(_ leaf: MailCertificate, root: MailCertificate, extra: [String] = []) throws -> Int32 {
        let folder = try TemporaryFolder()
        let (rootFile, leafFile) = (folder.file("root.pem"), folder.file("leaf.pem"))
        try PrivateFile.write(root.pem, to: rootFile)
        try PrivateFile.write(leaf.pem, to: leafFile)
        let time = String(Int(World.now.timeIntervalSince1970))
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
        process.arguments =
            ["verify", "-x509_strict", "-attime", time, "-CAfile", rootFile] + extra + [leafFile]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        return process.terminationStatus
    }

    @Test func everyCertificateVerifiesStrictly() throws {
        let authority = try World.authority()
        let host = try MailDomain("mx.capicom.test")
        let key = SigningKey.generateP256().publicKey
        let leaves = [
            try authority.issueServerCertificate(publicKey: key, hosts: [host], now: World.now),
            try authority.issueServerCertificate(publicKey: SigningKey.generateRSA().publicKey, now: World.now),
            try authority.issueTLSCertificate(publicKey: key, hosts: [host], now: World.now),
            try World.user(authority, "alice@capicom.test"),
            try World.user(authority, "jürgen@capicom.test"),
        ]
        for leaf in leaves { #expect(try verify(leaf, root: authority.certificate) == 0, "\(leaf)") }
        #expect(try verify(authority.certificate, root: authority.certificate) == 0)
        #expect(try verify(leaves[2], root: authority.certificate, extra: ["-purpose", "sslserver"]) == 0)
        #expect(
            try verify(leaves[2], root: authority.certificate, extra: ["-verify_hostname", "mx.capicom.test"]) == 0)
        #expect(try verify(leaves[0], root: authority.certificate, extra: ["-purpose", "sslserver"]) != 0)
        #expect(try verify(leaves[3], root: authority.certificate, extra: ["-verify_email", "alice@capicom.test"]) == 0)
    }

    @Test func opensslAlsoRefusesAForeignDomain() throws {
        let scopio = try World.authority("scopio.test")
        let profile = try CertificateProfile.server(
            World.domain(), hosts: [], World.newKey(), .init(oid: MailOID.mailServer))
        #expect(try verify(World.forge(scopio.issuer, profile), root: scopio.certificate) != 0)
    }

    @Test func namesAndUsagesAsOpenSSLReadsThem() throws {
        let authority = try World.authority()
        let folder = try TemporaryFolder()
        let file = folder.file("x.pem")
        try PrivateFile.write(World.user(authority, "alice@capicom.test").pem, to: file)
        let text = try openssl("x509", "-in", file, "-noout", "-text").output
        #expect(text.contains("email:alice@capicom.test"))
        #expect(text.contains("CN = alice@capicom.test"))
        #expect(text.contains("2.25.1012471274897283645.2"))
        #expect(text.contains("CA:FALSE"))
        try PrivateFile.write(authority.certificatePEM, to: file)
        let root = try openssl("x509", "-in", file, "-noout", "-text", "-fingerprint", "-sha256").output
        #expect(root.contains("DNS:capicom.test"))
        #expect(root.contains("CA:TRUE, pathlen:1"))
        let line = try #require(root.split(separator: "\n").last { $0.contains("ingerprint=") })
        #expect(try Fingerprint(String(line)) == authority.certificate.fingerprint)
    }

    @Test func requestsGoBothWays() throws {
        let folder = try TemporaryFolder()
        let (key, csr) = (folder.file("key.pem"), folder.file("csr.pem"))
        let made = try openssl(
            "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", csr,
            "-subj", "/CN=somebody else/O=x", "-addext", "basicConstraints=critical,CA:TRUE", "-addext",
            "subjectAltName=email:root@scopio.test")
        #expect(made.status == 0, "\(made.output)")
        let request = try CertificateRequest(pem: String(contentsOfFile: csr, encoding: .utf8))
        let authority = try World.authority()
        let certificate = try authority.issueUserCertificate(
            request: request, address: Address("bob@capicom.test"), now: World.now)
        #expect(certificate.addresses.map(\.description) == ["bob@capicom.test"])
        #expect(try verify(certificate, root: authority.certificate) == 0)
        let ours = try CertificateRequest.make(address: Address("bob@capicom.test"), key: .generateP256())
        try PrivateFile.write(ours.pem, to: csr)
        #expect(try openssl("req", "-in", csr, "-noout", "-verify").status == 0)
        // OpenSSL 1.x style RSA key with SHA-1: refused.
        let weak = try openssl(
            "req", "-new", "-newkey", "rsa:2048", "-sha1", "-nodes", "-keyout", key, "-out", csr, "-subj", "/CN=x")
        if weak.status == 0 {
            expectCode(.malformedRequest) {
                try CertificateRequest(pem: String(contentsOfFile: csr, encoding: .utf8))
            }
        }
    }

    @Test func aCertificateOfOpenSSLIsRead() throws {
        let folder = try TemporaryFolder()
        let (key, file) = (folder.file("key.pem"), folder.file("web.pem"))
        let made = try openssl(
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", file, "-days", "30", "-subj",
            "/CN=www.capicom.test", "-addext", "basicConstraints=critical,CA:FALSE", "-addext",
            "subjectAltName=DNS:capicom.test,DNS:*.capicom.test", "-addext", "extendedKeyUsage=serverAuth,clientAuth")
        #expect(made.status == 0, "\(made.output)")
        let web = try MailCertificate(pem: String(contentsOfFile: file, encoding: .utf8))
        #expect(web.role == .tls)
        #expect(web.mailDomains.map(\.ascii) == ["capicom.test"])
    }
}
