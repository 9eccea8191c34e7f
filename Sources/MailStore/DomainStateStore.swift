/// Small state of the domain itself.
public protocol DomainStateStore: Sendable {
    /// Adds one to a named counter and returns it; the first is 1. Never gives a value twice, whatever happens.
    func nextCounter(_ name: String) async throws(StoreError) -> Int64
    /// The last value given; 0 if none.
    func counter(_ name: String) async throws(StoreError) -> Int64

    /// A small value, or nil.
    func setting(_ key: String, in namespace: String) async throws(StoreError) -> [UInt8]?
    /// All values of a namespace.
    func settings(in namespace: String) async throws(StoreError) -> [String: [UInt8]]
    /// Stores a small value (at most 64 KiB, `invalid`); nil removes it.
    func setSetting(_ key: String, in namespace: String, to value: [UInt8]?) async throws(StoreError)
}
