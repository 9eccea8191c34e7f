import Foundation

/// A test needs a program that is not there, or it failed.
public struct ToolError: Error, CustomStringConvertible {
    public let description: String
}

/// Other people's programs as judges. A missing one fails the test, and says how to get it.
public enum Tools {
    /// The folder `Tests/Interop`.
    public static let interop = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Interop")

    /// Runs a program found on PATH.
    ///
    /// - Returns: its exit status and what it wrote, error output after the rest.
    public static func run(
        _ program: String, _ arguments: [String], input: Data = Data(), package: String
    ) throws -> (status: Int32, output: Data, errors: String) {
        let folder = try TemporaryFolder()
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = [program] + arguments
        // Files, not pipes: nothing can block.
        process.standardInput = try FileHandle(forReadingFrom: folder.write("in", input))
        let output = try folder.write("out", Data())
        let errors = try folder.write("err", Data())
        process.standardOutput = try FileHandle(forWritingTo: output)
        process.standardError = try FileHandle(forWritingTo: errors)
        try process.run()
        process.waitUntilExit()
        let errorText = String(decoding: try Data(contentsOf: errors), as: UTF8.self)
        guard process.terminationStatus != 127 else {
            throw ToolError(description: "\(program) is missing: install \(package), or run scripts/test")
        }
        return (process.terminationStatus, try Data(contentsOf: output), errorText)
    }

    /// Has `Tests/Interop/xml_judge.py` do all `jobs` in one process; the answers come in their order.
    public static func judge(_ jobs: [JudgeJob]) throws -> [JudgeAnswer] {
        let python = ProcessInfo.processInfo.environment["WSEMAIL_PYTHON"] ?? "python3"
        let result = try run(
            python, [interop.appending(path: "xml_judge.py").path], input: try JSONEncoder().encode(jobs),
            package: "python3 and, by pip, Tests/Interop/requirements.txt")
        guard result.status == 0 else {
            throw ToolError(
                description: "xml_judge.py failed (pip install -r Tests/Interop/requirements.txt?): \(result.errors)")
        }
        return try JSONDecoder().decode([JudgeAnswer].self, from: result.output)
    }
}

/// One question to `xml_judge.py`.
public struct JudgeJob: Codable, Sendable {
    /// `c14n`, `sign` or `verify`
    public var op: String
    public var xml: Data
    /// c14n: the apex, in document order.
    public var apex = 0
    /// c14n: the element left out, in document order; -1 for none.
    public var excluded = -1
    public var prefixes: [String] = []
    /// sign, verify: the private key in PKCS #8 PEM, or the secret in base64.
    public var key = ""
    /// sign, verify: the URI of the algorithm.
    public var algorithm = ""
    public var digest = ""
    /// sign: the ids to refer to; none for an enveloped signature.
    public var ids: [String] = []

    public init(op: String, xml: [UInt8]) {
        self.op = op
        self.xml = Data(xml)
    }
}

/// What `xml_judge.py` says: octets, or an error.
public struct JudgeAnswer: Codable, Sendable {
    public var octets: Data?
    public var error: String?
}

/// A folder that is gone when its owner is.
public final class TemporaryFolder {
    public let url: URL

    public init() throws {
        url = FileManager.default.temporaryDirectory.appending(path: "wsemail-test-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: url) }

    @discardableResult
    public func write(_ name: String, _ data: Data) throws -> URL {
        let file = url.appending(path: name)
        try data.write(to: file)
        return file
    }
}
