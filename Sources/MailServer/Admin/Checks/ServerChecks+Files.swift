import Foundation
import Identity

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Files, keys and the clock.
extension ServerChecks {
    func fileFindings() -> [CheckFinding] {
        var found: [CheckFinding] = []
        let data = configuration.dataDirectory
        found += folder(data) + folder(configuration.keyDirectory)
        found += privateFile(configuration.databasePath, advice: "make it with `wsemaild init \(configuration.domain)`")
        let keyFiles = (try? FileManager.default.contentsOfDirectory(atPath: configuration.keyDirectory)) ?? []
        for name in keyFiles.sorted() where !name.hasPrefix(".") {
            found += privateFile(configuration.keyDirectory + "/" + name, advice: "restore it from a backup")
        }
        if !configuration.tlsKeyFile.isEmpty {
            found += privateFile(configuration.tlsKeyFile, advice: "look at tls_key_file in \(configurationPath)")
        }
        if let mode = ServerChecks.mode(configurationPath), mode & 0o022 != 0 {
            found.append(
                .fail("files", "others may change \(configurationPath)", "run: chmod go-w \(configurationPath)"))
        }
        return found.isEmpty ? [.ok("files", "\(data) and all in it is for the server's user only")] : found
    }

    private func folder(_ path: String) -> [CheckFinding] {
        guard let mode = ServerChecks.mode(path) else {
            return [.fail("files", "\(path) is missing or out of reach", "run `wsemaild init \(configuration.domain)`, or see who owns it")]
        }
        if let finding = foreign(path) { return [finding] }
        return mode & 0o077 == 0 ? [] : [.fail("files", "others may look into \(path)", "run: chmod 700 \(path)")]
    }

    private func privateFile(_ path: String, advice: String) -> [CheckFinding] {
        guard let mode = ServerChecks.mode(path) else { return [.fail("files", "\(path) is missing", advice)] }
        if let finding = foreign(path) { return [finding] }
        return mode & 0o077 == 0 ? [] : [.fail("files", "others may read \(path)", "run: chmod 600 \(path)")]
    }

    /// What belongs to another user the server cannot use, whatever its rights.
    private func foreign(_ path: String) -> CheckFinding? {
        var status = stat()
        guard stat(path, &status) == 0, status.st_uid != geteuid() else { return nil }
        let (owner, user) = (UserNames.text(status.st_uid), UserNames.text(geteuid()))
        return .fail(
            "files", "\(path) belongs to \(owner), and this is \(user)",
            "run it as the server's user (sudo -u \(owner) wsemaild …), or give it the file: chown \(user) \(path)")
    }

    private static func mode(_ path: String) -> mode_t? {
        var status = stat()
        return stat(path, &status) == 0 ? status.st_mode & 0o7777 : nil
    }

    // MARK: Keys

    func keyFindings() -> (DomainKeys?, [CheckFinding]) {
        let keys: DomainKeys
        do {
            keys = try DomainKeys(folder: configuration.keyDirectory, domain: configuration.domain)
        } catch {
            let isUnsafe = (error as? IdentityError)?.code == .unsafeFile
            let error = AdminError.from(error)
            let preset = isUnsafe ? "the keys are not used before" : "restore \(configuration.keyDirectory) from a backup"
            return (nil, [.fail("keys", error.reason, error.hint.isEmpty ? preset : error.hint)])
        }
        var found: [CheckFinding] = []
        let certificates = [
            ("root.pem", keys.authority.certificate), ("server.pem", keys.server), ("server-rsa.pem", keys.rsaServer),
            ("tls.pem", keys.tlsCertificate),
        ]
        for (name, certificate) in certificates { found += lifeFindings(name, certificate) }
        found += tlsFindings(keys)
        if found.isEmpty { found = [.ok("keys", "keys and certificates fit together and are valid for long")] }
        return (keys, found)
    }

    private func lifeFindings(_ name: String, _ certificate: MailCertificate) -> [CheckFinding] {
        let left = certificate.notAfter.timeIntervalSince(now)
        let renewal = "it must be issued anew: see docs/admin.md, \"Certificates\""
        if left <= 0 { return [.fail("keys", "\(name) has expired", renewal)] }
        if left < ServerChecks.renewBefore { return [.warn("keys", "\(name) expires in \(Int(left / 86_400)) days", renewal)] }
        if certificate.notBefore > now {
            return [.fail("clock", "\(name) is not valid yet", "set this machine's clock; use NTP")]
        }
        return []
    }

    private func tlsFindings(_ keys: DomainKeys) -> [CheckFinding] {
        do {
            _ = try HTTPListeners.tls(configuration, keys: keys)
        } catch {
            let error = AdminError.from(error)
            return [.fail("keys", error.reason, error.hint)]
        }
        if configuration.tlsCertificateFile.isEmpty {
            let names = keys.tlsCertificate.mailDomains
            guard names.contains(where: { $0.description == configuration.hostName.lowercased() }) else {
                return [
                    .warn(
                        "keys", "the TLS certificate does not name the host \(configuration.hostName)",
                        "peers accept it for the domain; set host_name back, or issue a new certificate")
                ]
            }
            return []
        }
        guard let chain = try? String(contentsOfFile: configuration.tlsCertificateFile, encoding: .utf8),
            let leaf = try? MailCertificate.chain(pem: chain).first
        else { return [] }
        return lifeFindings(configuration.tlsCertificateFile, leaf)
    }

    // MARK: Clock

    /// The clock against what this server has written before: time must not run backwards.
    func clockFindings(_ keys: DomainKeys?) -> [CheckFinding] {
        let files = [configuration.databasePath, configuration.databasePath + "-wal"]
        let lastWrite = files.compactMap { ServerChecks.modified($0) }.max()
        if let lastWrite, lastWrite.timeIntervalSince(now) > ServerChecks.clockTolerance {
            let hours = Int((lastWrite.timeIntervalSince(now) / 3_600).rounded(.up))
            return [
                .fail(
                    "clock", "the database was written up to \(hours) h in the future of this machine's clock",
                    "set the clock; use NTP (calls outside of 5 minutes are refused)")
            ]
        }
        return [.ok("clock", "the clock agrees with the certificates and the database")]
    }

    private static func modified(_ path: String) -> Date? {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        #if canImport(Darwin)
            return Date(timeIntervalSince1970: TimeInterval(status.st_mtimespec.tv_sec))
        #else
            return Date(timeIntervalSince1970: TimeInterval(status.st_mtim.tv_sec))
        #endif
    }
}
