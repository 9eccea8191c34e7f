import PluginAPI
import PluginEngine
import Synchronization

/// The engine, made when it is first needed. A failure is not kept: what was missing may be there the next time.
final class EngineBox: Sendable {
    private let make: @Sendable () throws(PluginError) -> any PluginEngine
    private let engine = Mutex<(any PluginEngine)?>(nil)

    init(_ make: @escaping @Sendable () throws(PluginError) -> any PluginEngine) { self.make = make }

    /// Blocks while it is made. Throws what the maker throws.
    func get() throws(PluginError) -> any PluginEngine {
        let result = engine.withLock { engine -> Result<any PluginEngine, PluginError> in
            if let engine { return .success(engine) }
            do throws(PluginError) {
                let made = try make()
                engine = made
                return .success(made)
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    func shutDown() {
        engine.withLock { engine in
            engine?.shutDown()
            engine = nil
        }
    }
}
