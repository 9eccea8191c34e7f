import Identity

extension ServerConfiguration {
    /// Sets one setting by its name in the configuration file.
    /// - Throws: `ConfigurationError` for an unknown name or an impossible value.
    public mutating func set(_ name: String, to value: String) throws(ConfigurationError) {
        guard let field = ConfigurationField.all.first(where: { $0.name == name }) else {
            throw ConfigurationError("there is no setting \"\(name)\"; `wsemaild config describe` lists them")
        }
        guard !value.contains(where: \.isNewline) else { throw ConfigurationError("\(name) takes one line") }
        do {
            try field.set(&self, value)
        } catch let error as ConfigurationError {
            throw error
        } catch {
            throw ConfigurationError("\(name): \(error)")
        }
    }

    /// The fingerprint of the domain's root: what peers pin with `trust add`.
    public func rootFingerprint() throws(AdminError) -> Fingerprint {
        do throws(IdentityError) {
            let file = keyDirectory + "/" + DomainKeys.File.rootCertificate.rawValue
            return try MailCertificate(pem: PrivateFile.readText(file)).fingerprint
        } catch {
            throw AdminError(error)
        }
    }
}
