import PluginAPI

/// Takes out of an event what a plug-in has not been granted.
struct EventFilter {
    let granted: Set<PluginCapability>

    func message(_ full: MessageFacts) -> MessageFacts {
        var message = full
        if !granted.contains(.content) { message.content = nil }
        if !granted.contains(.rawXML) { message.octets = nil }
        return message
    }

    /// Without `identity` nothing at all, whatever else was granted.
    func identity(_ full: CallerIdentity?) -> CallerIdentity? { granted.contains(.identity) ? full.map(caller) : nil }

    /// Who called stays: an extension must know it.
    func caller(_ full: CallerIdentity) -> CallerIdentity {
        var caller = full
        if !granted.contains(.tokens) { caller.token = nil }
        return caller
    }

    /// - Parameter owned: whether an extension is the plug-in's: what the author says to others is not for it.
    func submission(_ full: SubmissionEvent, owned: (String) -> Bool) -> SubmissionEvent {
        SubmissionEvent(
            message: message(full.message), recipients: full.recipients, identity: identity(full.identity),
            files: granted.isDisjoint(with: [.files, .blobs]) ? [] : full.files,
            options: full.options.filter { owned($0.identifier) })
    }

    func delivery(_ full: DeliveryEvent) -> DeliveryEvent {
        var delivery = full
        delivery.message = message(full.message)
        if !granted.contains(.rawXML) { delivery.postmark = nil }
        return delivery
    }

    func call(_ full: ExtensionEvent) -> ExtensionEvent {
        ExtensionEvent(identifier: full.identifier, request: full.request, caller: caller(full.caller))
    }
}
