/// How a piece of text looks (ECMA-48 SGR codes).
public enum TextStyle: String, Sendable, CaseIterable {
    case bold = "1"
    case dim = "2"
    case red = "31"
    case green = "32"
    case yellow = "33"
    case blue = "34"
    case cyan = "36"
}

/// Applies styles, or leaves them out where they would be noise.
public struct TerminalStyle: Sendable {
    /// Whether escape sequences are written.
    public let isEnabled: Bool

    public init(isEnabled: Bool) {
        self.isEnabled = isEnabled
    }

    /// Styles on a terminal, unless `NO_COLOR` (no-color.org) or `TERM=dumb` says otherwise.
    public init(for terminal: Terminal) {
        let isRefused = Terminal.environment("NO_COLOR").map { !$0.isEmpty } ?? false
        isEnabled = terminal.isTTY && !isRefused && Terminal.environment("TERM") != "dumb"
    }

    /// `text` in these styles.
    public func callAsFunction(_ text: String, _ styles: TextStyle...) -> String { apply(styles, to: text) }

    /// `text` in these styles.
    public func apply(_ styles: [TextStyle], to text: String) -> String {
        guard isEnabled, !styles.isEmpty, !text.isEmpty else { return text }
        return "\u{1B}[\(styles.map(\.rawValue).joined(separator: ";"))m\(text)\u{1B}[0m"
    }
}
