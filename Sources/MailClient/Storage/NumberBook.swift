import Identity

/// Where a message is. An id alone names all that carry it: a mail to oneself is in two folders, and two authors may have used
/// one id. Folder and number tell which one a list showed.
public struct MessageLocation: Sendable, Hashable, Codable {
    public var id: MessageID
    public var folder: String?
    /// The number that the list showed.
    public var uid: UInt64?

    public init(_ id: MessageID, in folder: String? = nil, uid: UInt64? = nil) {
        self.id = id
        self.folder = folder
        self.uid = uid
    }
}

/// The numbers that `list` showed and the messages behind them, so that people can type `read 12`.
///
/// A number is the server's uid: it stays with its message and is never given to another one.
public struct NumberBook: Sendable {
    /// Numbers remembered; the oldest are dropped, and asked of the server when they are needed again.
    static let capacity = 5_000

    private let path: String

    init(_ folder: AccountFolder) { path = folder.numbersPath }

    /// What a person may type for a message.
    public enum Reference: Sendable, Hashable, CustomStringConvertible {
        case number(UInt64)
        case id(MessageID)

        public var description: String {
            switch self {
            case .number(let number): String(number)
            case .id(let id): id.description
            }
        }

        /// A number as `list` shows it (`12` or `#12`), or an id with or without `urn:uuid:`.
        /// - Throws: `invalidInput`.
        public init(_ text: String) throws(MailClientError) {
            let trimmed = text.hasPrefix("#") ? String(text.dropFirst()) : text
            if let number = UInt64(trimmed), number > 0, number <= UInt64(Int64.max), !trimmed.hasPrefix("+") {
                self = .number(number)
            } else if let id = try? MessageID(text) {
                self = .id(id)
            } else if let id = try? MessageID("urn:uuid:" + text) {
                self = .id(id)
            } else {
                throw MailClientError(
                    .invalidInput, "\"\(text.prefix(60))\" is neither a number of the list nor a message id",
                    advice: "`wsemail list` shows the numbers; ids look like urn:uuid:….")
            }
        }
    }

    func location(of number: UInt64) throws(MailClientError) -> MessageLocation? {
        try stored()[number]
    }

    /// The newest number of a message; nil where no list has shown it.
    func number(of id: MessageID) throws(MailClientError) -> UInt64? {
        try stored().filter { $0.value.id == id }.keys.max()
    }

    /// The same of several messages.
    func numbers(of ids: Set<MessageID>) throws(MailClientError) -> [MessageID: UInt64] {
        var found: [MessageID: UInt64] = [:]
        for (number, location) in try stored() where ids.contains(location.id) {
            found[location.id] = max(number, found[location.id] ?? 0)
        }
        return found
    }

    func remember(_ numbers: [(UInt64, MessageLocation)]) throws(MailClientError) {
        guard !numbers.isEmpty else { return }
        var known = try stored()
        var changed = false
        for (number, location) in numbers where known[number] != location {
            known[number] = location
            changed = true
        }
        guard changed else { return }
        if known.count > Self.capacity {
            for number in known.keys.sorted().prefix(known.count - Self.capacity) { known[number] = nil }
        }
        try StoredJSON.write(known, to: path)
    }

    private func stored() throws(MailClientError) -> [UInt64: MessageLocation] {
        do {
            return try StoredJSON.read([UInt64: MessageLocation].self, from: path, limit: 4 << 20) ?? [:]
        } catch {
            // Damaged, or of a version that knew no folders: numbers are asked of the server again.
            guard error.reason.hasSuffix("is damaged") else { throw error }
            return [:]
        }
    }
}
