import Synchronization

/// One line on the error stream that tells how far a long work is, rewritten in place; silent without a terminal.
public final class ProgressLine: Sendable {
    private struct State {
        var isShown = false
        var last: ContinuousClock.Instant?
    }

    private let isActive: Bool
    private let style: TerminalStyle
    private let state = Mutex(State())

    /// - Parameter isEnabled: false keeps it silent, whatever the terminal (`--json`, `--quiet`).
    public init(isEnabled: Bool = true) {
        isActive = isEnabled && Terminal.error.isTTY
        style = TerminalStyle(for: .error)
    }

    /// Shows `text`, at most ten times a second.
    public func update(_ text: String) {
        guard isActive else { return }
        let shown = PrintableText.truncate(PrintableText.clean(text), to: (Terminal.error.width ?? 80) - 1)
        state.withLock { state in
            let now = ContinuousClock.now
            if let last = state.last, now - last < .milliseconds(100) { return }
            state.last = now
            state.isShown = true
            Terminal.error.write("\r\u{1B}[K" + style(shown, .dim))
        }
    }

    /// Shows a share of a known total.
    public func update(_ text: String, done: Int, of total: Int) {
        update(total > 0 ? "\(text) \(done) of \(total) (\(done * 100 / total)%)" : text)
    }

    /// Removes the line, so that other text can follow.
    public func finish() {
        state.withLock { state in
            if state.isShown { Terminal.error.write("\r\u{1B}[K") }
            state = State()
        }
    }
}
