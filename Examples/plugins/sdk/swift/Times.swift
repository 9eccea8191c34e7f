enum Time {
    static let day: Int64 = 86_400_000

    /// Milliseconds since 1970 of `2026-11-23` (its first, in UTC) or `2026-11-23T22:00:00Z`; nil if it is neither.
    static func read(_ text: Bytes) -> Int64? {
        guard text.count == 10 || (text.count == 20 && text[10] == 0x54 && text[19] == 0x5A), text[4] == 0x2D, text[7] == 0x2D,
            let year = number(text, 0..<4, 1970...9999), let month = number(text, 5..<7, 1...12),
            let date = number(text, 8..<10, 1...days(in: month, of: year))
        else { return nil }
        var seconds = daysBefore(year, month, date) * 86_400
        if text.count == 20 {
            guard text[13] == 0x3A, text[16] == 0x3A, let hour = number(text, 11..<13, 0...23), let minute = number(text, 14..<16, 0...59),
                let second = number(text, 17..<19, 0...59)
            else { return nil }
            seconds += hour * 3600 + minute * 60 + second
        }
        return seconds * 1000
    }

    /// `2026-11-23T22:00:00Z`
    static func write(_ milliseconds: Int64) -> Bytes {
        let seconds = milliseconds / 1000
        var rest = seconds / 86_400
        var year: Int64 = 1970
        while rest >= (isLeap(year) ? 366 : 365) {
            rest -= isLeap(year) ? 366 : 365
            year += 1
        }
        var month: Int64 = 1
        while rest >= days(in: month, of: year) {
            rest -= days(in: month, of: year)
            month += 1
        }
        return join(
            Bytes(decimal: year), "-", two(month), "-", two(rest + 1), "T", two(seconds / 3600 % 24), ":", two(seconds / 60 % 60), ":",
            two(seconds % 60), "Z")
    }

    private static func two(_ number: Int64) -> Bytes {
        [0x30 + UInt8(truncatingIfNeeded: number / 10), 0x30 + UInt8(truncatingIfNeeded: number % 10)]
    }

    private static func number(_ text: Bytes, _ range: Range<Int>, _ allowed: ClosedRange<Int64>) -> Int64? {
        guard text[range.lowerBound] != 0x2D, let number = Bytes(text[range]).number, allowed.contains(number) else { return nil }
        return number
    }

    private static func isLeap(_ year: Int64) -> Bool { year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) }

    private static func days(in month: Int64, of year: Int64) -> Int64 {
        switch month {
        case 2: isLeap(year) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    private static func daysBefore(_ year: Int64, _ month: Int64, _ date: Int64) -> Int64 {
        let past = year - 1
        var total = (year - 1970) * 365 + (past / 4 - past / 100 + past / 400) - 477
        for earlier in 1..<month { total += days(in: earlier, of: year) }
        return total + date - 1
    }
}
