import MailModel

extension RedirectedMail {
    /// What a message passes on, the outermost first (docs/protocol.md §2.5): only a Postmark with method `plugin` makes a Message one
    /// that passes on another, and so on inwards. Empty for all others: their authors may put any Form in them.
    ///
    /// Nothing is believed by that, not even the method.
    /// - Throws: what `chain(in:)` throws.
    static func passedOn(by message: Message, _ postmark: SealedPostmark?) throws(MailModelError) -> [RedirectedMail] {
        guard postmark?.postmark.method == .plugin else { return [] }
        let chain = try RedirectedMail.chain(in: message)
        // What an author wrote is the innermost. A Form in it is its content, and must not speak against it or in its place.
        guard let original = chain.firstIndex(where: { $0.postmark.postmark.method != .plugin }) else { return chain }
        return Array(chain.prefix(through: original))
    }
}

extension Message {
    /// It has a Form of the kind that passes on a message.
    var hasRedirectedForm: Bool { forms.contains { $0.type == RedirectedMail.formType } }
}
