// Answers mail while its user is away: once per sender, and never a program's mail.
//
// A user sets it through the extension urn:wsemail:example:vacation:
//
//     <Set xmlns="urn:wsemail:example:vacation">
//       <Subject>Away</Subject><Text>Back on Monday.</Text><From>2026-12-01</From><Until>2026-12-07</Until>
//     </Set>
//     <Clear xmlns="urn:wsemail:example:vacation"/>
//     <Get xmlns="urn:wsemail:example:vacation"/>
//
// Each answers <Vacation state="off|planned|active|over">… with what is set. From and Until may be left out; both days
// count (UTC), and a time such as 2026-12-01T08:00:00Z may stand instead of a day.
//
// Keys: "u:" user -> what is set; "s:" user " " sender -> whom it answered, when, with which text;
// "d:" user -> how often it answered today.

enum Vacation: Plugin {
    static var roles: [Role] { [.delivery, .extensions] }

    static func deliver(_ event: DeliveryEvent) -> DeliveryVerdict {
        let user = event.recipient.lowercased
        let sender = event.message.from.lowercased
        guard mayAnswer(event.message, from: sender, to: user), let notice = Notice.stored(for: user), notice.state(at: now()) == .active
        else { return .proceed }
        let memory = Memory(user: user, settings: event.settings, time: now())
        guard memory.isDue(sender, revision: notice.revision), memory.countsToday() else { return .proceed }
        memory.remember(sender, revision: notice.revision)
        send(from: .principal, to: [event.message.from], subject: notice.subject, text: notice.text, inReplyTo: event.message.id)
        return .proceed
    }

    static func answer(_ event: ExtensionEvent) throws(Fault) -> Bytes {
        guard let request = XMLElement.read(event.request), request.namespace == event.identifier else {
            throw Fault("send Set, Clear or Get in the namespace of this extension")
        }
        let user = event.caller.principal.lowercased
        let old = Notice.stored(for: user) ?? Notice()
        var notice = old
        switch request.name {
        case "Get": break
        case "Clear":
            notice = Notice()
            notice.revision = old.revision
            notice.store(for: user)
        case "Set":
            notice = try Notice(request)
            let isNewText = !old.isSet || old.subject != notice.subject || old.text != notice.text
            notice.revision = isNewText ? old.revision + 1 : old.revision
            notice.store(for: user)
        default: throw Fault("send Set, Clear or Get")
        }
        return notice.xml(event.identifier, at: now())
    }

    /// Only to a person who wrote to this very user: a program would answer the answer, and lists or Bcc are no letters to the user.
    private static func mayAnswer(_ message: Message, from sender: Bytes, to user: Bytes) -> Bool {
        guard !message.isAutomatic, sender != user, let local = sender.addressParts?.local, local != "noreply", local != "no-reply"
        else { return false }
        for address in message.to where address.lowercased == user { return true }
        for address in message.cc where address.lowercased == user { return true }
        return false
    }
}

typealias RegisteredPlugin = Vacation

/// What a user set.
struct Notice {
    enum State { case off, planned, active, over }

    var isSet = false
    var subject: Bytes = []
    var text: Bytes = []
    /// Milliseconds since 1970.
    var from: Int64 = 0
    var until = Int64.max
    /// Counts the texts: with a new one, senders are answered anew.
    var revision: Int64 = 0

    init() {}

    init(_ request: XMLElement) throws(Fault) {
        guard let text = request.text(of: "Text") else { throw Fault("Text is missing") }
        self.text = text
        subject = request.text(of: "Subject") ?? "Away"
        guard subject.count <= 200, subject.isOneLine else { throw Fault("the Subject is more than 200 octets or more than one line") }
        guard text.count <= 8_192 else { throw Fault("the Text has more than 8,192 octets") }
        if let date = request.text(of: "From") { from = try Self.time(date) }
        if let date = request.text(of: "Until") { until = try Self.time(date) + (date.count == 10 ? Time.day : 0) }
        guard from < until else { throw Fault("Until is before From") }
        isSet = true
    }

