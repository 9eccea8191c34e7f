import FoundationEssentials
import SOAP
import XMLCore

/// `wsu:Timestamp` (WSS 1.1.1 §10): Created required, Expires optional.
struct MessageTimestamp: Sendable {
    let element: XMLElement
    let created: Date
    let expires: Date?

    init(_ element: XMLElement) throws(SOAPFault) {
        do {
            guard let created = DateTime.parse(try element.only(Names.created).simpleText()) else {
                throw SOAPFault(.malformedEnvelope, "The Timestamp's Created is no UTC dateTime.")
            }
            self.created = created
            if let text = try element.optional(Names.expires)?.simpleText() {
                guard let date = DateTime.parse(text), date > created else {
                    throw SOAPFault(.malformedEnvelope, "The Timestamp's Expires is no dateTime after Created.")
                }
                expires = date
            } else {
                expires = nil
            }
        } catch let fault as SOAPFault {
            throw fault
        } catch {
            throw SOAPFault(.malformedEnvelope, "The Timestamp needs one Created and at most one Expires.")
        }
        self.element = element
    }

    /// Fresh if made at most `skew` seconds ago or ahead, and not expired (clocks may differ by `skew` there too,
    /// but an Expires never makes a call live longer than Created does).
    func isFresh(at now: Date, skew: TimeInterval) -> Bool {
        guard abs(created.timeIntervalSince(now)) <= skew else { return false }
        guard let expires else { return true }
        return now < expires.addingTimeInterval(skew)
    }

    /// A transient refusal that tells the time: the caller corrects its clock and wraps the call anew.
    static func stale(_ now: Date) -> SOAPFault {
        SOAPFault(
            .staleTimestamp, "The Timestamp is not within the accepted time window.", detail: .init(serverTime: now))
    }

    /// Writes a self-contained Timestamp that is ready to be signed.
    static func write(into writer: inout XMLWriter, id: String, created: Date, lifetime: TimeInterval) -> Range<Int> {
        writer.start(Tags.timestamp, selfContained: true)
        writer.attribute(Tags.wsuId, id)
        writer.element(Tags.created, DateTime.format(created))
        writer.element(Tags.expires, DateTime.format(created.addingTimeInterval(lifetime), milliseconds: false))
        return writer.end()
    }
}
