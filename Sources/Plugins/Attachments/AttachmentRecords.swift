import Foundation
import Identity
import MailModel
import PluginAPI

/// What is kept of one attachment, under ``AttachmentKeys/record(_:)``. Whatever happens to the attachment changes it, so that two
/// things that happen at the same time are a conflict, and one of them happens again after the other.
struct AttachmentRecord: Codable, Sendable, Hashable {
    let guid: String
    let owner: Address
    let messageID: String
    let name: String
    let mediaType: String
    let size: UInt64
    let digest: Data
    /// Milliseconds since 1970, as all times here.
    let created: Int64
    let expires: Int64
    let maxFetches: UInt64?
    let onForward: AttachmentKeep.OnForward
    /// Names the list of those whom the message went to: ``AttachmentKeys/reader(_:in:)``.
    let list: String
    /// By readers; those of the owner do not count.
    var fetches: UInt64 = 0
    /// How many events the log has had.
    var events: UInt64 = 0
    /// How many readers have been granted or taken away one by one.
    var exceptions = 0
    var revokedAll = false
    /// The file is not kept any more.
    var released = false
    /// The owner's account was removed: nobody has it any more, whoever gets the address. The log stays for its time.
    var isAbandoned = false
    /// The earlier version.
    var replaces: String?
    /// Later versions: one for each message that replaced this one's.
    var replacedBy: [String] = []

    var blob: KeptBlob { KeptBlob(owner: owner, digest: Array(digest), size: size, guid: guid) }
    var createdDate: Date { Self.date(created) }
    var expiryDate: Date { Self.date(expires) }

    func isExpired(at now: Date) -> Bool { now >= expiryDate }

    static func date(_ milliseconds: Int64) -> Date { Date(timeIntervalSince1970: Double(milliseconds) / 1_000) }
    static func milliseconds(_ date: Date) -> Int64 { Int64((date.timeIntervalSince1970 * 1_000).rounded(.down)) }
}

/// What was decided of one reader after the message was sent; wins over the list.
struct ReaderException: Codable, Sendable, Hashable {
    let isGranted: Bool
    let by: Address
    let time: Int64
}

/// The fetches of one reader that can be gone on with.
struct ReaderFetches: Codable, Sendable, Hashable {
    struct Fetch: Codable, Sendable, Hashable {
        let number: UInt64
        /// When its first ticket was given.
        let began: Int64
        /// Ids, the newest last.
        var tickets: [String]
    }
    var fetches: [Fetch] = []
    /// Whether ``AttachmentKeys/firstFetch(_:_:_:)`` is written.
    var isNoted = false
    /// When offers were made that may be good still.
    var offers: [Int64] = []
}

/// A reader's wish that others may read it too.
struct ShareRequest: Codable, Sendable, Hashable {
    let by: Address
    let readers: [Address]
    let time: Int64
}

/// One line of the log.
struct LoggedEvent: Codable, Sendable, Hashable {
    let kind: AttachmentAnswer.Event.Kind
    let time: Int64
    var who: Address?
    var by: Address?
}

/// Keys of the plug-in's values. Where an address stands in the middle, 0x00 ends it: no address holds one.
enum AttachmentKeys {
    static func record(_ guid: String) -> [UInt8] { key("a/", guid) }

    /// Newest first: the time counts down.
    static func mailing(_ owner: Address, _ created: Int64, _ guid: String) -> [UInt8] {
        mailings(of: owner) + digits(UInt64(Int64.max - max(created, 0)), 20) + guid.utf8
    }
    static func mailings(of owner: Address) -> [UInt8] { key("m/", owner.description) + [0] }

    static func ofMessage(_ owner: Address, _ messageID: String, _ guid: String) -> [UInt8] {
        ofMessage(owner, messageID) + guid.utf8
    }
    static func ofMessage(_ owner: Address, _ messageID: String) -> [UInt8] {
        key("i/", owner.description) + [0] + messageID.utf8 + [0]
    }

    static func reader(_ reader: Address, in list: String) -> [UInt8] { readers(of: list) + reader.description.utf8 }
    static func readers(of list: String) -> [UInt8] { key("s/", list) + [0] }

    static func exception(_ reader: Address, _ guid: String) -> [UInt8] { exceptions(of: guid) + reader.description.utf8 }
    static func exceptions(of guid: String) -> [UInt8] { key("o/", guid) + [0] }

    static func event(_ guid: String, _ number: UInt64) -> [UInt8] { log(of: guid) + digits(number, 20) }
    static func log(of guid: String) -> [UInt8] { key("l/", guid) + [0] }

    /// The first fetch of each reader, apart from the log, so that it stays when the log's oldest lines go.
    static func firstFetch(_ guid: String, _ time: Int64, _ reader: Address) -> [UInt8] {
        firstFetches(of: guid) + digits(UInt64(max(time, 0)), 20) + reader.description.utf8
    }
    static func firstFetches(of guid: String) -> [UInt8] { key("f/", guid) + [0] }

    /// What a key of a first fetch says.
    static func firstFetch(_ key: [UInt8], of guid: String) -> LoggedEvent? {
        let rest = key.dropFirst(firstFetches(of: guid).count)
        guard rest.count > 20, let time = Int64(String(decoding: rest.prefix(20), as: UTF8.self)),
            let reader = try? Address(String(decoding: rest.dropFirst(20), as: UTF8.self))
        else { return nil }
        return LoggedEvent(kind: .fetched, time: time, who: reader)
    }

    /// When the account of an address was removed: what is older is not for who has the address now. Stays for good.
    static func removal(_ address: Address) -> [UInt8] { key("g/", address.description) }

    static func fetches(_ guid: String, _ reader: Address) -> [UInt8] { fetches(of: guid) + reader.description.utf8 }
    static func fetches(of guid: String) -> [UInt8] { key("t/", guid) + [0] }

    static func request(_ guid: String, _ request: String) -> [UInt8] { requests(of: guid) + request.utf8 }
    static func requests(of guid: String) -> [UInt8] { key("q/", guid) + [0] }

    /// What housekeeping has to look at, and when: an attachment (`a`) or a list of readers (`s`).
    static func due(_ time: Int64, _ kind: DueKind, _ id: String) -> [UInt8] {
        dues + digits(UInt64(max(time, 0)), 20) + kind.rawValue.utf8 + id.utf8
    }
    static let dues = Array("x/".utf8)

    enum DueKind: String { case attachment = "a", list = "s" }

    static func due(_ key: [UInt8]) -> (time: Int64, kind: DueKind, id: String)? {
        let text = String(decoding: key, as: UTF8.self)
        guard text.hasPrefix("x/"), text.utf8.count == 2 + 20 + 1 + 32, let time = Int64(text.dropFirst(2).prefix(20)),
            let kind = DueKind(rawValue: String(text.dropFirst(22).prefix(1)))
        else { return nil }
        return (time, kind, String(text.suffix(32)))
    }

    /// The GUID at the end of a key.
    static func guid(_ key: [UInt8]) -> String { String(decoding: key.suffix(32), as: UTF8.self) }

    private static func key(_ prefix: String, _ rest: String) -> [UInt8] { Array((prefix + rest).utf8) }

    private static func digits(_ number: UInt64, _ count: Int) -> [UInt8] {
        let text = Array(String(number).utf8)
        return [UInt8](repeating: 0x30, count: max(count - text.count, 0)) + text
    }
}
