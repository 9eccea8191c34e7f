/// A `Content-Type` value (RFC 9110 §8.3.1).
public struct MediaType: Sendable, Equatable {
    /// Lower case, `application/soap+xml`.
    public let type: String
    /// Names in lower case; values as sent.
    public let parameters: [String: String]

    /// Longer values are refused.
    public static let maximumLength = 2048
    private static let maximumParameters = 16
    /// Parameters of multipart types that some send without the quotes that their `=`, `/` or `@` asks for.
    private static let bareParameters: Set<String> = ["boundary", "start", "type"]

    /// Nil if the value is malformed, too long, or repeats a parameter.
    public init?(parsing text: String) {
        guard text.utf8.count <= Self.maximumLength else { return nil }
        var scanner = Scanner(bytes: Array(text.utf8)[...])
        scanner.skipSpace()
        guard let major = scanner.token(), scanner.take(UInt8(ascii: "/")), let minor = scanner.token() else { return nil }
        var parameters: [String: String] = [:]
        let isMultipart = major.lowercased() == "multipart"
        scanner.skipSpace()
        while scanner.take(UInt8(ascii: ";")) {
            scanner.skipSpace()
            if scanner.isAtEnd { break }
            guard let name = scanner.token()?.lowercased(), scanner.take(UInt8(ascii: "=")),
                let value = scanner.value(isBare: isMultipart && Self.bareParameters.contains(name)),
                parameters.updateValue(value, forKey: name) == nil,
                parameters.count <= Self.maximumParameters
            else { return nil }
            scanner.skipSpace()
        }
        guard scanner.isAtEnd else { return nil }
        type = (major + "/" + minor).lowercased()
        self.parameters = parameters
    }

    /// The value to send with an envelope (RFC 3902). An action with a quote or control character is left out.
    public static func soap(action: String?) -> String {
        guard let action, action.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != 0x22 && $0 != 0x5C }) else {
            return "application/soap+xml; charset=utf-8"
        }
        return "application/soap+xml; charset=utf-8; action=\"\(action)\""
    }

    public var isSOAP12: Bool { type == "application/soap+xml" }

    /// RFC 3902 §2; nil if absent or empty.
    public var action: String? { parameters["action"].flatMap { $0.isEmpty ? nil : $0 } }

    /// An absent charset counts as UTF-8.
    public var isUTF8: Bool {
        guard let charset = parameters["charset"]?.lowercased() else { return true }
        return charset == "utf-8" || charset == "utf8" || charset == "us-ascii"
    }

    private struct Scanner {
        var bytes: ArraySlice<UInt8>

        var isAtEnd: Bool { bytes.isEmpty }

        mutating func skipSpace() {
            while bytes.first == 0x20 || bytes.first == 0x09 { bytes.removeFirst() }
        }

        mutating func take(_ byte: UInt8) -> Bool {
            guard bytes.first == byte else { return false }
            bytes.removeFirst()
            return true
        }

        mutating func token() -> String? {
            let token = bytes.prefix(while: Self.isTokenByte)
            guard !token.isEmpty else { return nil }
            bytes.removeFirst(token.count)
            return String(decoding: token, as: UTF8.self)
        }

        /// - Parameter isBare: without quotes, everything up to the next semicolon, comma or space is taken.
        mutating func value(isBare: Bool) -> String? {
            guard take(0x22) else { return isBare ? bare() : token() }
            var content: [UInt8] = []
            while let byte = bytes.popFirst() {
                switch byte {
                case 0x22: return String(decoding: content, as: UTF8.self)
                case 0x5C:
                    guard let escaped = bytes.popFirst() else { return nil }
                    content.append(escaped)
                case 0x00...0x08, 0x0A...0x1F, 0x7F: return nil
                default: content.append(byte)
                }
            }
            return nil
        }

        private mutating func bare() -> String? {
            let value = bytes.prefix { $0 > 0x20 && $0 < 0x7F && !";,\"\\".utf8.contains($0) }
            guard !value.isEmpty else { return nil }
            bytes.removeFirst(value.count)
            return String(decoding: value, as: UTF8.self)
        }

        // RFC 9110 §5.6.2.
        static func isTokenByte(_ byte: UInt8) -> Bool {
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
            default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
            }
        }
    }
}
