// Does nothing in two roles: what a plug-in costs a message at least.

enum Noop: Plugin {
    static var roles: [Role] { [.sending, .delivery] }
}

typealias RegisteredPlugin = Noop
