import Foundation

package struct Failure: Error, CustomStringConvertible {
    package let description: String
    package init(_ description: String) { self.description = description }
}

/// Progress, for people.
package func say(_ text: String) {
    let name = CommandLine.arguments.first.map { URL(fileURLWithPath: $0).lastPathComponent } ?? "bench"
    FileHandle.standardError.write(Data("\(name): \(text)\n".utf8))
}

/// A result: a `key value` line on standard output.
package func report(_ key: String, _ value: Double, digits: Int) {
    print(key, String(format: "%.\(digits)f", value))
}

package func median(_ values: [Double]) -> Double {
    guard !values.isEmpty else { return .nan }
    let sorted = values.sorted()
    let middle = sorted.count / 2
    return sorted.count.isMultiple(of: 2) ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle]
}
