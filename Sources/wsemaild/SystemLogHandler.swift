import Logging

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Writes to syslog(3): what an administrator did to the store while no server was there to log it.
struct SystemLogHandler: LogHandler {
    var logLevel = Logger.Level.notice
    var metadata: Logger.Metadata = [:]

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let fields = metadata.merging(event.metadata ?? [:]) { $1 }.sorted { $0.key < $1.key }
        let text = (["wsemaild:", "\(event.message)"] + fields.map { "\($0.key)=\($0.value)" }).joined(separator: " ")
        text.withCString { text in
            withVaList([text]) { vsyslog(SystemLogHandler.priority(event.level) | (3 << 3), "%s", $0) }
        }
    }

    /// syslog's levels; the facility beside them is LOG_DAEMON (3).
    private static func priority(_ level: Logger.Level) -> Int32 {
        switch level {
        case .critical: LOG_CRIT
        case .error: LOG_ERR
        case .warning: LOG_WARNING
        case .notice: LOG_NOTICE
        case .info: LOG_INFO
        case .debug, .trace: LOG_DEBUG
        }
    }
}
