import Foundation
import Identity
import MailStore
import Testing

extension ContractCase {
    private static func package(_ id: String, version: String = "1.0", state: [UInt8] = []) -> PluginPackageRecord {
        PluginPackageRecord(
            id: id, version: version, digest: Sample.digest(Array(version.utf8)), installed: Sample.now, isPresent: true, state: state)
    }

    static let packageCases: [ContractCase] = [
        ContractCase("a package is stored with its state, listed by id and there after a restart") { context in
            let large = [UInt8](repeating: 0xA5, count: 3_000_000)
            try await context.store.installPackage(package("org.example.b", state: [1]), octets: large)
            try await context.store.installPackage(package("org.example.a"), octets: [])
            let context = try await context.reopened()
            let store = context.store
            #expect(try await store.packages() == [package("org.example.a"), package("org.example.b", state: [1])])
            #expect(try await store.packageOctets("org.example.b") == large)
            #expect(try await store.packageOctets("org.example.a") == [])
            #expect(try await store.packageOctets("org.example.c") == nil)
            #expect(try await store.setPackageState("org.example.b", to: [2, 3]))
            #expect(try await store.setPackageState("org.example.c", to: [2]) == false)
            #expect(try await store.packages().map(\.state) == [[], [2, 3]])
            #expect(try await store.packageOctets("org.example.b") == large)
            await store.close()
        },
        ContractCase("a package is replaced whole, and a removed one is remembered") { context in
            let store = context.store
            try await store.installPackage(package("org.example.a"), octets: [1])
            try await store.installPackage(package("org.example.a", version: "2.0", state: [9]), octets: [2])
            #expect(try await store.packages() == [package("org.example.a", version: "2.0", state: [9])])
            #expect(try await store.packageOctets("org.example.a") == [2])
            #expect(try await store.removePackage("org.example.a", deletingValues: false))
            #expect(try await store.removePackage("org.example.a", deletingValues: false) == false)
            #expect(try await store.removePackage("org.example.b", deletingValues: true) == false)
            let left = try #require(try await store.packages().first)
            #expect(!left.isPresent && left.version == "2.0" && left.state == [9])
            #expect(try await store.packageOctets("org.example.a") == nil)
            #expect(try await store.setPackageState("org.example.a", to: [8]))
            let absent = PluginPackageRecord(
                id: "org.example.a", version: "3.0", digest: [], installed: Sample.now + 1, isPresent: false, state: [])
            try await store.installPackage(absent, octets: [3])
            let again = try #require(try await store.packages().first)
            #expect(again.isPresent && again.version == "3.0" && again.installed == Sample.now + 1 && again.digest == [])
            #expect(try await store.packageOctets("org.example.a") == [3])
        },
        ContractCase("the values of a removed package go if asked to, those of others stay") { context in
            let store = context.store
            try await store.installPackage(package("org.a"), octets: [1])
            let others = ["org.a", "org.a-b/x", "org.a0", "org/a", "org.ab/x"]
            for plugin in ["org.a/x", "org.a/y"] + others { try await store.put("key", "value", of: plugin) }
            #expect(try await store.removePackage("org.a", deletingValues: false))
            #expect(try await store.text("key", of: "org.a/x")?.text == "value")
            // Also later, when the package is gone already.
            #expect(try await store.removePackage("org.a", deletingValues: true) == false)
            for plugin in ["org.a/x", "org.a/y"] {
                #expect(try await store.text("key", of: plugin) == nil)
                #expect(try await store.pluginUsage(plugin) == (count: 0, bytes: 0))
            }
            for plugin in others {
                #expect(try await store.text("key", of: plugin)?.text == "value", "\(plugin)")
                #expect(try await store.pluginUsage(plugin) == (count: 1, bytes: 8), "\(plugin)")
            }
            #expect(try await store.check().problems == [])
        },
        ContractCase("packages and states have limits") { context in
            let store = context.store
            let state = [UInt8](repeating: 1, count: 262_144)
            try await store.installPackage(package("org.a", state: state), octets: [UInt8](repeating: 2, count: 32 << 20))
            #expect(try await store.packageOctets("org.a")?.count == 32 << 20)
            await expectError(.invalid) {
                try await store.installPackage(package("org.b"), octets: [UInt8](repeating: 2, count: 32 << 20 + 1))
            }
            await expectError(.invalid) { try await store.installPackage(package("org.b", state: state + [1]), octets: [1]) }
            await expectError(.invalid) { _ = try await store.setPackageState("org.a", to: state + [1]) }
            await expectError(.invalid) { try await store.installPackage(package(""), octets: [1]) }
            #expect(try await store.packages().map(\.state) == [state])
        },
    ]

