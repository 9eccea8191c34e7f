import Foundation
import Identity
import PluginAPI
import PluginEngine
import Synchronization

/// Runs "modules" whose text says what to do.
final class FakeEngine: PluginEngine {
    let identification = "fake"
    private let compiled = Mutex(0)
    var compilations: Int { compiled.withLock { $0 } }

    func compile(
        _ module: [UInt8], digest: [UInt8], granted: Set<PluginCapability>
    ) throws(PluginError) -> any PluginModule {
        compiled.withLock { $0 += 1 }
        let text = String(decoding: module, as: UTF8.self)
        if text == "damaged" { throw PluginError(.invalidModule, "the module is damaged") }
        if text == "count", !granted.contains(.keyValue) { throw PluginError(.notGranted, "the module imports kv_get") }
        return FakeModule(text: text)
    }

    func shutDown() {}
}

struct FakeModule: PluginModule {
    let text: String

    func describe(_ limits: CallLimits) throws(PluginError) -> [UInt8] {
        if text == "silent" { return DescriptionFrame(roles: []).octets }
        return DescriptionFrame(roles: Set(PluginRole.allCases)).octets
    }

    func handle(
        _ kind: CallKind, _ event: [UInt8], limits: CallLimits, host: any HostCalls
    ) throws(PluginError) -> [UInt8]? {
        switch text {
        case "trap": throw PluginError(.failed, "unreachable")
        case "burn":
            Thread.sleep(forTimeInterval: limits.seconds + 0.01)
            _ = try host.value(for: [1])
            return nil
        case "nonsense": return [1, 2, 3]
        case "count":
            let key = Array("n".utf8)
            let count = Int(String(decoding: try host.value(for: key) ?? [], as: UTF8.self)) ?? 0
            try host.setValue(Array(String(count + 1).utf8), for: key)
            let known = try host.keys(withPrefix: [], after: nil, limit: 10).count
            return VerdictFrames.encode(DeliveryVerdict.file(folder: "\(count) \(known)", flags: []))
        case "echo":
            let (event, settings) = try EventFrames.decode(event)
            if case .extension(let call) = event { return VerdictFrames.encode(ExtensionVerdict.answer(call.request)) }
            return VerdictFrames.encode(DeliveryVerdict.file(folder: settings["folder"] ?? "none", flags: []))
        default: return nil
        }
    }
}
