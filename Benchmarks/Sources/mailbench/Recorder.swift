import BenchSupport
import Foundation

/// Records a process with perf while a phase runs.
struct Recorder {
    let folder: String
    let process: pid_t

    func start(_ phase: String) async throws -> ChildProcess {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let arguments = [
            "record", "--quiet", "-F", "1999", "--call-graph", "fp", "-e", "cpu-clock", "-p", "\(process)", "-o",
            "\(folder)/\(phase).data",
        ]
        let perf = try ChildProcess("perf", arguments, folder: folder, name: phase)
        // Until it is attached.
        try await Task.sleep(for: .milliseconds(500))
        return perf
    }
}
