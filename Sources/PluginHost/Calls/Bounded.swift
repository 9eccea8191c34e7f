import PluginAPI

/// Waits for code of a plug-in no longer than a while.
enum Bounded {
    /// Returns nil when the body has not ended in time; it is cancelled then, and left to itself.
    static func run<T: Sendable>(_ seconds: Double, _ body: @escaping @Sendable () async -> T) async -> T? {
        let outcome = OneShot<T?>()
        // Unavoidable: code that does not heed cancellation cannot be killed, and a child task could not be left behind.
        let task = Task { outcome.resolve(await body()) }
        let alarm = Alarm.set(.now + .seconds(seconds)) {
            if outcome.resolve(nil) { task.cancel() }
        }
        defer { alarm.cancel() }
        return await outcome.value()
    }
}
