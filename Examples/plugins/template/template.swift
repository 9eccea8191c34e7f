// Copy this folder, rename it and both files' names in it, and build: Examples/plugins/build PATH/TO/FOLDER
// (docs/plugins.md: "Your first plug-in").

enum Template: Plugin {
    static var roles: [Role] { [.delivery] }

    /// Flags mail whose subject says that it is urgent.
    static func deliver(_ event: DeliveryEvent) -> DeliveryVerdict {
        guard let subject = event.message.subject, subject.lowercased.contains("urgent") else { return .proceed }
        log(.debug, join("flagged ", event.message.id))
        return .file(folder: "Inbox", seen: false, flagged: true)
    }
}

typealias RegisteredPlugin = Template
