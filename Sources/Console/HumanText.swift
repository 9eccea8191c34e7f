#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Sizes and times as people read them.
public enum HumanText {
    /// "812 B", "3.4 KB", "1.2 GB": powers of 1024.
    public static func bytes(_ count: Int64) -> String {
        let units = ["B", "KB", "MB", "GB", "TB", "PB"]
        var value = Double(count)
        var unit = 0
        while abs(value) >= 1_023.5, unit < units.count - 1 {
            value /= 1_024
            unit += 1
        }
        if unit == 0 || abs(value) >= 99.5 { return "\(Int(value.rounded())) \(units[unit])" }
        return "\((value * 10).rounded() / 10) \(units[unit])"
    }

    /// "45 s", "12 min", "3 h 5 min", "4 d 2 h"; negative spans as their size.
    public static func duration(_ seconds: Double) -> String {
        guard seconds.isFinite, abs(seconds) < 1e12 else { return "?" }
        let total = Int(abs(seconds))
        switch total {
        case ..<60: return "\(total) s"
        case ..<3_600: return "\(total / 60) min"
        case ..<86_400: return join(total / 3_600, "h", total % 3_600 / 60, "min")
        default: return join(total / 86_400, "d", total % 86_400 / 3_600, "h")
        }
    }

    /// "5 min ago", "in 2 h", "now".
    /// - Parameters: seconds since 1970.
    public static func relative(_ time: Double, now: Double) -> String {
        let distance = time - now
        if abs(distance) < 1 { return "now" }
        return distance < 0 ? "\(duration(distance)) ago" : "in \(duration(distance))"
    }

    /// Date and minute in the time zone of this machine: "2026-03-01 14:05".
    /// - Parameter time: seconds since 1970.
    public static func dateTime(_ time: Double) -> String {
        guard time.isFinite, abs(time) < 1e12 else { return "?" }
        var seconds = time_t(time)
        var parts = tm()
        guard localtime_r(&seconds, &parts) != nil else { return "?" }
        func pad(_ value: Int32) -> String { value < 10 ? "0\(value)" : "\(value)" }
        return "\(Int(parts.tm_year) + 1900)-\(pad(parts.tm_mon + 1))-\(pad(parts.tm_mday)) "
            + "\(pad(parts.tm_hour)):\(pad(parts.tm_min))"
    }

    private static func join(_ large: Int, _ largeUnit: String, _ small: Int, _ smallUnit: String) -> String {
        small == 0 ? "\(large) \(largeUnit)" : "\(large) \(largeUnit) \(small) \(smallUnit)"
    }
}
