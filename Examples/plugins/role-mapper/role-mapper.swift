// Maps role addresses to people: mail to purchasing@ goes to whom the administrator named.
//
//     wsemaild plugin set org.example.role-mapper role.purchasing "ann@example.org, bob"
//
// A name without @ is one of the role's own domain. What is no address is passed over.

enum RoleMapper: Plugin {
    static var roles: [Role] { [.resolver] }

    static func resolve(_ event: ResolverEvent) -> [Bytes]? {
        let address = event.address.lowercased
        guard let (local, domain) = address.addressParts else { return nil }
        var targets: [Bytes] = []
        for name in event.settings.list(join("role.", local)) {
            let target = name.contains(0x40) ? name.lowercased : join(name.lowercased, "@", domain)
            if target != address, target.isPlainAddress, !targets.contains(target), targets.count < 100 { targets.append(target) }
        }
        return targets.isEmpty ? nil : targets
    }
}

typealias RegisteredPlugin = RoleMapper
