/// What the administrator set with `wsemaild plugin set`, over the manifest's presets. Comes with every event.
struct Settings {
    fileprivate(set) var all: [(name: Bytes, value: Bytes)] = []

    subscript(name: Bytes) -> Bytes? {
        for setting in all where setting.name == name { return setting.value }
        return nil
    }

    /// A setting that is a number; `preset` if it is missing, no number, or outside `range`.
    func number(_ name: Bytes, preset: Int64, in range: ClosedRange<Int64>) -> Int64 {
        guard let number = self[name]?.trimmed.number, range.contains(number) else { return preset }
        return number
    }

    /// A setting that is a list with commas.
    func list(_ name: Bytes) -> [Bytes] { self[name]?.split(at: 0x2C) ?? [] }
}

struct Attachment {
    fileprivate(set) var name: Bytes = []
    fileprivate(set) var mediaType: Bytes = []
    fileprivate(set) var size: Int64 = 0
    /// SHA-256, 32 octets: what `SendingVerdict.drop` takes.
    fileprivate(set) var digest: Bytes = []
}

/// What a plug-in may know of a message. Subject and bodies are nil without the capability `content`, XML without `raw-xml`.
struct Message {
    /// `urn:uuid:…`, unique only together with the author's domain.
    fileprivate(set) var id: Bytes = []
    fileprivate(set) var from: Bytes = []
    fileprivate(set) var to: [Bytes] = []
    fileprivate(set) var cc: [Bytes] = []
    /// `2026-11-23T22:00:00Z`
    fileprivate(set) var date: Bytes = []
    fileprivate(set) var inReplyTo: Bytes?
    fileprivate(set) var size: Int64 = 0
    /// Written by a program: never answer it automatically.
    fileprivate(set) var isAutomatic = false
    fileprivate(set) var hasForm = false
    fileprivate(set) var attachments: [Attachment] = []
    fileprivate(set) var subject: Bytes?
    var text: Bytes? { textField?.octets }
    var html: Bytes? { htmlField?.octets }
    var xml: Bytes? { xmlField?.octets }

    fileprivate var textField: LargeField?
    fileprivate var htmlField: LargeField?
    fileprivate var xmlField: LargeField?
}

/// A field that can have megabytes: copied only for who asks. The event's memory is ours until the call ends.
struct LargeField {
    fileprivate let place: UnsafeRawBufferPointer

    var octets: Bytes { Bytes(place) }
}

/// Who calls or submits. Always there for extensions; else only with the capability `identity` (and `tokens` for the token).
struct Caller {
    /// A user's address, or the domain of a calling server.
    fileprivate(set) var principal: Bytes = []
    fileprivate(set) var method: Bytes = []
    fileprivate(set) var token: Bytes?
}

/// A message that a user hands in.
struct SendingEvent {
    let message: Message
    /// To, Cc and Bcc together.
    let recipients: [Bytes]
    let caller: Caller?
    let settings: Settings
}

/// A message about to enter one recipient's mailbox.
struct DeliveryEvent {
    /// The same at each repetition.
    let id: Bytes
    let message: Message
    let recipient: Bytes
    let hops: Int64
    /// The author's domain as its Postmark proved it.
    let domain: Bytes
    /// With `raw-xml`.
    var postmark: Bytes? { postmarkField?.octets }
    fileprivate let postmarkField: LargeField?
    let settings: Settings
}

/// A call to an extension.
struct ExtensionEvent {
    let identifier: Bytes
    /// One XML element, canonical.
    let request: Bytes
    let caller: Caller
    let settings: Settings
}

/// An unknown local address.
struct ResolverEvent {
    let address: Bytes
    let settings: Settings
}

/// An event's fields of all roles, before they are sorted into the role's structure.
struct EventFields {
    private var message = Message()
    private var recipients: [Bytes] = []
    private var caller = Caller()
    private var hasCaller = false
    private var eventID: Bytes = []
    private var hops: Int64 = 0
    private var domain: Bytes = []
    private var postmark: LargeField?
    private var identifier: Bytes = []
    private var request: Bytes = []
    private var address: Bytes = []
    private var settings = Settings()

    init(_ frame: UnsafeRawBufferPointer) {
        var reader = FrameReader(frame)
        while let (tag, value) = reader.next() {
            guard let tag = Tag(rawValue: tag) else { continue }
            if !takeMessage(tag, value) { takeOther(tag, value) }
        }
    }

    var sending: SendingEvent {
        SendingEvent(message: message, recipients: recipients, caller: hasCaller ? caller : nil, settings: settings)
    }

    var delivery: DeliveryEvent {
        DeliveryEvent(
            id: eventID, message: message, recipient: recipients.first ?? [], hops: hops, domain: domain, postmarkField: postmark,
            settings: settings)
    }

    var call: ExtensionEvent {
        ExtensionEvent(identifier: identifier, request: request, caller: caller, settings: settings)
    }

    var resolver: ResolverEvent { ResolverEvent(address: address, settings: settings) }

    private mutating func takeMessage(_ tag: Tag, _ value: UnsafeRawBufferPointer) -> Bool {
        switch tag {
        case .messageID: message.id = Bytes(value)
        case .from: message.from = Bytes(value)
        case .to: message.to.append(Bytes(value))
        case .cc: message.cc.append(Bytes(value))
        case .date: message.date = Bytes(value)
        case .inReplyTo: message.inReplyTo = Bytes(value)
        case .size: message.size = Bytes(value).number ?? 0
        case .trait:
            let trait = Bytes(value)
            if trait == "automatic" { message.isAutomatic = true }
            if trait == "form" { message.hasForm = true }
        case .attachment: message.attachments.append(Attachment(frame: value))
        case .subject: message.subject = Bytes(value)
        case .text: message.textField = LargeField(place: value)
        case .html: message.htmlField = LargeField(place: value)
        case .messageXML: message.xmlField = LargeField(place: value)
        default: return false
        }
        return true
    }

    private mutating func takeOther(_ tag: Tag, _ value: UnsafeRawBufferPointer) {
        switch tag {
        case .recipient: recipients.append(Bytes(value))
        case .eventID: eventID = Bytes(value)
        case .hops: hops = Bytes(value).number ?? 0
        case .domain: domain = Bytes(value)
        case .postmarkXML: postmark = LargeField(place: value)
        case .principal:
            caller.principal = Bytes(value)
            hasCaller = true
        case .method: caller.method = Bytes(value)
        case .token: caller.token = Bytes(value)
        case .extensionIdentifier: identifier = Bytes(value)
        case .requestXML: request = Bytes(value)
        case .address: address = Bytes(value)
        case .setting: settings.add(frame: value)
        default: break
        }
    }
}

extension Attachment {
    fileprivate init(frame: UnsafeRawBufferPointer) {
        var reader = FrameReader(frame)
        while let (tag, value) = reader.next() {
            switch Tag(rawValue: tag) {
            case .attachmentName: name = Bytes(value)
            case .mediaType: mediaType = Bytes(value)
            case .size: size = Bytes(value).number ?? 0
            case .sha256: digest = Bytes(value)
            default: break
            }
        }
    }
}

extension Settings {
    fileprivate mutating func add(frame: UnsafeRawBufferPointer) {
        var reader = FrameReader(frame)
        var setting: (name: Bytes, value: Bytes) = ([], [])
        while let (tag, value) = reader.next() {
            if tag == Tag.name.rawValue { setting.name = Bytes(value) }
            if tag == Tag.value.rawValue { setting.value = Bytes(value) }
        }
        all.append(setting)
    }
}
