/// What the network and DNS layers report, in words for people.
public enum ConnectionWords {
    /// Codes of the layers below that may stand in front of a reason ("connectFailed: …").
    private static let codes: Set<String> = [
        "connectFailed", "connectTimeout", "connectionLost", "timeout", "tlsFailed", "tlsUntrusted", "tlsWrongName",
        "malformedReply", "replyTooLarge", "httpStatus", "untrustedReply", "noService", "serviceDenied", "dnsFailure", "bogus",
        "noAddress", "noAnchor", "privateTarget", "unreachable", "suspended", "untrusted", "fault", "closed", "internal",
    ]

    private static let servicePrefix = "_wsemail._tcp."

    /// `reason` without what only programmers understand. What is plain already stays as it is.
    public static func plain(_ reason: String) -> String {
        let text = withoutCodes(reason)
        return connection(text) ?? dns(text) ?? security(text) ?? status(text) ?? text
    }

    private static func withoutCodes(_ reason: String) -> String {
        var text = Substring(reason)
        while let colon = text.range(of: ": "), codes.contains(String(text[..<colon.lowerBound])) {
            text = text[colon.upperBound...]
        }
        return String(text)
    }

    // MARK: Connections

    /// "127.0.0.1 port 1: connection reset (error set): Connection refused) (errno: 111)"
    private static func connection(_ text: String) -> String? {
        let cause = cause(text)
        if let (place, rest) = place(text) {
            guard let cause else { return "cannot connect to \(place): \(rest)" }
            return "cannot connect to \(place): \(cause)"
        }
        switch text {
        case "no answer to the connection request": return "the server did not answer in time"
        case "no TLS handshake in time": return "the server accepted the connection, but said nothing: is that the right port?"
        case "no complete reply in time": return "the server's answer did not come in time"
        default: return cause.map { "the connection broke: \($0)" }
        }
    }

    /// "ADDRESS port NUMBER: …"
    private static func place(_ text: String) -> (String, String)? {
        guard let colon = text.range(of: ": ", after: " port ") else { return nil }
        let words = text[..<colon.lowerBound].split(separator: " ")
        guard words.count == 3, words[1] == "port", Int(words[2]) != nil else { return nil }
        let host = words[0].contains(":") ? "[\(words[0])]" : String(words[0])
        return ("\(host):\(words[2])", String(text[colon.upperBound...]))
    }

    /// By the error number: its words differ from system to system.
    private static func cause(_ text: String) -> String? {
        guard let start = text.range(of: "errno: ") else { return nil }
        switch Int(text[start.upperBound...].prefix { $0.isNumber }) {
        case 111: return "connection refused"
        case 110: return "no answer in time"
        case 113: return "no route to it"
        case 101: return "the network cannot be reached"
        case 104: return "the other side ended it"
        case 32: return "the other side had ended it"
        case 13, 1: return "this system does not allow it"
        default: return nil
        }
    }

    // MARK: DNS

    private static func dns(_ text: String) -> String? {
        let name = String(text.prefix { $0 != " " && $0 != ":" })
        let domain = name.hasPrefix(servicePrefix) ? String(name.dropFirst(servicePrefix.count)) : name
        let rest = text.dropFirst(name.count)
        switch rest {
        case " does not exist" where name != domain, " has no SRV record":
            return "\(domain) publishes no WSEmail service in DNS"
        case " has no readable SRV record": return "what \(domain) publishes in DNS about its WSEmail service cannot be read"
        case " says that there is no WSEmail service": return "\(domain) says in DNS that it offers no WSEmail"
        case ": no answer from DNS in time": return "DNS did not answer in time when asked for \(domain)"
        case " has no address": return "\(domain) has no address in DNS"
        default: break
        }
        if rest.hasPrefix(": DNS answered with code ") {
            return "DNS could not answer when asked for \(domain) (its code is \(rest.drop { !$0.isNumber }))"
        }
        if rest.hasPrefix(": DNSSEC: ") {
            return "DNS's answer about \(domain) is not to be believed (DNSSEC: \(rest.dropFirst(": DNSSEC: ".count)))"
        }
        return text == "no SRV target has an address" ? "the domain's servers have no address in DNS" : nil
    }

    // MARK: TLS and HTTP

    private static func security(_ text: String) -> String? {
        guard text.hasPrefix("TLS: ") || text.contains("NIOSSL") || text.contains("BoringSSL") else { return nil }
        if text.contains("WRONG_VERSION_NUMBER") || text.contains("HTTP_REQUEST") {
            return "what answers there does not speak TLS: is that the right port?"
        }
        if text.contains("CERTIFICATE_VERIFY_FAILED") { return "the certificate does not come from a root that you trust" }
        return "a secure connection (TLS) could not be set up"
    }

    private static func status(_ text: String) -> String? {
        guard text.hasPrefix("HTTP status ") else { return nil }
        return "the server answered with \(text), not with mail: is it a WSEmail server?"
    }
}

extension StringProtocol {
    /// The first occurrence of `part`, without Foundation's rules.
    fileprivate func range(of part: String, after mark: String? = nil) -> Range<Index>? {
        var start = startIndex
        if let mark {
            guard let found = range(of: mark) else { return nil }
            start = found.upperBound
        }
        while start < endIndex {
            let rest = self[start...]
            if rest.hasPrefix(part) { return start..<index(start, offsetBy: part.count) }
            start = index(after: start)
        }
        return nil
    }
}
