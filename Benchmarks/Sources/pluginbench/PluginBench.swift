// What plug-ins cost. `scripts/bench plugins` runs it; "key value" lines on standard output.
//
//   pluginbench core none|empty COUNT                  the work of COUNT submissions without any pipeline, or with an empty one:
//                                                      run under callgrind, their instructions are compared
//   pluginbench calls COUNT ENGINE MANIFEST FOLDER     CPU of COUNT submissions and deliveries through one plug-in that does nothing
import Dispatch
import Foundation

/// Synchronous: callgrind 3.19 dies of an asynchronous main program, whose first thread ends while others go on.
@main
enum PluginBench {
    static func main() throws {
        let arguments = Array(CommandLine.arguments.dropFirst())
        if arguments.count == 3, arguments[0] == "core", let mode = SubmissionWork.Mode(rawValue: arguments[1]),
            let count = Int(arguments[2])
        {
            return try SubmissionWork(mode: mode).run(count)
        }
        guard arguments.count == 5, arguments[0] == "calls", let count = Int(arguments[1]) else {
            FileHandle.standardError.write(
                Data("usage: pluginbench core none|empty COUNT, or calls COUNT ENGINE MANIFEST FOLDER\n".utf8))
            exit(64)
        }
        let calls = PluginCalls(engine: arguments[2], manifest: arguments[3], folder: arguments[4])
        Task {
            do {
                for (key, value) in try await calls.run(count) { print(key, value) }
                exit(0)
            } catch {
                FileHandle.standardError.write(Data("pluginbench: \(error)\n".utf8))
                exit(1)
            }
        }
        dispatchMain()
    }
}
