/// Names a plug-in: the package it comes in and its name there, written `package/name`.
public struct PluginIdentifier: Sendable, Hashable, Comparable, Codable, CustomStringConvertible {
    /// Reverse domain name, such as `org.example.vacation`: 3 to 100 of a-z, 0-9, "-" and ".", with at least one ".".
    public let package: String
    /// 1 to 40 of a-z, 0-9 and "-".
    public let name: String

    /// - Throws: ``PluginError`` `.invalid`.
    public init(package: String, name: String) throws(PluginError) {
        guard Self.isPackage(package) else { throw PluginError(.invalid, "\"\(package.prefix(100))\" is no package identifier") }
        guard Self.isName(name) else { throw PluginError(.invalid, "\"\(name.prefix(100))\" is no plug-in name") }
        self.package = package
        self.name = name
    }

    /// Reads `package/name`. Throws ``PluginError`` `.invalid`.
    public init(_ text: String) throws(PluginError) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2 else { throw PluginError(.invalid, "\"\(text.prefix(150))\" is no plug-in: write package/name") }
        try self.init(package: String(parts[0]), name: String(parts[1]))
    }

    public var description: String { "\(package)/\(name)" }

    public static func < (left: Self, right: Self) -> Bool {
        (left.package, left.name) < (right.package, right.name)
    }

    public static func isPackage(_ text: String) -> Bool {
        let labels = text.split(separator: ".", omittingEmptySubsequences: false)
        return (3...100).contains(text.utf8.count) && labels.count > 1 && labels.allSatisfy { isName(String($0)) }
    }

    static func isName(_ text: String) -> Bool {
        (1...40).contains(text.utf8.count) && text.first != "-" && text.last != "-"
            && text.utf8.allSatisfy { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2D }
    }
}

/// A version: three numbers, each below 100,000, as in `1.4.0`.
public struct PluginVersion: Sendable, Hashable, Comparable, Codable, CustomStringConvertible {
    public let major: Int
    public let minor: Int
    public let patch: Int

    public init(_ major: Int, _ minor: Int, _ patch: Int) {
        self.major = major
        self.minor = minor
        self.patch = patch
    }

    /// Reads `1.4.0`. Throws ``PluginError`` `.invalid`.
    public init(_ text: String) throws(PluginError) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        let numbers = parts.compactMap { part in
            part.count <= 5 && part.utf8.allSatisfy { (0x30...0x39).contains($0) } ? Int(part) : nil
        }
        guard parts.count == 3, numbers.count == 3 else {
            throw PluginError(.invalid, "\"\(text.prefix(40))\" is no version such as 1.4.0")
        }
        self.init(numbers[0], numbers[1], numbers[2])
    }

    public var description: String { "\(major).\(minor).\(patch)" }

    public static func < (left: Self, right: Self) -> Bool {
        (left.major, left.minor, left.patch) < (right.major, right.minor, right.patch)
    }
}

/// What a plug-in may reach. Declared in the manifest, granted by the administrator; everything else is closed.
///
/// Without any, a plug-in sees of a message its id, From, recipients, date, size, traits and the attachments' descriptions.
public enum PluginCapability: String, Sendable, Hashable, CaseIterable, Codable, Comparable {
    /// Write lines to the server's log.
    case log
    /// Know the time.
    case clock
    /// A private key-value store.
    case keyValue = "key-value"
    /// Send messages, on behalf of the mailbox it acts for, or of the address `plugins@` of this domain.
    case send
    /// Ask whether an address has a mailbox here.
    case lookUp = "look-up"
    /// Subject, text and HTML of messages.
    case content
    /// The whole Message, and at delivery the Postmark, as signed XML.
    case rawXML = "raw-xml"
    /// Who calls or submits, and how they proved it.
    case identity
    /// The security token (certificate or assertion) that the caller presented.
    case tokens
    /// Read the files that come with a submission.
    case files
    /// Keep files that users hand in, and offer them for fetching. Only plug-ins that are compiled into the server can have it.
    case blobs
    /// Run a program of this machine. Only plug-ins that are compiled into the server can have it.
    case subprocess

    /// Whether no package can have it, whatever the administrator grants.
    public var isForCompiledInOnly: Bool { self == .blobs || self == .subprocess }

    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// Who may call an extension.
public enum ExtensionCaller: String, Sendable, Hashable, CaseIterable, Codable {
    /// Users of this domain.
    case user
    /// Servers of other domains.
    case peer
    /// Users of other domains, or of this one, who present a token of their domain instead of logging in here.
    case federated
}

/// An identifier that a plug-in answers for.
public struct ExtensionDeclaration: Sendable, Hashable, Codable {
    /// An absolute URI of at most 200 characters, compared byte by byte.
    public let identifier: String
    public let callers: Set<ExtensionCaller>

    public init(identifier: String, callers: Set<ExtensionCaller> = [.user]) {
        self.identifier = identifier
        self.callers = callers
    }
}

/// What happens to mail while the plug-in cannot do its work.
public enum FailurePolicy: String, Sendable, Hashable, CaseIterable, Codable {
    /// Mail passes as if the plug-in were not there.
    case open
    /// Mail waits: submissions get a transient fault, deliveries stay in the queue.
    case closed
}

/// A setting that the administrator can change with `wsemaild plugin set`.
public struct SettingDeclaration: Sendable, Hashable, Codable {
    /// 1 to 60 of a-z, 0-9, "-", "_" and "."; ending in ".*" it stands for any name that begins so.
    public let name: String
    public let preset: String
    public let explanation: String

    public init(name: String, preset: String, explanation: String) {
        self.name = name
        self.preset = preset
        self.explanation = explanation
    }

    /// Whether the declaration covers a name.
    public func covers(_ setting: String) -> Bool {
        name.hasSuffix(".*") ? setting.hasPrefix(name.dropLast()) && setting.count >= name.count : setting == name
    }
}

/// What a plug-in is, as its signed manifest says it.
public struct PluginDescriptor: Sendable, Hashable, Codable {
    public let identifier: PluginIdentifier
    public let version: PluginVersion
    /// One line for people.
    public let summary: String
    /// Roles with the priority the publisher suggests: lower runs earlier, 0 to 1000.
    public let roles: [PluginRole: Int]
    public let extensions: [ExtensionDeclaration]
    public let capabilities: Set<PluginCapability>
    public let failurePolicy: FailurePolicy
    public let settings: [SettingDeclaration]

    public init(
        identifier: PluginIdentifier, version: PluginVersion, summary: String, roles: [PluginRole: Int],
        extensions: [ExtensionDeclaration] = [], capabilities: Set<PluginCapability> = [], failurePolicy: FailurePolicy = .open,
        settings: [SettingDeclaration] = []
    ) {
        self.identifier = identifier
        self.version = version
        self.summary = summary
        self.roles = roles
        self.extensions = extensions
        self.capabilities = capabilities
        self.failurePolicy = failurePolicy
        self.settings = settings
    }
}