    static let valueCases: [ContractCase] = [
        ContractCase("values are written, replaced, removed and counted, per plug-in") { context in
            let store = context.store
            let other = "org.example.other/x"
            try await store.put("a", "one")
            try await store.put("b", "")
            try await store.put("a", "other", of: other)
            #expect(try await store.text("a")?.text == "one")
            #expect(try await store.text("b")?.text == "")
            #expect(try await store.text("a", of: other)?.text == "other")
            #expect(try await store.text("b", of: other) == nil)
            #expect(try await store.pluginUsage(Sample.plugin) == (count: 2, bytes: 5))
            try await store.put("a", "four!")
            #expect(try await store.pluginUsage(Sample.plugin) == (count: 2, bytes: 7))
            try await store.put("a", nil)
            try await store.put("never", nil)
            #expect(try await store.text("a") == nil)
            let context = try await context.reopened()
            #expect(try await context.store.pluginUsage(Sample.plugin) == (count: 1, bytes: 1))
            #expect(try await context.store.pluginUsage("nobody") == (count: 0, bytes: 0))
            #expect(try await context.store.text("a", of: other)?.text == "other")
            #expect(try await context.store.check().problems == [])
            await context.store.close()
        },
        ContractCase("a version grows with every write and never comes back") { context in
            let store = context.store
            var last: Int64 = 0
            for value in ["a", "a", nil, "a", "b"] {
                try await store.put("key", value)
                try await store.put("other", "x")
                guard let version = try await store.text("key")?.version else { continue }
                #expect(version > last)
                last = version
            }
            // Nothing that is left remembers the versions.
            for key in ["other", "key"] { try await store.put(key, nil) }
            let context = try await context.reopened()
            try await context.store.put("key", "b")
            #expect(try #require(try await context.store.text("key")).version > last)
            await context.store.close()
        },
        ContractCase("the last write of a key counts") { context in
            let store = context.store
            try await store.put("gone", "x")
            let writes = [
                Sample.write("a", "1"), Sample.write("b", "1"), Sample.write("a", nil), Sample.write("a", "22"),
                Sample.write("gone", "y"), Sample.write("gone", nil), Sample.write("a", "3", of: "p"),
            ]
            #expect(try await store.commit(PluginEffects(writes: writes), now: Sample.now))
            #expect(try await store.text("a")?.text == "22")
            #expect(try await store.text("b")?.text == "1")
            #expect(try await store.text("gone") == nil)
            #expect(try await store.text("a", of: "p")?.text == "3")
            #expect(try await store.pluginUsage(Sample.plugin) == (count: 2, bytes: 5))
        },
        ContractCase("keys are listed in byte order, by prefix and page") { context in
            let store = context.store
            let keys: [[UInt8]] = [[0], [1], [1, 0], [1, 0xFF], [1, 0xFF, 0xFF], [2], [0xFF], [0xFF, 0xFF], [0xFF, 0xFF, 1]]
            let writes = keys.shuffled().map { PluginValueWrite(plugin: Sample.plugin, key: $0, value: []) }
            #expect(try await store.commit(PluginEffects(writes: writes), now: Sample.now))
            try await store.put("zzz", "x", of: "other")
            func list(_ prefix: [UInt8], after cursor: [UInt8]? = nil, _ limit: Int = 100) async throws -> [[UInt8]] {
                try await store.pluginKeys(prefix: prefix, after: cursor, limit: limit, of: Sample.plugin)
            }
            #expect(try await list([]) == keys)
            #expect(try await list([1]) == Array(keys[1...4]))
            #expect(try await list([1, 0xFF]) == Array(keys[3...4]))
            #expect(try await list([0xFF]) == Array(keys[6...]))
            #expect(try await list([0xFF, 0xFF]) == Array(keys[7...]))
            #expect(try await list([3]) == [])
            #expect(try await list([], 0) == [])
            #expect(try await list([], -1) == [])
            #expect(try await list([1], after: [1, 0]) == Array(keys[3...4]))
            #expect(try await list([1], after: [1, 0, 0]) == Array(keys[3...4]))
            #expect(try await list([1], after: [0]) == Array(keys[1...4]))
            #expect(try await list([1], after: [2]) == [])
            #expect(try await list([], after: [0xFF, 0xFF, 1]) == [])
            var pages: [[UInt8]] = []
            while true {
                let page = try await list([], after: pages.last, 2)
                if page.isEmpty { break }
                pages += page
            }
            #expect(pages == keys)
        },
        ContractCase("after any history the values, keys and usage are those of a dictionary") { context in
            let store = context.store
            var model: [[UInt8]: [UInt8]] = [:]
            var seed: UInt64 = 7
            func random(_ bound: Int) -> Int {
                seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                return Int(seed >> 33) % bound
            }
            for _ in 0..<120 {
                let writes = (0..<random(6)).map { _ in
                    let key = (0...random(3)).map { _ in [UInt8(0), 1, 0xFE, 0xFF][random(4)] }
                    let value = random(3) == 0 ? nil : [UInt8](repeating: 1, count: random(20))
                    return PluginValueWrite(plugin: Sample.plugin, key: key, value: value)
                }
                for write in writes { model[write.key] = write.value }
                let isDone = try await store.commit(PluginEffects(writes: writes), now: Sample.now)
                #expect(isDone)
            }
            let keys = model.keys.sorted { $0.lexicographicallyPrecedes($1) }
            #expect(try await store.pluginKeys(prefix: [], after: nil, limit: 1000, of: Sample.plugin) == keys)
            for key in keys { #expect(try await store.pluginValue(key, of: Sample.plugin)?.value == model[key]) }
            for prefix in [[UInt8(0)], [1, 0xFF], [0xFF], [0xFF, 0xFE]] {
                let expected = keys.filter { $0.starts(with: prefix) }
                #expect(try await store.pluginKeys(prefix: prefix, after: nil, limit: 1000, of: Sample.plugin) == expected)
            }
            let bytes = model.reduce(0) { $0 + $1.key.count + $1.value.count }
            #expect(try await store.pluginUsage(Sample.plugin) == (count: model.count, bytes: Int64(bytes)))
            #expect(try await store.check().problems == [])
        },
        ContractCase("keys and values have limits") { context in
            let store = context.store
            func commit(_ key: Int, _ value: Int, of plugin: String = Sample.plugin) async throws {
                let write = PluginValueWrite(
                    plugin: plugin, key: [UInt8](repeating: 7, count: key), value: [UInt8](repeating: 8, count: value))
                _ = try await store.commit(PluginEffects(writes: [write]), now: Sample.now)
            }
            try await commit(512, 65_536)
            #expect(try await store.pluginValue([UInt8](repeating: 7, count: 512), of: Sample.plugin)?.value.count == 65_536)
            await expectError(.invalid) { try await commit(513, 1) }
            await expectError(.invalid) { try await commit(0, 1) }
            await expectError(.invalid) { try await commit(1, 65_537) }
            await expectError(.invalid) { try await commit(1, 1, of: "") }
            // One bad write keeps the good ones out.
            await expectError(.invalid) {
                let writes = [Sample.write("good", "x"), Sample.write("", "x")]
                _ = try await store.commit(PluginEffects(writes: writes), now: Sample.now)
            }
            #expect(try await store.text("good") == nil)
            #expect(try await store.pluginUsage(Sample.plugin).count == 1)
        },
        ContractCase("a stale check keeps all of it out") { context in
            let store = context.store
            try await store.createAccounts(Sample.bob)
            try await store.put("a", "1")
            let version = try #require(try await store.text("a")).version
            func commit(_ checks: PluginValueCheck...) async throws -> Bool {
                let effects = PluginEffects(
                    checks: checks, writes: [Sample.write("b", "new")], messages: [Sample.notice(1, to: [Sample.bob])])
                return try await store.commit(effects, now: Sample.now)
            }
            #expect(try await commit(Sample.check("a", nil)) == false)
            #expect(try await commit(Sample.check("a", version - 1)) == false)
            #expect(try await commit(Sample.check("missing", version)) == false)
            #expect(try await commit(Sample.check("a", version), Sample.check("a", version, of: "other")) == false)
            #expect(try await store.text("b") == nil)
            #expect(try await store.ids(Sample.bob) == [])
            #expect(try await commit(Sample.check("a", version), Sample.check("b", nil)))
            #expect(try await commit(Sample.check("a", version), Sample.check("b", nil)) == false)
            #expect(try await store.text("b")?.text == "new")
            #expect(try await store.ids(Sample.bob) == [Sample.id(1)])
            // Reading alone commits too.
            #expect(try await store.commit(PluginEffects(checks: [Sample.check("a", version)]), now: Sample.now))
            #expect(try await store.commit(PluginEffects(checks: [Sample.check("a", nil)]), now: Sample.now) == false)
            #expect(try await store.commit(PluginEffects(), now: Sample.now))
        },
        ContractCase("of many that read the same value, one writes") { context in
            let store = context.store
            try await store.put("count", "0")
            let version = try #require(try await store.text("count")).version
            let winners = try await withThrowingTaskGroup(of: Bool.self) { group in
                for number in 1...20 {
                    group.addTask {
                        let effects = PluginEffects(
                            checks: [Sample.check("count", version)], writes: [Sample.write("count", "\(number)")])
                        return try await store.commit(effects, now: Sample.now)
                    }
                }
                return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(winners == 1)
        },
        ContractCase("a counter that many raise loses nothing") { context in
            let store = context.store
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 1...8 {
                    group.addTask {
                        for _ in 1...10 {
                            while true {
                                let old = try await store.text("count")
                                let next = (old.flatMap { Int($0.text) } ?? 0) + 1
                                let effects = PluginEffects(
                                    checks: [Sample.check("count", old?.version)], writes: [Sample.write("count", "\(next)")])
                                if try await store.commit(effects, now: Sample.now) { break }
                            }
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await store.text("count")?.text == "80")
        },
    ]
}
