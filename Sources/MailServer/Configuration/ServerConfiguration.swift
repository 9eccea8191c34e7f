import Foundation
import Identity

/// All settings of a server: one immutable value, read once. `ConfigurationField.all` is the table that drives parsing,
/// `wsemaild config describe` and the reference page; defaults stand here only.
public struct ServerConfiguration: Sendable {
    // Who we are
    public var domain: MailDomain
    /// Name of this machine in SRV records and certificates.
    public var hostName: String
    public var dataDirectory = "/var/lib/wsemail"

    // Where we listen
    public var listenAddress = "0.0.0.0"
    public var listenPort = 8443
    /// Plain HTTP for /metrics and /health on this machine only; 0 switches it off.
    public var metricsAddress = "127.0.0.1"
    public var metricsPort = 0
    public var http2 = true
    /// PEM files of a TLS certificate from elsewhere; empty: the domain's own.
    public var tlsCertificateFile = ""
    public var tlsKeyFile = ""

    // Limits
    /// Room for a file of 16 MiB as base64 in a call.
    public var maxBodyBytes = 24 << 20
    public var maxHeaderBytes = 32 << 10
    public var maxMessageBytes = 16 << 20
    public var maxRecipients = 100
    public var maxConnections = 10_000
    public var maxConnectionsPerAddress = 200
    /// Calls a second of one caller, sustained; bursts of ten times as many pass.
    public var requestsPerSecond = 200
    public var idleTimeoutSeconds = 180
    public var requestTimeoutSeconds = 90
    public var loginFailures = 5
    public var loginBackoffSeconds = 30
    public var concurrentLogins = 2
    public var sessionHours = 8
    public var quotaMegabytes = 1024
    /// Beyond it mail is refused for now, and reading and deleting go on; 0 is without limit.
    public var maxStoreMegabytes = 0

    // Files
    /// Attachments that wait here for their recipients; empty: `files` in the data directory.
    public var filesDirectory = ""
    public var maxFileMegabytes = 10_240
    /// What one user may keep here, uploads under way included.
    public var fileQuotaMegabytes = 20_480
    /// Life of a federated identity token.
    public var tokenMinutes = 5

    // Delivery
    public var queueDays = 5
    public var retryFirstSeconds = 30
    public var retryMaxSeconds = 7_200
    public var deliveryConcurrency = 8
    public var deliveryPerDestination = 2
    public var deliveryBatch = 50
    public var maxHops = 10

    // DNS
    /// `address` or `address@port`, several by comma; empty: the root servers, validated by DNSSEC.
    public var dnsServers: [String] = []
    public var dnsTrustAnchorFile = "/usr/share/dns/root.key"
    /// Zones taken without DNSSEC, such as private test zones.
    public var dnsInsecureZones: [String] = []
    /// Deliver to servers in loopback and private address ranges.
    public var allowPrivateTargets = false

    // Plug-ins
    /// `all` that are installed, `off`, or those to load at start, by `package` or `package/name`.
    public var plugins = ["all"]
    /// The WebAssembly engine's shared library.
    public var pluginEngineLibrary = "/usr/local/lib/wsemail/libwasmtime.so"
    /// Run plug-ins in the engine's interpreter even where machine code is allowed.
    public var pluginInterpreter = false
    public var pluginTimeLimitMilliseconds = 1_000
    public var pluginMemoryMegabytes = 64
    /// Calls at a time of one plug-in.
    public var pluginCalls = 4
    public var pluginThreads = 2
    /// Failures among the last 100 calls of a plug-in that take it out.
    public var pluginErrorBudget = 20

    public var logLevel = "info"

    public init(domain: MailDomain, hostName: String) {
        self.domain = domain
        self.hostName = hostName
    }

    public var databasePath: String { dataDirectory + "/mail.sqlite" }
    public var filesPath: String { filesDirectory.isEmpty ? dataDirectory + "/files" : filesDirectory }
    public var keyDirectory: String { dataDirectory + "/keys" }
    /// Compiled plug-ins; may be deleted at any time.
    public var pluginCacheDirectory: String { dataDirectory + "/plugin-cache" }
    public var runsPlugins: Bool { plugins != ["off"] }
    public var adminSocketPath: String { dataDirectory + "/admin.sock" }
}

/// Why a configuration is refused; names the line where it can.
public struct ConfigurationError: Error, Sendable, Equatable, CustomStringConvertible {
    public let reason: String
    public var description: String { reason }
    public init(_ reason: String) { self.reason = reason }
}
