import Testing

@testable import Console

@Suite struct TransferMeterTests {
    @Test func aLineTellsShareRateAndTimeLeft() {
        var meter = TransferMeter()
        meter.note(0, at: 0)
        meter.note(50 << 20, at: 1)
        #expect(meter.line("a.bin", 50 << 20, of: 200 << 20) == "a.bin [=====>              ]  25%  50.0 MB of 200 MB  50.0 MB/s, 3 s left")
        meter.note(200 << 20, at: 4)
        #expect(meter.line("a.bin", 200 << 20, of: 200 << 20) == "a.bin [====================] 100%  200 MB of 200 MB  50.0 MB/s")
    }

    @Test func whatWasThereBeforeIsNoSpeed() {
        var meter = TransferMeter()
        meter.note(900 << 20, at: 0)
        #expect(meter.rate == nil)
        meter.note(901 << 20, at: 1)
        #expect(meter.rate == Double(1 << 20))
        // A new attempt begins further back.
        meter.note(100, at: 2)
        #expect(meter.rate == nil)
    }

    @Test func aNarrowWindowCutsTheBarAndThenTheName() {
        var meter = TransferMeter()
        meter.note(0, at: 0)
        meter.note(50 << 20, at: 1)
        let name = "a-long-name-of-a-film.mp4"
        let line = meter.line(name, 50 << 20, of: 200 << 20, width: 79)
        #expect(line.count <= 79)
        #expect(line.hasSuffix("50.0 MB/s, 3 s left") && line.contains(name))
        let narrow = meter.line(name, 50 << 20, of: 200 << 20, width: 60)
        #expect(narrow.hasSuffix("3 s left") && narrow.count <= 60 && !narrow.contains("["))
    }

    @Test func namesAreCleanedAndCut() {
        let line = TransferMeter().line("evil\u{1B}[2J" + String(repeating: "x", count: 100), 0, of: 0)
        #expect(!line.contains("\u{1B}") && line.contains("…") && line.contains("100%"))
    }
}
