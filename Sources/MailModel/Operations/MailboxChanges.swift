import Identity
import SOAP
import XMLCore

private let maxIDs = 500

/// Names entries of the caller's mailbox: by message id (all entries that carry it, in one folder or in all), or by uid (exactly
/// one). Two authors may have used one id: only the uid tells their messages apart.
public struct EntrySelection: Sendable, Hashable {
    public var ids: [MessageID]
    public var uids: [UInt64]
    /// For `ids`: only entries of this folder; nil: wherever they are.
    public var folder: String?

    public init(ids: [MessageID] = [], uids: [UInt64] = [], folder: String? = nil) {
        self.ids = ids
        self.uids = uids
        self.folder = folder
    }

    static let parts: Set<String> = ["Id", "Uid", "In"]

    init(in element: XMLElement) throws(MailModelError) {
        ids = []
        uids = []
        for child in element.all(MailXML.name("Id")) {
            ids.append(try parseMessageID(mailModel { () throws(XMLError) in try child.simpleText() }))
        }
        for child in element.all(MailXML.name("Uid")) {
            uids.append(try parseUID(mailModel { () throws(XMLError) in try child.simpleText() }))
        }
        folder = try element.optionalText("In")
        guard (1...maxIDs).contains(ids.count + uids.count) else {
            throw MailModelError(.limitExceeded, "\(element.localName) takes 1 to \(maxIDs) ids")
        }
    }

    func write(into writer: inout XMLWriter) {
        for id in ids { writer.wrapped("Id", id.description) }
        for uid in uids { writer.wrapped("Uid", String(uid)) }
        if let folder { writer.wrapped("In", folder) }
    }
}

func parseUID(_ text: String) throws(MailModelError) -> UInt64 {
    guard let uid = UInt64(text), uid > 0, uid <= UInt64(Int64.max) else {
        throw MailModelError(.invalidValue, "\"\(text.prefix(20))\" is no uid")
    }
    return uid
}

/// How many messages a change touched; ids that the mailbox does not hold are not counted and no error.
public protocol CountResponse: Payload {
    var count: Int { get }
    init(count: Int)
}

extension CountResponse {
    public init(parsing element: XMLElement) throws(MailModelError) {
        guard let count = Int(try element.requiredText("Count")) else {
            throw MailModelError(.invalidValue, "Count is no number")
        }
        self.init(count: count)
    }

    public func writeContent(into writer: inout XMLWriter) throws {
        writer.wrapped("Count", String(count))
    }
}

/// Delete: removes messages from the caller's mailbox for good. Repeating it changes nothing.
public enum DeleteOperation: OperationCodec {
    public static let operation = MailOperation.delete

    public struct Request: Payload {
        public static let localName = "Delete"
        public var entries: EntrySelection

        public init(entries: EntrySelection) { self.entries = entries }

        public init(ids: [MessageID], folder: String? = nil) { entries = EntrySelection(ids: ids, folder: folder) }

        public init(parsing element: XMLElement) throws(MailModelError) {
            try element.allowOnly(EntrySelection.parts)
            entries = try EntrySelection(in: element)
        }

        public func writeContent(into writer: inout XMLWriter) throws {
            entries.write(into: &writer)
        }
    }

    public struct Response: CountResponse {
        public static let localName = "DeleteResponse"
        public var count: Int
        public init(count: Int) { self.count = count }
    }
}

/// Mark: adds and removes the user's flags (seen, answered, flagged).
public enum MarkOperation: OperationCodec {
    public static let operation = MailOperation.mark

    /// Flags that a user may set.
    public static let userFlags: Set<String> = ["seen", "answered", "flagged"]

    public struct Request: Payload {
        public static let localName = "Mark"
        public var entries: EntrySelection
        public var add: Set<String>
        public var remove: Set<String>

        public init(entries: EntrySelection, add: Set<String>, remove: Set<String>) {
            self.entries = entries
            self.add = add
            self.remove = remove
        }

        public init(ids: [MessageID], add: Set<String>, remove: Set<String>, folder: String? = nil) {
            self.init(entries: EntrySelection(ids: ids, folder: folder), add: add, remove: remove)
        }

        public init(parsing element: XMLElement) throws(MailModelError) {
            try element.allowOnly(EntrySelection.parts.union(["Add", "Remove"]))
            entries = try EntrySelection(in: element)
            add = try Request.flags(element.optionalText("Add"))
            remove = try Request.flags(element.optionalText("Remove"))
        }

        private static func flags(_ text: String?) throws(MailModelError) -> Set<String> {
            let flags = Set((text ?? "").split(separator: " ").map(String.init))
            guard flags.isSubset(of: MarkOperation.userFlags) else {
                throw MailModelError(.invalidValue, "flags are \(MarkOperation.userFlags.sorted().joined(separator: ", "))")
            }
            return flags
        }

        public func writeContent(into writer: inout XMLWriter) throws {
            entries.write(into: &writer)
            if !add.isEmpty { writer.wrapped("Add", add.sorted().joined(separator: " ")) }
            if !remove.isEmpty { writer.wrapped("Remove", remove.sorted().joined(separator: " ")) }
        }
    }

    public struct Response: CountResponse {
        public static let localName = "MarkResponse"
        public var count: Int
        public init(count: Int) { self.count = count }
    }
}

/// Move: puts messages into another folder of the same mailbox.
public enum MoveOperation: OperationCodec {
    public static let operation = MailOperation.move

    public struct Request: Payload {
        public static let localName = "Move"
        public var entries: EntrySelection
        /// Where to.
        public var folder: String

        public init(entries: EntrySelection, folder: String) {
            self.entries = entries
            self.folder = folder
        }

        public init(parsing element: XMLElement) throws(MailModelError) {
            try element.allowOnly(EntrySelection.parts.union(["Folder"]))
            entries = try EntrySelection(in: element)
            folder = try element.requiredText("Folder")
        }

        public func writeContent(into writer: inout XMLWriter) throws {
            entries.write(into: &writer)
            writer.wrapped("Folder", folder)
        }
    }

    public struct Response: CountResponse {
        public static let localName = "MoveResponse"
        public var count: Int
        public init(count: Int) { self.count = count }
    }
}
