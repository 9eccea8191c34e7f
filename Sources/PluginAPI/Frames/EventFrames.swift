import Foundation
import Identity

/// Events as frames (docs/plugins.md, "ABI"): what `handle` gets. Everything in the event is written; take out before what
/// the plug-in has not been granted.
public enum EventFrames {
    public static func encode(_ event: PluginEvent, settings: [String: String] = [:]) -> [UInt8] {
        var frame = PluginFrame()
        frame.add(.role, event.role.rawValue)
        for (name, value) in settings.sorted(by: { $0.key < $1.key }) {
            var setting = PluginFrame()
            setting.add(.name, name)
            setting.add(.value, value)
            frame.add(.setting, setting.octets)
        }
        switch event {
        case .sending(let submission):
            add(submission.message, to: &frame)
            for recipient in submission.recipients { frame.add(.recipient, recipient.description) }
            if let identity = submission.identity { add(identity, to: &frame) }
            for digest in submission.files.sorted(by: { $0.lexicographicallyPrecedes($1) }) { frame.add(.presentFile, digest) }
            for option in submission.options {
                var field = PluginFrame()
                field.add(.extensionIdentifier, option.identifier)
                field.add(.requestXML, option.content)
                frame.add(.option, field.octets)
            }
        case .delivery(let delivery): add(delivery, to: &frame)
        case .extension(let call):
            frame.add(.extensionIdentifier, call.identifier)
            add(call.caller, to: &frame)
            frame.add(.requestXML, call.request)
        case .resolver(let address): frame.add(.address, address.description)
        }
        return frame.octets
    }

    private static func add(_ delivery: DeliveryEvent, to frame: inout PluginFrame) {
        frame.add(.eventID, delivery.eventID)
        add(delivery.message, to: &frame)
        frame.add(.recipient, delivery.recipient.description)
        frame.add(.hops, String(delivery.hops))
        frame.add(.domain, delivery.domain.ascii)
        if let postmark = delivery.postmark { frame.add(.postmarkXML, postmark) }
    }

    private static func add(_ identity: CallerIdentity, to frame: inout PluginFrame) {
        frame.add(.principal, identity.principal)
        frame.add(.method, identity.method)
        if let token = identity.token { frame.add(.token, token) }
    }

    private static func add(_ message: MessageFacts, to frame: inout PluginFrame) {
        frame.add(.messageID, message.id)
        frame.add(.from, message.from.description)
        for address in message.to { frame.add(.to, address.description) }
        for address in message.cc { frame.add(.cc, address.description) }
        frame.add(.date, UTCSeconds.format(message.date))
        if let inReplyTo = message.inReplyTo { frame.add(.inReplyTo, inReplyTo) }
        if let replaces = message.replaces { frame.add(.replaces, replaces) }
        frame.add(.size, String(message.size))
        if message.isAutomatic { frame.add(.trait, "automatic") }
        if message.hasForm { frame.add(.trait, "form") }
        for attachment in message.attachments {
            var field = PluginFrame()
            field.add(.attachmentName, attachment.name)
            field.add(.mediaType, attachment.mediaType)
            field.add(.size, String(attachment.size))
            field.add(.sha256, attachment.digest)
            frame.add(.attachment, field.octets)
        }
        if let content = message.content {
            frame.add(.subject, content.subject)
            frame.add(.text, content.text)
            if let html = content.html { frame.add(.html, html) }
        }
        if let octets = message.octets { frame.add(.messageXML, octets) }
    }
}

extension EventFrames {
    /// An address as a module wrote it. Throws ``PluginError`` `.invalid`.
    public static func address(_ text: String) throws(PluginError) -> Address { try FrameReader.address(text) }
}
