import Delivery
import TestSupport
import Testing

/// A generator that says what it is told, for draws that can be foreseen.
struct ScriptedGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        // SplitMix64: deterministic, and good enough for frequencies.
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}

@Suite struct SRVRecordTests {
    @Test func readsRecordData() {
        let record = SRVRecord(data: FakeDNSLookup.srv(10, 60, 8443, "Mail.Capicom.TEST"))
        #expect(record == SRVRecord(priority: 10, weight: 60, port: 8443, target: "mail.capicom.test"))
        #expect(SRVRecord(data: FakeDNSLookup.srv(0, 0, 0, ""))?.target == "")
    }

    @Test(
        arguments: [
            [], [0, 1, 0, 1, 0, 1], [0, 1, 0, 1, 0, 1, 3, 97], [0, 1, 0, 1, 0, 1, 1, 97], [0, 1, 0, 1, 0, 1, 0, 0],
            // A compression pointer (RFC 2782 forbids it here), a space, a line end in a label.
            [0, 1, 0, 1, 0, 1, 0xc0, 12], [0, 1, 0, 1, 0, 1, 1, 32, 0], [0, 1, 0, 1, 0, 1, 1, 10, 0],
        ] as [[UInt8]])
    func refusesMalformedData(_ data: [UInt8]) {
        #expect(SRVRecord(data: data) == nil)
    }

    @Test func lowerPriorityComesFirst() {
        let records = [30, 10, 20].map { SRVRecord(priority: $0, weight: 5, port: 1, target: "p\($0)") }
        var generator = ScriptedGenerator(state: 1)
        #expect(SRVOrdering.order(records, using: &generator).map(\.priority) == [10, 20, 30])
    }

    @Test func everyRecordIsKeptExactlyOnce() {
        let records = (0..<20).map { SRVRecord(priority: $0 % 3, weight: $0 % 4, port: $0, target: "t") }
        var generator = ScriptedGenerator(state: 2)
        for _ in 0..<50 {
            let ordered = SRVOrdering.order(records, using: &generator)
            #expect(Set(ordered) == Set(records) && ordered.count == records.count)
        }
    }

    @Test func weightsDecideHowOftenARecordIsFirst() {
        let records = [
            SRVRecord(priority: 0, weight: 60, port: 1, target: "a"),
            SRVRecord(priority: 0, weight: 30, port: 1, target: "b"),
            SRVRecord(priority: 0, weight: 10, port: 1, target: "c"),
            SRVRecord(priority: 0, weight: 0, port: 1, target: "never"),
        ]
        var generator = ScriptedGenerator(state: 3)
        var first: [String: Int] = [:]
        for _ in 0..<10_000 { first[SRVOrdering.order(records, using: &generator)[0].target, default: 0] += 1 }
        #expect((5700...6300).contains(first["a", default: 0]))
        #expect((2700...3300).contains(first["b", default: 0]))
        #expect((800...1200).contains(first["c", default: 0]))
        // RFC 2782: weight 0 has a very small chance, not none.
        #expect((20...250).contains(first["never", default: 0]))
    }

    @Test func allWeightsZeroAreStillServed() {
        let records = ["a", "b"].map { SRVRecord(priority: 0, weight: 0, port: 1, target: $0) }
        var generator = ScriptedGenerator(state: 4)
        #expect(SRVOrdering.order(records, using: &generator).count == 2)
        #expect(SRVOrdering.order([], using: &generator).isEmpty)
    }

    @Test func theSameDrawsGiveTheSameOrder() {
        let records = (1...9).map { SRVRecord(priority: 0, weight: $0, port: $0, target: "t\($0)") }
        var one = ScriptedGenerator(state: 5)
        var two = ScriptedGenerator(state: 5)
        #expect(SRVOrdering.order(records, using: &one) == SRVOrdering.order(records, using: &two))
    }
}
