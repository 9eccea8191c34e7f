import Identity
import SOAP
import XMLCore

private let maxIDs = 500

private func parseIDs(_ element: XMLElement) throws(MailModelError) -> [MessageID] {
    var ids: [MessageID] = []
    for child in element.all(MailXML.name("Id")) {
        ids.append(try parseMessageID(mailModel { () throws(XMLError) in try child.simpleText() }))
    }
    guard (1...maxIDs).contains(ids.count) else {
        throw MailModelError(.limitExceeded, "\(element.localName) takes 1 to \(maxIDs) ids")
    }
    return ids
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
        public var ids: [MessageID]
        /// Only entries of this folder; nil: wherever they are.
        public var folder: String?

        public init(ids: [MessageID], folder: String? = nil) {
            self.ids = ids
            self.folder = folder
        }

        public init(parsing element: XMLElement) throws(MailModelError) {
            try element.allowOnly(["Id", "In"])
            ids = try parseIDs(element)
            folder = try element.optionalText("In")
        }

        public func writeContent(into writer: inout XMLWriter) throws {
            for id in ids { writer.wrapped("Id", id.description) }
            if let folder { writer.wrapped("In", folder) }
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
        public var ids: [MessageID]
        public var add: Set<String>
        public var remove: Set<String>
        /// Only entries of this folder; nil: wherever they are.
        public var folder: String?

        public init(ids: [MessageID], add: Set<String>, remove: Set<String>, folder: String? = nil) {
            self.ids = ids
            self.folder = folder
            self.add = add
            self.remove = remove
        }

        public init(parsing element: XMLElement) throws(MailModelError) {
            try element.allowOnly(["Id", "In", "Add", "Remove"])
            ids = try parseIDs(element)
            folder = try element.optionalText("In")
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
            for id in ids { writer.wrapped("Id", id.description) }
            if let folder { writer.wrapped("In", folder) }
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
        public var ids: [MessageID]
        public var folder: String

        public init(ids: [MessageID], folder: String) {
            self.ids = ids
            self.folder = folder
        }

        public init(parsing element: XMLElement) throws(MailModelError) {
            try element.allowOnly(["Id", "Folder"])
            ids = try parseIDs(element)
            folder = try element.requiredText("Folder")
        }

        public func writeContent(into writer: inout XMLWriter) throws {
            for id in ids { writer.wrapped("Id", id.description) }
            writer.wrapped("Folder", folder)
        }
    }

    public struct Response: CountResponse {
        public static let localName = "MoveResponse"
        public var count: Int
        public init(count: Int) { self.count = count }
    }
}
