import Foundation

/// The CPU time of another process, all threads, user and system: utime + stime of /proc/PID/stat, but in nanoseconds instead
/// of ticks of 10 ms.
package struct ServerCPU {
    private let clock: clockid_t

    package init(process: pid_t) throws {
        var clock = clockid_t()
        guard clock_getcpuclockid(process, &clock) == 0 else { throw Failure("no CPU clock of process \(process)") }
        self.clock = clock
    }

    /// Milliseconds so far.
    package func milliseconds() throws -> Double {
        var time = timespec()
        guard clock_gettime(clock, &time) == 0 else { throw Failure("the server has ended") }
        return Double(time.tv_sec) * 1_000 + Double(time.tv_nsec) / 1_000_000
    }
}