    func state(at time: Int64) -> State {
        guard isSet else { return .off }
        return time < from ? .planned : time < until ? .active : .over
    }

    func xml(_ namespace: Bytes, at time: Int64) -> Bytes {
        let name: Bytes
        switch state(at: time) {
        case .off: name = "off"
        case .planned: name = "planned"
        case .active: name = "active"
        case .over: name = "over"
        }
        var xml = join("<Vacation xmlns=\"", XML.escape(namespace), "\" state=\"", name, "\">")
        if isSet {
            xml += join(XML.element("Subject", subject), XML.element("Text", text))
            if from > 0 { xml += XML.element("From", Time.write(from)) }
            if until < Int64.max { xml += XML.element("Until", Time.write(until)) }
        }
        return join(xml, "</Vacation>")
    }

    private static func time(_ text: Bytes) throws(Fault) -> Int64 {
        guard let time = Time.read(text) else { throw Fault("write dates as 2026-12-01 or 2026-12-01T08:00:00Z") }
        return time
    }
}

extension Notice {
    static func stored(for user: Bytes) -> Notice? {
        guard let value = KeyValue.get(join("u:", user)) else { return nil }
        var notice = Notice()
        for (tag, value) in FrameReader.fields(of: value) {
            switch tag {
            case 1: notice.subject = value
            case 2: notice.text = value
            case 3: notice.from = value.number ?? 0
            case 4: notice.until = value.number ?? Int64.max
            case 5: notice.revision = value.number ?? 0
            default: break
            }
        }
        notice.isSet = !notice.text.isEmpty
        return notice
    }

    func store(for user: Bytes) {
        var frame = FrameWriter()
        frame.add(5, Bytes(decimal: revision))
        if isSet {
            frame.add(1, subject)
            frame.add(2, text)
            frame.add(3, Bytes(decimal: from))
            if until < Int64.max { frame.add(4, Bytes(decimal: until)) }
        }
        KeyValue.set(join("u:", user), frame.octets)
    }
}

/// Whom a user's notice went to.
struct Memory {
    let user: Bytes
    let settings: Settings
    let time: Int64

    private var interval: Int64 { settings.number("interval-days", preset: 7, in: 1...365) * Time.day }

    func isDue(_ sender: Bytes, revision: Int64) -> Bool {
        guard let last = read(key(sender)) else { return true }
        return last.revision != revision || time - last.time >= interval
    }

    /// At most so many answers a day, whoever asks: a stranger with many addresses shall not make this user a source of floods.
    func countsToday() -> Bool {
        let today = time / Time.day
        let key = join("d:", user)
        let last = read(key)
        let count = last?.revision == today ? last?.time ?? 0 : 0
        guard count < settings.number("answers-a-day", preset: 200, in: 1...10_000) else { return false }
        KeyValue.set(key, join(Bytes(decimal: today), " ", Bytes(decimal: count + 1)))
        return true
    }

    func remember(_ sender: Bytes, revision: Int64) {
        KeyValue.set(key(sender), join(Bytes(decimal: revision), " ", Bytes(decimal: time)))
        forget(after: sender)
    }

    /// Removes a few outdated entries, so that in the long run as many go as come.
    private func forget(after sender: Bytes) {
        let prefix = join("s:", user, " ")
        var keys = KeyValue.keys(prefix: prefix, after: key(sender), limit: 4)
        if keys.count < 4 { keys += KeyValue.keys(prefix: prefix, limit: 4) }
        for key in keys where key != self.key(sender) {
            if let entry = read(key), time - entry.time >= interval { KeyValue.delete(key) }
        }
    }

    private func key(_ sender: Bytes) -> Bytes { join("s:", user, " ", sender) }

    private func read(_ key: Bytes) -> (revision: Int64, time: Int64)? {
        guard let parts = KeyValue.get(key)?.split(at: 0x20), parts.count == 2, let revision = parts[0].number, let time = parts[1].number
        else { return nil }
        return (revision, time)
    }
}
