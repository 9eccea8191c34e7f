import Foundation
import Identity
import MailStore

/// Whose federated tokens count here, and for what.
extension AdminService {
    func dispatchTokens(_ request: AdminRequest) async throws -> AdminReply {
        switch request.command {
        case .tokenList: return try await listTokenRules()
        case .tokenAllow: return try await allowTokens(request)
        default: return try await denyTokens(request)
        }
    }

    private var rules: TokenPolicies { TokenPolicies(store: store) }

    private func listTokenRules() async throws -> AdminReply {
        var rows: [[String]] = []
        for rule in try await rules.all() {
            let isRest = rule.domain == TokenPolicies.everyone
            rows.append([
                rule.domain, AdminService.text(rule.policy.services), rule.policy.allowsBearer ? "yes" : "no",
                isRest ? "every trusted domain without a rule of its own" : try await standing(rule.domain),
            ])
        }
        return AdminReply(columns: ["domain", "services", "bearer", "note"], rows: rows)
    }

    private static func text(_ services: Set<FederatedService>) -> String {
        services.isEmpty ? "none" : services.map(\.rawValue).sorted().joined(separator: ", ")
    }

    /// What an administrator should know of a domain before relying on its rule.
    private func standing(_ name: String) async throws -> String {
        guard name != TokenPolicies.everyone, let peer = try? MailDomain(name), peer != domain else { return "" }
        let anchors = try await store.trustAnchors().anchors
        let isTrusted = anchors.contains { $0.scope == .domain(peer) || $0.scope == .federation }
        return isTrusted ? "" : "not trusted: its tokens do not count until `wsemaild trust add \(peer)`"
    }

    private func allowTokens(_ request: AdminRequest) async throws -> AdminReply {
        let (key, name) = try tokenDomain(request)
        let names = try required(.services, of: request).split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
        guard key != domain.ascii else {
            throw AdminError(.invalidArgument, "users of \(domain) do here what their accounts may", hint: "name another domain")
        }
        let services = names.compactMap(FederatedService.init(rawValue:))
        guard services.count == names.count else {
            let known = FederatedService.allCases.map(\.rawValue).joined(separator: ", ")
            throw AdminError(.invalidArgument, "a token opens \(known); not \"\(names.joined(separator: ", "))\"")
        }
        let policy = TokenPolicy(services: Set(services), allowsBearer: try flag(.bearer, of: request, preset: false))
        try await rules.set(policy, for: key)
        let others = Set(FederatedService.allCases).subtracting(policy.services)
        let rest = others.isEmpty ? "" : ", and not for \(AdminService.text(others))"
        return AdminReply(
            "tokens of \(name) count for \(AdminService.text(policy.services))\(rest)", details: try await warning(key))
    }

    /// Tokens of a domain count for nothing; with `reset`, the rule for everybody counts again.
    private func denyTokens(_ request: AdminRequest) async throws -> AdminReply {
        let (key, name) = try tokenDomain(request)
        guard try flag(.reset, of: request, preset: false) else {
            try await rules.set(TokenPolicy(services: [], allowsBearer: false), for: key)
            return AdminReply("tokens of \(name) count for nothing", details: try await warning(key))
        }
        let known = try await rules.all()
        guard known.contains(where: { $0.domain == key }) else {
            throw AdminError(.invalidArgument, "there is no rule for \(name)", hint: "`wsemaild token list` shows the rules")
        }
        try await rules.set(nil, for: key)
        return AdminReply("the rule for tokens of \(name) is gone; `wsemaild token list` shows what counts now")
    }

    private func warning(_ key: String) async throws -> [String: String] {
        let note = try await standing(key)
        return note.isEmpty ? [:] : ["warning": "\(key) is \(note)"]
    }

    private func tokenDomain(_ request: AdminRequest) throws -> (key: String, name: String) {
        let text = try required(.domain, of: request)
        guard text != TokenPolicies.everyone else { return (text, "every domain without a rule of its own") }
        let domain = try MailDomain(text)
        return (domain.ascii, domain.description)
    }
}
