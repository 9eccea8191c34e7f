// Sorts each user's mail by the user's own rules, the first that fits.
//
// A user sets and reads them through the extension urn:wsemail:example:filter:
//
//     <SetRules xmlns="urn:wsemail:example:filter">
//       <Rule name="lists"><From contains="@lists.example.org"/><File folder="Lists" flags="seen"/></Rule>
//       <Rule name="big"><Size above="5000000"/><Subject contains="backup"/><Discard/></Rule>
//       <Rule name="orders"><To is="orders@example.org"/><Redirect to="carol@example.org"/></Rule>
//     </SetRules>
//     <GetRules xmlns="urn:wsemail:example:filter"/>
//
// Both answer <Rules> with the rules that hold now. A rule fits when all its conditions do; A-Z and a-z are the same.
// Flags: seen, flagged. Setting no rule removes all.
//
// Keys: "u:" user -> a frame of rules.

enum Filter: Plugin {
    static var roles: [Role] { [.delivery, .extensions] }

    static func deliver(_ event: DeliveryEvent) -> DeliveryVerdict {
        for rule in Rule.stored(for: event.recipient.lowercased) where rule.fits(event.message) {
            switch rule.action {
            case .file(let folder, let seen, let flagged): return .file(folder: folder, seen: seen, flagged: flagged)
            case .discard: return .consume
            case .redirect(let targets):
                // A bounce of what was passed on would be passed on again.
                if !event.message.isAutomatic, mayRedirect(event.settings) { return .redirect(targets) }
            }
        }
        return .proceed
    }

    static func answer(_ event: ExtensionEvent) throws(Fault) -> Bytes {
        guard let request = XMLElement.read(event.request), request.namespace == event.identifier else {
            throw Fault("send SetRules or GetRules in the namespace of this extension")
        }
        let user = event.caller.principal.lowercased
        switch request.name {
        case "GetRules": return Rule.xml(Rule.stored(for: user), event.identifier)
        case "SetRules":
            let limit = event.settings.number("max-rules", preset: 50, in: 1...200)
            guard Int64(request.children.count) <= limit else { throw Fault(join("more than ", Bytes(decimal: limit), " rules")) }
            var rules: [Rule] = []
            for child in request.children { rules.append(try rule(child, of: user, event)) }
            try Rule.store(rules, for: user)
            return Rule.xml(rules, event.identifier)
        default: throw Fault("send SetRules or GetRules")
        }
    }

    private static func rule(_ element: XMLElement, of user: Bytes, _ event: ExtensionEvent) throws(Fault) -> Rule {
        guard element.name == "Rule", element.namespace == event.identifier else { throw Fault("SetRules holds Rule elements") }
        let rule = try Rule(element)
        if case .redirect(let targets) = rule.action {
            guard mayRedirect(event.settings) else { throw Fault("this server does not let rules redirect") }
            for target in targets where target == user { throw Fault("a rule cannot redirect to its own user") }
        }
        return rule
    }

    private static func mayRedirect(_ settings: Settings) -> Bool { settings["allow-redirect"] != "no" }
}

typealias RegisteredPlugin = Filter
