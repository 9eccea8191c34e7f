import Foundation
import NIOCore
import NIOHTTP1
import Testing

@testable import MailServer

@Suite struct FileDownloadTests {
    @Test func aFileComesWhole() async throws {
        try await TransferServer.run { server async throws in
            server.gateway.offer(MemorySource(size: 300_001))
            let answer = try await server.get()
            #expect(answer.status == 200 && answer.isWhole)
            #expect(answer.body == MemorySource.octets(0..<300_001))
            let tag = "\"" + String(repeating: "e1", count: 32) + "\""
            let expected = [
                "Content-Length": "300001", "ETag": tag, "Accept-Ranges": "bytes", "Content-Type": "application/octet-stream",
                "Content-Disposition": "attachment", "X-Content-Type-Options": "nosniff",
            ]
            for (name, value) in expected { #expect(answer.headers.first(name: name) == value, "\(name)") }
            #expect(answer.headers.first(name: "Content-Encoding") == nil)
        }
    }

    @Test(
        arguments: [
            ("bytes=0-0", 206, "bytes 0-0/1000"), ("bytes=10-", 206, "bytes 10-999/1000"), ("bytes=10-5000", 206, "bytes 10-999/1000"),
            ("bytes=-1", 206, "bytes 999-999/1000"), ("bytes=-5000", 206, "bytes 0-999/1000"), ("Bytes=999-", 206, "bytes 999-999/1000"),
            ("bytes=1000-", 416, "bytes */1000"), ("bytes=-0", 416, "bytes */1000"),
            // Ignored: more than one, malformed, another unit.
            ("bytes=0-1,5-6", 200, nil), ("bytes=5-4", 200, nil), ("bytes=a-b", 200, nil), ("bytes=", 200, nil), ("bytes=-", 200, nil),
            ("lines=0-1", 200, nil), ("bytes=0-1 ", 200, nil), ("bytes=+1-2", 200, nil), ("bytes=9999999999999999999-", 200, nil),
        ] as [(String, Int, String?)])
    func rangesAreHonoured(range: String, status: Int, content: String?) async throws {
        try await TransferServer.run { server async throws in
            server.gateway.offer(MemorySource(size: 1000))
            let answer = try await server.get([("Range", range.trimmingCharacters(in: .whitespaces) == range ? range : "bytes=0-1,2")])
            #expect(answer.status == status)
            #expect(answer.headers.first(name: "Content-Range") == content)
            if status == 200 { #expect(answer.body == MemorySource.octets(0..<1000)) }
            guard status == 206, let words = content?.split(whereSeparator: { " -/".contains($0) }), words.count == 4,
                let first = UInt64(words[1]), let last = UInt64(words[2])
            else { return }
            #expect(answer.body == MemorySource.octets(first..<(last + 1)))
        }
    }

    @Test func ifRangeAsksForTheSameFile() async throws {
        try await TransferServer.run { server async throws in
            server.gateway.offer(MemorySource(size: 1000))
            let tag = "\"" + String(repeating: "e8", count: 32) + "\""
            #expect(try await server.get([("Range", "bytes=1-2"), ("If-Range", tag)]).status == 206)
            for other in ["\"00\"", "W/" + tag, "Wed, 21 Oct 2015 07:28:00 GMT"] {
                let answer = try await server.get([("Range", "bytes=1-2"), ("If-Range", other)])
                #expect(answer.status == 200 && answer.body.count == 1000)
            }
        }
    }

    @Test func headTellsTheSizeAndIgnoresRanges() async throws {
        try await TransferServer.run { server async throws in
            server.gateway.offer(MemorySource(size: 1 << 40))
            let answer = try await server.get([("Range", "bytes=1-2")], method: .HEAD)
            #expect(answer.status == 200 && answer.body.isEmpty && answer.isWhole)
            #expect(answer.headers.first(name: "Content-Length") == String(1 << 40))
        }
    }

    @Test func anEmptyFileIsWholeOrNothing() async throws {
        try await TransferServer.run { server async throws in
            server.gateway.offer(MemorySource(size: 0))
            #expect(try await server.get().status == 200)
            #expect(try await server.get([("Range", "bytes=0-")]).status == 416)
        }
    }

    @Test func everythingWrongHasOneAnswer() async throws {
        try await TransferServer.run { server async throws in
            server.gateway.offer(MemorySource(size: 10))
            let right = FileTransfers.filesPath + server.gateway.guid
            var other = server.headers()
            other.replaceOrAdd(name: "Authorization", value: "WSEmail-Ticket " + String(repeating: "A", count: 43))
            var answers: [TransferClient.Answer] = []
            answers.append(try await server.ask(.GET, right, other))
            answers.append(try await server.ask(.GET, right, HTTPHeaders([("Host", "x")])))
            for value in [
                "Basic QTpC", "WSEmail-Ticket", "WSEmail-Ticket !!!!!!!!!!!!!!!!!!!!!!",
                "WSEmail-Ticket \(String(repeating: "A", count: 200))",
            ] {
                other.replaceOrAdd(name: "Authorization", value: value)
                answers.append(try await server.ask(.GET, right, other))
            }
            for name in [
                "0F" + server.gateway.guid.dropFirst(2), "1" + server.gateway.guid.dropFirst(1), "", "../x", server.gateway.guid + "/",
            ] {
                answers.append(try await server.ask(.GET, FileTransfers.filesPath + name, server.headers()))
            }
            #expect(answers.allSatisfy { $0.status == 404 && $0.body == answers[0].body })
            #expect(Set(answers.map { $0.headers.filter { $0.name != "Date" }.map { "\($0)" }.sorted() }).count == 1)
            #expect(try await server.ask(.POST, right, server.headers(), body: [1]).status == 405)
        }
    }

    @Test func aDownloadGoesOnAfterAFailure() async throws {
        try await TransferServer.run { server async throws in
            server.gateway.offer(MemorySource(size: 500_000, failsAt: 200_000))
            let first = try await server.get()
            #expect(first.status == 200 && !first.isWhole)
            #expect(first.body == MemorySource.octets(0..<UInt64(first.body.count)))
            server.gateway.offer(MemorySource(size: 500_000))
            let rest = try await server.get([
                ("Range", "bytes=\(first.body.count)-"), ("If-Range", first.headers.first(name: "ETag") ?? ""),
            ])
            #expect(rest.status == 206)
            #expect(first.body + rest.body == MemorySource.octets(0..<500_000))
        }
    }

    /// Neither memory nor time without end: what is read stops at what the connection takes, and then the connection ends.
    @Test(.timeLimit(.minutes(1))) func aReaderThatStopsIsNotReadAheadFor() async throws {
        try await TransferServer.run(idleLimit: .milliseconds(300)) { server async throws in
            let source = MemorySource(size: 1 << 33)
            server.gateway.offer(source)
            let client = try await TransferClient.connect(server.port, reads: false)
            try await client.send(.GET, FileTransfers.filesPath + server.gateway.guid, server.headers(), ends: true)
            var ends = source.ends.makeAsyncIterator()
            _ = await ends.next()
            #expect(source.octetsRead > 0)
            try? await client.close()
            // Ahead of what was taken: two pieces, and what the kernel buffers.
            let taken = UInt64(try await client.answer().body.count)
            #expect(source.octetsRead < taken + (32 << 20))
        }
    }

    @Test func transfersAreLimited() async throws {
        try await TransferServer.run({ $0.maxTransfers = 0 }) { server async throws in
            server.gateway.offer(MemorySource(size: 10))
            let answer = try await server.get()
            #expect(answer.status == 503 && answer.headers.first(name: "Retry-After") != nil)
        }
        try await TransferServer.run({ $0.maxTransfers = 1 }) { server async throws in
            server.gateway.offer(MemorySource(size: 10))
            for _ in 0..<3 { #expect(try await server.get().status == 200) }
        }
        try await TransferServer.run({ $0.maxTransfersOfHolder = 0 }) { server async throws in
            server.gateway.offer(MemorySource(size: 10))
            #expect(try await server.get().status == 503)
        }
    }

    @Test(.timeLimit(.minutes(1))) func aTransferDoesNotHoldUpAShutdown() async throws {
        let client = try await TransferServer.run({ $0.shutdownGrace = .milliseconds(100) }) { server async throws in
            let source = MemorySource(size: 1 << 33)
            server.gateway.offer(source)
            let client = try await TransferClient.connect(server.port, reads: false)
            try await client.send(.GET, FileTransfers.filesPath + server.gateway.guid, server.headers(), ends: true)
            var reads = source.reads.makeAsyncIterator()
            _ = await reads.next()
            return client
        }
        try? await client.close()
    }
}

@Suite struct FileUploadTests {
    private let octets = MemorySource.octets(0..<300_000)

    @Test func anUploadMayComeAtOnceOrInPieces() async throws {
        let octets = octets
        try await TransferServer.run { server async throws in
            server.gateway.put("a", .init(size: 300_000, expected: octets))
            let answer = try await server.patch("a", at: 0, octets)
            #expect(answer.status == 201 && answer.headers.first(name: "Upload-Offset") == "300000")
            server.gateway.put("b", .init(size: 300_000, expected: octets))
            for start in stride(from: 0, to: 300_000, by: 100_000) {
                let answer = try await server.patch("b", at: start, Array(octets[start..<(start + 100_000)]))
                #expect(answer.status == (start == 200_000 ? 201 : 204))
                #expect(answer.headers.first(name: "Upload-Offset") == "\(start + 100_000)")
            }
            server.gateway.put("c", .init(size: 300_000, expected: octets))
            #expect(try await server.patch("c", at: 0, octets, [("Transfer-Encoding", "chunked")]).status == 201)
        }
    }

    @Test func anUploadGoesOnWhereItsConnectionBroke() async throws {
        let octets = octets
        try await TransferServer.run { server async throws in
            server.gateway.put("a", .init(size: 300_000, expected: octets))
            for framing in [("Content-Length", "300000"), ("Transfer-Encoding", "chunked")] {
                let start = server.gateway.upload("a")?.octets.count ?? 0
                let client = try await TransferClient.connect(server.port)
                let headers = server.headers([
                    ("Upload-Offset", "\(start)"), framing.0 == "Content-Length" ? (framing.0, "\(300_000 - start)") : framing,
                ])
                try await client.send(
                    .PATCH, FileTransfers.uploadsPath + "a", headers, body: Array(octets[start..<(start + 100_000)]), ends: false)
                try? await client.close()
                var ends = server.gateway.ends.makeAsyncIterator()
                _ = await ends.next()
                #expect(server.gateway.upload("a")?.isBusy == false)
            }
            let head = try await server.ask(.HEAD, FileTransfers.uploadsPath + "a", server.headers())
            #expect(head.status == 200 && head.headers.first(name: "Upload-Length") == "300000")
            let offset = try #require(head.headers.first(name: "Upload-Offset").flatMap { Int($0) })
            #expect(offset == 200_000)
            #expect(try await server.patch("a", at: offset, Array(octets[offset...])).status == 201)
        }
    }

    @Test func wrongOffsetsAreToldTheRightOne() async throws {
        try await TransferServer.run { server async throws in
            server.gateway.put("a", .init(size: 100, octets: [1, 2, 3]))
            for offset in [0, 2, 4, 1_000_000] {
                let answer = try await server.patch("a", at: offset, [9])
                #expect(answer.status == 409 && answer.headers.first(name: "Upload-Offset") == "3")
            }
            #expect(server.gateway.upload("a")?.octets == [1, 2, 3])
            for text in ["", "-1", "x", "1e3", "99999999999999999999"] {
                let headers = server.headers([("Upload-Offset", text)])
                #expect(try await server.ask(.PATCH, FileTransfers.uploadsPath + "a", headers, body: [1]).status == 400)
            }
            server.gateway.put("b", .init(size: 100, octets: [1, 2, 3], isBusy: true))
            let busy = try await server.patch("b", at: 3, [9])
            #expect(busy.status == 409 && busy.headers.first(name: "Upload-Offset") == "3")
        }
    }

    @Test func moreThanWasAnnouncedIsRefused() async throws {
        let octets = octets
        try await TransferServer.run { server async throws in
            server.gateway.put("a", .init(size: 100_000))
            // Known from the Content-Length: nothing is taken.
            #expect(try await server.patch("a", at: 0, octets).status == 413)
            #expect(server.gateway.upload("a")?.octets.isEmpty == true)
            #expect(try await server.patch("a", at: 0, octets, [("Transfer-Encoding", "chunked")]).status == 413)
            #expect(server.gateway.upload("a")?.octets.count == 100_000)
            #expect(server.gateway.upload("a")?.isBusy == false)
        }
    }

    @Test func otherOctetsThanWereAnnouncedAreRefused() async throws {
        try await TransferServer.run { server async throws in
            server.gateway.put("a", .init(size: 3, expected: [1, 2, 3]))
            #expect(try await server.patch("a", at: 0, [1, 2, 4]).status == 422)
        }
    }

    @Test func everythingWrongHasOneAnswer() async throws {
        try await TransferServer.run { server async throws in
            server.gateway.put("a", .init(size: 3))
            var other = server.headers([("Upload-Offset", "0")])
            let right = other
            other.replaceOrAdd(name: "Authorization", value: "WSEmail-Ticket " + String(repeating: "A", count: 43))
            for method in [HTTPMethod.PATCH, .HEAD] {
                let path = FileTransfers.uploadsPath
                let body: [UInt8] = method == .PATCH ? [1] : []
                #expect(try await server.ask(method, path + "a", other, body: body).status == 404)
                #expect(try await server.ask(method, path + "b", right, body: body).status == 404)
                #expect(try await server.ask(method, path + "a%2F..", right, body: body).status == 404)
                #expect(try await server.ask(method, path + String(repeating: "a", count: 65), right, body: body).status == 404)
            }
            #expect(try await server.ask(.GET, FileTransfers.uploadsPath + "a", right).status == 405)
            #expect(try await server.patch("a", at: 0, [1], [("Content-Encoding", "gzip")]).status == 415)
            #expect(server.gateway.upload("a")?.octets.isEmpty == true)
        }
    }

    /// A refused body is not read to its end.
    @Test(.timeLimit(.minutes(1))) func aRefusalEndsItsConnection() async throws {
        try await TransferServer.run { server async throws in
            let client = try await TransferClient.connect(server.port)
            let headers = server.headers([("Upload-Offset", "0"), ("Content-Length", "1000000000")])
            try await client.send(.PATCH, FileTransfers.uploadsPath + "a", headers, body: [1, 2, 3], ends: false)
            let answer = try await client.answer()
            #expect(answer.status == 404 && answer.headers.first(name: "Connection") == "close")
            try await client.channel.closeFuture.get()
        }
    }

    @Test(.timeLimit(.minutes(1))) func aSenderThatStopsIsCutOffAndItsOctetsKept() async throws {
        try await TransferServer.run(idleLimit: .milliseconds(300)) { server async throws in
            server.gateway.put("a", .init(size: 1000))
            let client = try await TransferClient.connect(server.port)
            let headers = server.headers([("Upload-Offset", "0"), ("Content-Length", "1000")])
            try await client.send(.PATCH, FileTransfers.uploadsPath + "a", headers, body: [1, 2, 3], ends: false)
            try await client.channel.closeFuture.get()
            var ends = server.gateway.ends.makeAsyncIterator()
            #expect(await ends.next() == 3)
            #expect(server.gateway.upload("a")?.octets == [1, 2, 3])
        }
    }
}
