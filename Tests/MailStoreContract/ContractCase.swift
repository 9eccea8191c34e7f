import MailStore
import Testing

/// One behaviour that every `MailStore` has.
///
/// A store's own tests run `ContractCase.all` as arguments of one test, each with a fresh database:
/// ```swift
/// @Test(arguments: ContractCase.all)
/// func contract(_ behaviour: ContractCase) async throws { try await behaviour.check(on: MyDatabase()) }
/// ```
public struct ContractCase: Sendable, CustomTestStringConvertible {
    public let name: String
    private let body: @Sendable (ContractContext) async throws -> Void

    init(_ name: String, _ body: @escaping @Sendable (ContractContext) async throws -> Void) {
        self.name = name
        self.body = body
    }

    public var testDescription: String { name }

    /// Runs the behaviour's test on a new, empty database.
    public func check(on database: some ContractDatabase) async throws {
        let context = ContractContext(database: database, store: try await database.open())
        do {
            try await body(context)
        } catch {
            await context.store.close()
            await database.remove()
            throw error
        }
        await context.store.close()
        await database.remove()
    }

    public static let all: [ContractCase] =
        accountCases + certificateCases + sessionCases + intakeCases + mailboxCases + queueCases + statusCases + peerCases
        + maintenanceCases + packageCases + valueCases + effectCases + settlementCases
}

/// A database of a store under test; empty at first.
public protocol ContractDatabase: Sendable {
    /// Opens it; called again after `close` to see what lasted.
    func open() async throws -> any MailStore
    func remove() async
}

/// What a behaviour's test works with.
struct ContractContext: Sendable {
    let database: any ContractDatabase
    let store: any MailStore

    /// The same database in a new process, as it were.
    func reopened() async throws -> ContractContext {
        await store.close()
        return ContractContext(database: database, store: try await database.open())
    }
}

/// Expects a `StoreError` of that code.
func expectError(
    _ code: StoreError.Code, sourceLocation: SourceLocation = #_sourceLocation, _ body: () async throws -> Void
) async {
    do {
        try await body()
        Issue.record("no error where \(code) was due", sourceLocation: sourceLocation)
    } catch let error as StoreError {
        #expect(error.code == code, "\(error)", sourceLocation: sourceLocation)
    } catch {
        Issue.record("\(error) where \(code) was due", sourceLocation: sourceLocation)
    }
}
