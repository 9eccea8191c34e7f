import Testing

@testable import SOAP

@Suite struct GZipTests {
    private static func text(_ count: Int) -> [UInt8] {
        Array((0..<count).lazy.map { UInt8(truncatingIfNeeded: ($0 &* 7919) >> 3 & 0x3F) + 32 })
    }

    @Test(arguments: [0, 1, 2, 255, 256, 1000, 4096, 5000, 32_768, 100_000, 1_000_000])
    func comesBackAtEverySize(count: Int) throws {
        let input = Self.text(count)
        for level in [Int32(-3), 0, 1, 6, 9, 40] {
            let packed = try GZip.compress(input, level: level)
            #expect(try GZip.decompress(packed, limit: count) == input)
        }
    }

    @Test func theLimitIsExact() throws {
        let packed = try GZip.compress([UInt8](repeating: 65, count: 1 << 20))
        #expect(packed.count < 4096)
        #expect(try GZip.decompress(packed, limit: 1 << 20).count == 1 << 20)
        let error = #expect(throws: GZipError.self) { try GZip.decompress(packed, limit: (1 << 20) - 1) }
        #expect(error?.code == .limitExceeded)
    }

    @Test func aBombStopsAtTheLimit() throws {
        let packed = try GZip.compress([UInt8](repeating: 0, count: 50_000_000), level: 9)
        let error = #expect(throws: GZipError.self) { try GZip.decompress(packed, limit: 100_000) }
        #expect(error?.code == .limitExceeded)
    }

    @Test func everyTruncationIsRefused() throws {
        let packed = try GZip.compress(Self.text(300))
        for length in 0..<packed.count {
            #expect(throws: GZipError.self) { try GZip.decompress(Array(packed.prefix(length)), limit: 10_000) }
        }
    }

    @Test func garbageIsRefused() throws {
        #expect(throws: GZipError.self) { try GZip.decompress(Array("not gzip at all".utf8), limit: 100) }
        let packed = try GZip.compress(Self.text(300))
        let trailing = #expect(throws: GZipError.self) { try GZip.decompress(packed + [0], limit: 1000) }
        #expect(trailing?.code == .malformed)
        #expect(throws: GZipError.self) { try GZip.decompress(packed + packed, limit: 1000) }
        var damaged = packed
        damaged[damaged.count - 6] ^= 1
        #expect(throws: GZipError.self) { try GZip.decompress(damaged, limit: 1000) }
    }
}
