/// One line of `wsemaild check`.
public struct CheckFinding: Sendable, Hashable, Codable {
    public enum Level: String, Sendable, Codable, CaseIterable {
        case ok
        /// Works now, but will not for long, or not everywhere.
        case warn
        /// Mail does not flow, or is not safe.
        case fail
    }

    public let level: Level
    /// What was looked at: "files", "keys", "clock", "dns", "port", "peer", "queue", "store", "plugins", "configuration".
    public let area: String
    public let what: String
    /// What to do; empty when all is well.
    public let advice: String

    public init(_ level: Level, _ area: String, _ what: String, advice: String = "") {
        self.level = level
        self.area = area
        self.what = what
        self.advice = advice
    }

    static func ok(_ area: String, _ what: String) -> CheckFinding { CheckFinding(.ok, area, what) }
    static func warn(_ area: String, _ what: String, _ advice: String) -> CheckFinding {
        CheckFinding(.warn, area, what, advice: advice)
    }
    static func fail(_ area: String, _ what: String, _ advice: String) -> CheckFinding {
        CheckFinding(.fail, area, what, advice: advice)
    }
}
