import Foundation
import Identity

extension EventFrames {
    /// Reads what ``encode(_:settings:)`` wrote: for plug-ins in Swift behind a pipe, and for tests.
    /// - Throws: ``PluginError`` `.invalid`, `.limitExceeded`.
    public static func decode(_ octets: [UInt8]) throws(PluginError) -> (event: PluginEvent, settings: [String: String]) {
        let reader = try FrameReader(octets)
        var settings: [String: String] = [:]
        for octets in reader.many(.setting) {
            let field = try FrameReader(octets)
            settings[try field.text(.name)] = try field.text(.value)
        }
        guard let role = PluginRole(rawValue: try reader.text(.role)) else { throw PluginError(.invalid, "an unknown role") }
        let event: PluginEvent
        switch role {
        case .sending:
            event = .sending(
                SubmissionEvent(
                    message: try message(reader), recipients: try reader.addresses(.recipient),
                    identity: reader.has(.principal) ? try identity(reader) : nil, files: Set(reader.many(.presentFile)),
                    options: try options(reader)))
        case .delivery: event = .delivery(try delivery(reader))
        case .extension:
            event = .extension(
                ExtensionEvent(
                    identifier: try reader.text(.extensionIdentifier), request: try reader.one(.requestXML),
                    caller: try identity(reader)))
        case .resolver: event = .resolver(try reader.address(.address))
        }
        return (event, settings)
    }

    private static func options(_ reader: FrameReader) throws(PluginError) -> [SubmissionOption] {
        var options: [SubmissionOption] = []
        for octets in reader.many(.option) {
            let field = try FrameReader(octets)
            options.append(
                SubmissionOption(identifier: try field.text(.extensionIdentifier), content: try field.one(.requestXML)))
        }
        return options
    }

    private static func delivery(_ reader: FrameReader) throws(PluginError) -> DeliveryEvent {
        let domain: MailDomain
        do { domain = try MailDomain(try reader.text(.domain)) } catch { throw PluginError(.invalid, "\"domain\" is none") }
        return DeliveryEvent(
            eventID: try reader.text(.eventID), message: try message(reader), recipient: try reader.address(.recipient),
            hops: try reader.number(.hops), domain: domain, postmark: try reader.optional(.postmarkXML))
    }

    private static func identity(_ reader: FrameReader) throws(PluginError) -> CallerIdentity {
        CallerIdentity(
            principal: try reader.text(.principal), method: try reader.text(.method), token: try reader.optional(.token))
    }

    private static func message(_ reader: FrameReader) throws(PluginError) -> MessageFacts {
        guard let date = UTCSeconds.parse(try reader.text(.date)) else { throw PluginError(.invalid, "\"date\" is no time") }
        let traits = try reader.texts(.trait)
        var attachments: [MessageFacts.Attachment] = []
        for octets in reader.many(.attachment) {
            let field = try FrameReader(octets)
            attachments.append(
                MessageFacts.Attachment(
                    name: try field.text(.attachmentName), mediaType: try field.text(.mediaType),
                    size: UInt64(try field.number(.size)), digest: try field.one(.sha256)))
        }
        var content: MessageFacts.Content?
        if reader.has(.subject) {
            content = MessageFacts.Content(
                subject: try reader.text(.subject), text: try reader.text(.text), html: try reader.optionalText(.html))
        }
        return MessageFacts(
            id: try reader.text(.messageID), from: try reader.address(.from), to: try reader.addresses(.to),
            cc: try reader.addresses(.cc), date: date, inReplyTo: try reader.optionalText(.inReplyTo),
            replaces: try reader.optionalText(.replaces), size: try reader.number(.size), isAutomatic: traits.contains("automatic"),
            hasForm: traits.contains("form"),
            attachments: attachments, content: content, octets: try reader.optional(.messageXML))
    }
}
