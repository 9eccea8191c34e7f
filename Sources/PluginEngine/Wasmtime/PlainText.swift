/// Text of a plug-in's making, fit for a line of a log.
enum PlainText {
    /// Lossy UTF-8, at most `limit` Unicode scalars. Control and format characters (line ends, terminal sequences, writing
    /// direction) are replaced, so that no plug-in can forge lines or hide text.
    static func line(_ octets: some Collection<UInt8>, limit: Int) -> String {
        // Four octets a scalar at most: what is cut off here would be cut off below.
        line(String(decoding: octets.prefix(4 * limit), as: UTF8.self), limit: limit)
    }

    static func line(_ text: some StringProtocol, limit: Int) -> String {
        var result = String.UnicodeScalarView()
        for scalar in text.unicodeScalars.prefix(limit) {
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .unassigned: result.append("\u{FFFD}")
            default: result.append(scalar)
            }
        }
        return String(result)
    }
}
