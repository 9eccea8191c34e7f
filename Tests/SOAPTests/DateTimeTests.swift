import FoundationEssentials
import Testing

@testable import SOAP

@Suite struct DateTimeTests {
    @Test(arguments: [
        ("1970-01-01T00:00:00Z", 0.0), ("2026-11-23T19:25:38Z", 1_795_461_938), ("2026-11-23T19:25:38.000Z", 1_795_461_938),
        ("2026-11-23T19:25:38+00:00", 1_795_461_938), ("2026-11-23T21:25:38.5+02:00", 1_795_461_938.5),
        (" 2026-11-23T14:25:38-05:00\n", 1_795_461_938), ("2000-02-29T12:00:00Z", 951_825_600),
        ("1969-12-31T23:59:59Z", -1),
    ])
    func parsesWhatStacksSend(text: String, seconds: Double) throws {
        let date = try #require(DateTime.parse(text))
        #expect(abs(date.timeIntervalSince1970 - seconds) < 0.000_001)
    }

    @Test(arguments: [
        "", "now", "2026-11-23", "2026-11-23T19:25:38", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z",
        "2026-11-23T24:00:00Z", "2026-11-23T19:60:00Z", "2026-11-23T19:25:60Z", "2026-11-23T19:25:38.Z",
        "2026-11-23T19:25:38Zx", "2026-11-23T19:25:38+0200", "2026-11-23T19:25:38+15:00", "-2026-11-23T19:25:38Z",
        "2026-11-23T19:25:38.1234567890123Z", "0000-01-01T00:00:00Z", "２026-11-23T19:25:38Z",
    ])
    func refusesAnythingElse(text: String) {
        #expect(DateTime.parse(text) == nil)
    }

    @Test func writesUTC() {
        let date = Date(timeIntervalSince1970: 1_795_461_938.12)
        #expect(DateTime.format(date) == "2026-11-23T19:25:38.120Z")
        #expect(DateTime.format(date, milliseconds: false) == "2026-11-23T19:25:38Z")
        #expect(DateTime.format(Date(timeIntervalSince1970: -0.5)) == "1969-12-31T23:59:59.500Z")
    }

    @Test func everyDayOfFourCenturiesComesBack() throws {
        for day in stride(from: -74_000, through: 74_000, by: 1) {
            let date = Date(timeIntervalSince1970: Double(day) * 86_400 + 3661)
            #expect(DateTime.parse(DateTime.format(date)) == date)
        }
    }
}
