import Foundation

/// Records a process with perf while a phase runs.
struct Recorder {
    let folder: String
    let process: pid_t

    func record<T>(_ phase: String, _ body: () async throws -> T) async throws -> T {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let perf = Process()
        perf.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        perf.arguments = [
            "perf", "record", "--quiet", "-F", "1999", "--call-graph", "fp", "-e", "cpu-clock", "-p", "\(process)", "-o",
            "\(folder)/\(phase).data",
        ]
        perf.standardError = FileHandle.nullDevice
        try perf.run()
        try await Task.sleep(for: .milliseconds(500))
        let result = try await body()
        kill(perf.processIdentifier, SIGINT)
        perf.waitUntilExit()
        return result
    }
}
