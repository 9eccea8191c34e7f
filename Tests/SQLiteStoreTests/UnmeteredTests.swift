import MailStore
import MailStoreContract
import Testing

@testable import SQLiteStore

@Suite struct UnmeteredTests {
    @Test("what the host and what is compiled in keep counts for no quota")
    func unmetered() async throws {
        let database = try TestDatabase { $0.pluginValueBytes = 10 }
        let store = try database.store()
        for plugin in ["org.wsemail.builtin/attachments", "org.wsemail.host/holds"] {
            let write = PluginValueWrite(plugin: plugin, key: [1], value: Array(repeating: 0, count: 1_000))
            #expect(try await store.commit(PluginEffects(writes: [write]), now: Sample.now))
            #expect(try await store.pluginUsage(plugin) == (count: 1, bytes: 1_001))
        }
        for plugin in ["org.wsemail.builtinx/a", "org.wsemail/host", "a.x/org.wsemail.host/"] {
            let write = PluginValueWrite(plugin: plugin, key: [1], value: Array(repeating: 0, count: 10))
            await #expect(throws: StoreError.self) { try await store.commit(PluginEffects(writes: [write]), now: Sample.now) }
        }
        await store.close()
    }
}
