import MailStore

/// The store's word, where MailModel's is in sight too.
typealias StoredState = RecipientState
