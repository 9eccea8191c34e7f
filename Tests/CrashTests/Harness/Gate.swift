import Foundation
import TestSupport

@testable import MailServer

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A program for the bridge that keeps each event until the test lets it go.
final class Gate: Sendable {
    let program: String
    private let folder: String
    private let descriptor: Int32

    /// - Parameter folder: where its files go; removed with the test's own.
    init(in folder: String) throws {
        self.folder = folder
        program = folder + "/gate.sh"
        guard mkfifo(folder + "/gate", 0o600) == 0 else { throw ProcessFailure(description: "no pipe in \(folder)") }
        // Both ends: the program's reads wait for what is written, not for somebody who writes.
        descriptor = open(folder + "/gate", O_RDWR | O_NONBLOCK | O_CLOEXEC)
        let text = """
            #!/bin/sh
            # An event: its length in 4 octets, then so many. The answer "proceed" is empty.
            while count=$(dd bs=1 count=4 2>/dev/null | od -An -tu4 | tr -d ' ') && [ -n "$count" ]; do
                dd bs=1 count="$count" of=/dev/null 2>/dev/null
                echo event >>"\(folder)/began"
                [ -e "\(folder)/open" ] || read -r line <"\(folder)/gate"
                printf '\\0\\0\\0\\0'
            done
            """
        try text.write(toFile: program, atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: program)
    }

    deinit { Self.end(descriptor) }

    private static func end(_ descriptor: Int32) { _ = close(descriptor) }

    /// Events that came to it so far.
    var begun: Int { (try? String(contentsOfFile: folder + "/began", encoding: .utf8).split(separator: "\n").count) ?? 0 }

    /// Lets everything go that waits and that comes.
    func release() throws {
        try Data().write(to: URL(fileURLWithPath: folder + "/open"))
        let lines = [UInt8](repeating: UInt8(ascii: "\n"), count: 200)
        guard write(descriptor, lines, lines.count) == lines.count else { throw ProcessFailure(description: "the gate's pipe is full") }
    }

    /// Keeps what comes from now on.
    func shut() throws {
        try FileManager.default.removeItem(atPath: folder + "/open")
        var rest = [UInt8](repeating: 0, count: 1_000)
        while read(descriptor, &rest, rest.count) > 0 {}
    }
}
