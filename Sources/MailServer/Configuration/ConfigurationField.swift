import Foundation
import Identity

/// One row of the table of settings.
public struct ConfigurationField: Sendable {
    public let name: String
    /// What the value looks like, for people.
    public let type: String
    public let help: String
    let set: @Sendable (inout ServerConfiguration, String) throws -> Void
    let get: @Sendable (ServerConfiguration) -> String

    /// The value as a configuration file would hold it.
    public func value(in configuration: ServerConfiguration) -> String { get(configuration) }
}

extension ConfigurationField {
    private typealias Path<Value> = WritableKeyPath<ServerConfiguration, Value> & Sendable

    private static func text(_ name: String, _ path: Path<String>, _ help: String) -> ConfigurationField {
        ConfigurationField(
            name: name, type: "text", help: help, set: { $0[keyPath: path] = $1 }, get: { $0[keyPath: path] })
    }

    private static func number(
        _ name: String, _ path: Path<Int>, _ range: ClosedRange<Int>, _ help: String
    ) -> ConfigurationField {
        ConfigurationField(
            name: name, type: "\(range.lowerBound)…\(range.upperBound)", help: help,
            set: { configuration, text in
                guard let value = Int(text), range.contains(value) else {
                    throw ConfigurationError("\(name) takes a number from \(range.lowerBound) to \(range.upperBound)")
                }
                configuration[keyPath: path] = value
            },
            get: { String($0[keyPath: path]) })
    }

    private static func flag(_ name: String, _ path: Path<Bool>, _ help: String) -> ConfigurationField {
        ConfigurationField(
            name: name, type: "yes|no", help: help,
            set: { configuration, text in
                switch text.lowercased() {
                case "yes", "true", "on": configuration[keyPath: path] = true
                case "no", "false", "off": configuration[keyPath: path] = false
                default: throw ConfigurationError("\(name) takes yes or no")
                }
            },
            get: { $0[keyPath: path] ? "yes" : "no" })
    }

    private static func list(_ name: String, _ path: Path<[String]>, _ help: String) -> ConfigurationField {
        ConfigurationField(
            name: name, type: "list by comma", help: help,
            set: { configuration, text in
                configuration[keyPath: path] = text.split(separator: ",").map {
                    $0.trimmingCharacters(in: .whitespaces)
                }.filter { !$0.isEmpty }
            },
            get: { $0[keyPath: path].joined(separator: ", ") })
    }

    private static let port = 0...65_535
    private static let day = 0...86_400

    /// Every setting there is, in the order of the reference page.
    public static let all: [ConfigurationField] = identity + listening + limits + files + delivery + dns + plugins

    private static let identity: [ConfigurationField] = [
        ConfigurationField(
            name: "domain", type: "mail domain", help: "The mail domain this server answers for. Required.",
            set: { $0.domain = try MailDomain($1) }, get: { $0.domain.description }),
        text("host_name", \.hostName, "Name of this machine, the target of the domain's SRV record; by default mail.DOMAIN."),
        text("data_directory", \.dataDirectory, "Database, keys and the admin socket. Only the server's user may read it."),
        ConfigurationField(
            name: "log_level", type: "trace|debug|info|notice|warning|error", help: "How much is logged.",
            set: { configuration, text in
                guard ["trace", "debug", "info", "notice", "warning", "error"].contains(text) else {
                    throw ConfigurationError("log_level takes trace, debug, info, notice, warning or error")
                }
                configuration.logLevel = text
            },
            get: { $0.logLevel }),
    ]

    private static let listening: [ConfigurationField] = [
        text("listen_address", \.listenAddress, "IP address to listen on; :: or 0.0.0.0 is all."),
        number("listen_port", \.listenPort, port, "HTTPS port; 0 lets the system choose."),
        text("metrics_address", \.metricsAddress, "Where /metrics and /health are also served without TLS."),
        number("metrics_port", \.metricsPort, port, "Port for that; 0 switches it off."),
        flag("http2", \.http2, "Offer HTTP/2 beside HTTP/1.1."),
        text("tls_certificate_file", \.tlsCertificateFile, "PEM chain for TLS from another authority; empty: our own."),
        text("tls_key_file", \.tlsKeyFile, "PEM key that goes with it; mode 0600."),
    ]

