import Identity

/// One administrative act, as it travels over the admin socket: one line of JSON.
public struct AdminRequest: Sendable, Hashable, Codable {
    /// The most octets of one request line: a package of plug-ins in base64.
    public static let maximumSize = 24 << 20

    public let command: AdminCommand
    /// By `AdminArgument`'s raw value.
    public let arguments: [String: String]
    /// A password; never logged, never echoed.
    public let secret: String?

    public init(_ command: AdminCommand, _ arguments: [AdminArgument: String] = [:], secret: String? = nil) {
        self.command = command
        self.arguments = Dictionary(uniqueKeysWithValues: arguments.map { ($0.key.rawValue, $0.value) })
        self.secret = secret
    }

    /// The value of an argument, or nil.
    public subscript(_ argument: AdminArgument) -> String? { arguments[argument.rawValue] }
}

extension AdminRequest: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Without the secret, so that no log or failure message can show it.
    public var description: String {
        let list = arguments.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        return ([command.rawValue] + list).joined(separator: " ")
    }

    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, children: ["command": command, "arguments": arguments]) }
}

/// Who asks.
public struct AdminCaller: Sendable, Hashable, CustomStringConvertible {
    public enum Path: String, Sendable {
        /// Through the admin socket of the running server.
        case socket
        /// By opening the store while no server runs.
        case direct
    }

    /// The user id that the kernel vouches for.
    public let user: UInt32
    public let path: Path

    public init(user: UInt32, path: Path) {
        self.user = user
        self.path = path
    }

    /// "root (uid 0)" or "uid 999": kept as the author of trust anchors and in the log.
    public var description: String { UserNames.name(of: user).map { "\($0) (uid \(user))" } ?? "uid \(user)" }
}
