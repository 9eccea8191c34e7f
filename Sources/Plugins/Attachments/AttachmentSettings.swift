import MailModel
import PluginAPI

/// What the administrator can set of the attachment plug-in.
struct AttachmentSettings: Sendable {
    /// Days until an attachment expires of which its sender says nothing.
    let defaultExpiryDays: Int
    /// The most that a sender can ask for.
    let maxExpiryDays: Int
    let onForward: AttachmentKeep.OnForward
    /// Octets of a file that may come in the answer itself.
    let inlineLimit: Int

    /// - Throws: ``PluginError`` `.invalid`.
    init(_ settings: [String: String]) throws(PluginError) {
        maxExpiryDays = try Self.number("max-expiry-days", settings, 1...3_650)
        defaultExpiryDays = try Self.number("default-expiry-days", settings, 1...maxExpiryDays)
        inlineLimit = try Self.number("inline-limit", settings, 0...AttachmentsXML.maxInline)
        let word = settings["default-on-forward"] ?? AttachmentKeep.OnForward.ask.rawValue
        guard let onForward = AttachmentKeep.OnForward(rawValue: word) else {
            throw PluginError(.invalid, "\"default-on-forward\" is ask, allow or forbid, not \"\(word.prefix(40))\"")
        }
        self.onForward = onForward
    }

    static let declarations = [
        SettingDeclaration(
            name: "default-expiry-days", preset: "30", explanation: "days until an attachment expires of which its sender says nothing"),
        SettingDeclaration(name: "max-expiry-days", preset: "365", explanation: "the most days that a sender can ask for"),
        SettingDeclaration(
            name: "default-on-forward", preset: "ask",
            explanation: "what becomes of a reader's wish to pass an attachment on: ask (its sender), allow or forbid"),
        SettingDeclaration(
            name: "inline-limit", preset: "1048576", explanation: "octets of a file that may come in an answer itself, at most 10485760"),
    ]

    private static func number(
        _ name: String, _ settings: [String: String], _ bounds: ClosedRange<Int>
    ) throws(PluginError) -> Int {
        let text = settings[name] ?? declarations.first { $0.name == name }?.preset ?? ""
        guard let number = Int(text), bounds.contains(number) else {
            throw PluginError(
                .invalid, "\"\(name)\" is \(bounds.lowerBound) to \(bounds.upperBound), not \"\(text.prefix(40))\"")
        }
        return number
    }
}
