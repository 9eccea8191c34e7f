import Foundation

/// Advances the engine's epoch about every 10 ms while calls run, so that code without end meets its deadline. After half a
/// second without calls its thread sleeps until the next one; until then calls need not wake it.
///
/// `@unchecked Sendable`: everything that changes is guarded by `condition`.
final class EpochTicker: @unchecked Sendable {
    private let condition = NSCondition()
    private let interval: useconds_t
    private let idleTicks: Int
    private let tick: @Sendable () -> Void
    private var active = 0
    private var idle = 0
    private var isAsleep = false
    private var isStopped = false
    private var hasThread = false

    /// - Parameters:
    ///   - interval: in microseconds.
    ///   - idleTicks: how many ticks without calls it takes to rest.
    init(interval: useconds_t = 10_000, idleTicks: Int = 50, _ tick: @escaping @Sendable () -> Void) {
        self.interval = interval
        self.idleTicks = idleTicks
        self.tick = tick
    }

    /// Calls that run now.
    var calls: Int { condition.withLock { active } }
    /// Whether no tick happens; for tests.
    var isResting: Bool { condition.withLock { !hasThread || isAsleep } }

    /// A call begins. Answers false after ``stop()``.
    func begin() -> Bool {
        condition.lock()
        defer { condition.unlock() }
        guard !isStopped else { return false }
        active += 1
        if !hasThread {
            hasThread = true
            let thread = Thread { [self] in run() }
            thread.name = "plugin epochs"
            thread.stackSize = 512 << 10
            thread.start()
        } else if isAsleep {
            condition.broadcast()
        }
        return true
    }

    /// A call has ended.
    func end() {
        condition.withLock { active -= 1 }
    }

    /// Ends the thread and waits for it: the engine may be deleted afterwards.
    func stop() {
        condition.lock()
        isStopped = true
        condition.broadcast()
        while hasThread { condition.wait() }
        condition.unlock()
    }

    private func run() {
        while advance() {
            usleep(interval)
            tick()
        }
    }

    /// Answers false when the thread is to end.
    private func advance() -> Bool {
        condition.lock()
        defer { condition.unlock() }
        idle = active == 0 ? idle + 1 : 0
        while idle > idleTicks && active == 0 && !isStopped {
            isAsleep = true
            condition.wait()
            isAsleep = false
        }
        if isStopped {
            hasThread = false
            condition.broadcast()
        }
        return !isStopped
    }
}
