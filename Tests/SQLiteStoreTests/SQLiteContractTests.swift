import MailStoreContract
import Testing

@Suite("SQLite keeps the store's contract")
struct SQLiteContractTests {
    @Test(arguments: ContractCase.all)
    func contract(_ behaviour: ContractCase) async throws {
        try await behaviour.check(on: TestDatabase())
    }
}
