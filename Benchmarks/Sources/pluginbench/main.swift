// What plug-ins cost. `scripts/bench plugins` runs it; "key value" lines on standard output.
//
//   pluginbench core none|empty COUNT                  the work of COUNT submissions without any pipeline, or with an empty one:
//                                                      run under callgrind, their instructions are compared
//   pluginbench calls COUNT ENGINE MANIFEST FOLDER     CPU of COUNT submissions and deliveries through one plug-in that does nothing
import Foundation

let arguments = CommandLine.arguments.dropFirst()
switch (arguments.first, arguments.count) {
case ("core", 3):
    guard let mode = SubmissionWork.Mode(rawValue: Array(arguments)[1]), let count = Int(Array(arguments)[2]) else { fallthrough }
    try await SubmissionWork(mode: mode).run(count)
case ("calls", 5):
    let rest = Array(arguments)
    guard let count = Int(rest[1]) else { fallthrough }
    let report = try await PluginCalls(engine: rest[2], manifest: rest[3], folder: rest[4]).run(count)
    for (key, value) in report { print(key, value) }
default:
    FileHandle.standardError.write(Data("usage: pluginbench core none|empty COUNT, or calls COUNT ENGINE MANIFEST FOLDER\n".utf8))
    exit(64)
}
