import Foundation
import Identity
import PluginAPI
import PluginHost

/// What plug-ins there are and who may publish them.
extension AdminService {
    /// The running plug-ins, or what the store says where none run.
    private func statuses() async throws -> [PluginStatus] {
        if let running = hooks.pluginStatuses { return await running() }
        return try await plugins.list()
    }

    func listPlugins() async throws -> AdminReply {
        AdminReply(
            columns: ["plugin", "version", "state", "roles", "policy", "calls_count", "failures_count", "publisher", "reason"],
            rows: try await statuses().map { status in
                [
                    status.identifier.description, status.version.description, AdminService.word(status.state),
                    AdminService.roles(status), status.policy.rawValue, String(status.metrics.calls), String(status.metrics.failures),
                    status.publisher ?? "compiled in", AdminService.reason(status.state),
                ]
            })
    }

    func showPlugin(_ request: AdminRequest) async throws -> AdminReply {
        let name = try required(.plugin, of: request)
        let found = try await statuses().filter { AdminService.names(name, $0) }
        guard let status = found.first else { throw AdminService.noPlugin(name) }
        guard found.count == 1 else {
            let names = found.map(\.identifier.description).joined(separator: ", ")
            throw AdminError(.invalidArgument, "\(name) has several plug-ins: name one of \(names)")
        }
        let metrics = status.metrics
        var details = [
            "plugin": status.identifier.description, "version": status.version.description, "summary": status.summary,
            "publisher": status.publisher ?? "compiled in", "state": AdminService.word(status.state), "roles": AdminService.roles(status),
            "extensions": status.extensions.map(\.identifier).joined(separator: ", "), "policy": status.policy.rawValue,
            "capabilities_asked": AdminService.list(status.declared), "capabilities_granted": AdminService.list(status.granted),
            "time_limit": "\(status.effectiveLimits.seconds) s", "memory_limit": "\(status.effectiveLimits.memory >> 20) MB",
            "calls_count": String(metrics.calls), "failures_count": String(metrics.failures),
            "timeouts_count": String(metrics.timeouts), "running_count": String(metrics.inFlight),
            "mean_microseconds": metrics.calls == 0 ? "-" : String(metrics.totalMicroseconds / metrics.calls),
            "values_kept_count": String(status.storage.count), "values_size_bytes": String(status.storage.bytes),
        ]
        let reason = AdminService.reason(status.state)
        if !reason.isEmpty { details["reason"] = reason }
        return AdminReply(
            columns: ["setting", "value"], rows: status.settings.sorted { $0.key < $1.key }.map { [$0.key, $0.value] }, details: details)
    }

    private static func list(_ capabilities: Set<PluginCapability>) -> String {
        capabilities.isEmpty ? "none" : capabilities.sorted().map(\.rawValue).joined(separator: ", ")
    }

    private static func roles(_ status: PluginStatus) -> String {
        status.roles.sorted { $0.key < $1.key }.map { "\($0.key.rawValue) \($0.value)" }.joined(separator: ", ")
    }

    private static func word(_ state: PluginStatus.State) -> String {
        switch state {
        case .active: "active"
        case .disabled: "disabled"
        case .unloaded: "unloaded"
        case .suspended: "suspended"
        case .failed: "failed"
        case .notRunning: "not running"
        case .removed: "removed"
        }
    }

    private static func reason(_ state: PluginStatus.State) -> String {
        switch state {
        case .failed(let reason), .suspended(let reason): reason
        default: ""
        }
    }

    // MARK: Publishers

    func dispatchPublishers(_ request: AdminRequest, _ caller: AdminCaller) async throws -> AdminReply {
        let manager = plugins
        switch request.command {
        case .publisherAdd:
            let anchor = try await manager.addPublisher(
                pem: try required(.certificate, of: request), label: request[.label] ?? "", by: "\(caller)")
            return AdminReply(
                "packages of \(anchor.label) are believed from now on", details: ["fingerprint": anchor.fingerprint.description])
        case .publisherList:
            return AdminReply(
                columns: ["fingerprint", "label", "expires_at", "added_at", "added_by"],
                rows: try await manager.publishers().map { publisher in
                    [
                        publisher.fingerprint.description, publisher.label, timestamp(publisher.expires), timestamp(publisher.added),
                        publisher.addedBy,
                    ]
                })
        case .publisherRemove:
            try await manager.removePublisher(fingerprint: Fingerprint(required(.fingerprint, of: request)))
            return try await publishersChanged("the publisher is no longer believed")
        default:
            try await manager.revokeCertificate(
                fingerprint: Fingerprint(required(.fingerprint, of: request)), reason: request[.reason] ?? "")
            return try await publishersChanged("the certificate is revoked")
        }
    }

    /// Plug-ins of a publisher who is no longer believed are taken out at once.
    private func publishersChanged(_ done: String) async throws -> AdminReply {
        guard let reconcile = hooks.reconcilePlugins else { return AdminReply(done) }
        let out = try await reconcile().filter { if case .failed = $0.state { true } else { false } }
        guard !out.isEmpty else { return AdminReply(done) }
        return AdminReply("\(done); out of work: " + out.map(\.identifier.description).joined(separator: ", "))
    }
}