    private static let limits: [ConfigurationField] = [
        number("max_body_bytes", \.maxBodyBytes, 1_024...1_073_741_824, "Largest request, inflated."),
        number("max_header_bytes", \.maxHeaderBytes, 1_024...1_048_576, "Largest HTTP head."),
        number("max_message_bytes", \.maxMessageBytes, 1_024...1_073_741_824, "Largest message."),
        number("max_recipients", \.maxRecipients, 1...200, "Most recipients of one message."),
        number("max_connections", \.maxConnections, 1...1_000_000, "Most open connections."),
        number("max_connections_per_address", \.maxConnectionsPerAddress, 1...1_000_000, "Most of one address."),
        number("requests_per_second", \.requestsPerSecond, 1...1_000_000, "Sustained calls of one caller; bursts of 10x."),
        number("idle_timeout_seconds", \.idleTimeoutSeconds, 5...day.upperBound, "An idle connection is closed after."),
        number("request_timeout_seconds", \.requestTimeoutSeconds, 5...3_600, "A request must be complete within."),
        number("login_failures", \.loginFailures, 1...1_000, "Wrong passwords before an address must wait."),
        number("login_backoff_seconds", \.loginBackoffSeconds, 1...3_600, "First wait; doubles up to an hour."),
        number("concurrent_logins", \.concurrentLogins, 1...64, "Passwords checked at a time; each takes 32 MB and 50 ms."),
        number("session_hours", \.sessionHours, 1...168, "Life of a session; clients renew before."),
        number("quota_megabytes", \.quotaMegabytes, 0...1_000_000, "Mailbox size of new accounts; 0: without limit."),
        number(
            "max_store_megabytes", \.maxStoreMegabytes, 0...100_000_000,
            "Largest size of the database; beyond it mail is refused for now. 0: what the disk takes."),
    ]

    private static let files: [ConfigurationField] = [
        text("files_directory", \.filesDirectory, "Attachments that wait here for their recipients; empty: files in data_directory."),
        number("max_file_megabytes", \.maxFileMegabytes, 1...10_000_000, "Largest attachment."),
        number(
            "file_quota_megabytes", \.fileQuotaMegabytes, 1...1_000_000_000,
            "What the attachments of one user may take here, uploads under way included."),
        number("token_minutes", \.tokenMinutes, 1...10, "Life of the identity tokens that this server issues to its users."),
    ]

    private static let delivery: [ConfigurationField] = [
        number("queue_days", \.queueDays, 1...30, "How long delivery is tried before the author gets a bounce."),
        number("retry_first_seconds", \.retryFirstSeconds, 1...3_600, "First retry; doubles from there."),
        number("retry_max_seconds", \.retryMaxSeconds, 1...day.upperBound, "Longest time between retries."),
        number("delivery_concurrency", \.deliveryConcurrency, 1...256, "Destinations served at a time."),
        number("delivery_per_destination", \.deliveryPerDestination, 1...32, "Calls at a time to one destination."),
        number("delivery_batch", \.deliveryBatch, 1...100, "Messages in one call."),
        number("max_hops", \.maxHops, 1...50, "A message that passed more servers is a loop."),
    ]

    private static let dns: [ConfigurationField] = [
        list("dns_servers", \.dnsServers, "Forwarders as ADDRESS or ADDRESS@PORT; empty: resolve from the root."),
        text("dns_trust_anchor_file", \.dnsTrustAnchorFile, "DNSSEC root key; empty: nothing is validated."),
        list("dns_insecure_zones", \.dnsInsecureZones, "Zones accepted without DNSSEC (private ones)."),
        flag("allow_private_targets", \.allowPrivateTargets, "Deliver to loopback and private addresses (tests, one site)."),
    ]

    private static let plugins: [ConfigurationField] = [
        ConfigurationField(
            name: "plugins", type: "all|off|list by comma",
            help: "Plug-ins loaded at start: all that are installed, off (none can run), or these (package or package/name).",
            set: { configuration, text in
                let names = text.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
                guard names.count <= 1 || !names.contains(where: { $0 == "all" || $0 == "off" }) else {
                    throw ConfigurationError("plugins takes all, off, or names of plug-ins")
                }
                configuration.plugins = names
            },
            get: { $0.plugins.joined(separator: ", ") }),
        text("plugin_engine_library", \.pluginEngineLibrary, "libwasmtime.so; needed only for WebAssembly plug-ins."),
        flag("plugin_interpreter", \.pluginInterpreter, "Interpret plug-ins even where machine code is allowed (slower)."),
        number("plugin_time_limit_ms", \.pluginTimeLimitMilliseconds, 10...60_000, "Longest call of a plug-in, unless set for it."),
        number(
            "plugin_memory_megabytes", \.pluginMemoryMegabytes, 1...1_024,
            "Memory of one call, unless set for the plug-in; an event holds the message up to twice."),
        number("plugin_calls", \.pluginCalls, 1...64, "Calls at a time of one plug-in, unless set for it."),
        number("plugin_threads", \.pluginThreads, 1...64, "Threads that run plug-ins."),
        number("plugin_error_budget", \.pluginErrorBudget, 1...100, "Failures in 100 calls that take a plug-in out."),
    ]
}
