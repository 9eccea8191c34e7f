import Delivery
import Testing

@Suite struct AddressPolicyTests {
    @Test(arguments: [
        "127.0.0.1", "127.255.255.254", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254", "0.0.0.0",
        "100.64.0.1", "100.127.255.255", "192.0.2.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.9", "224.0.0.1",
        "255.255.255.255", "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "fec0::1", "ff02::1", "2001:db8::1",
        "2001::1", "100::1", "::ffff:127.0.0.1", "::ffff:10.1.2.3", "64:ff9b::7f00:1", "64:ff9b::a00:1", "2002:7f00:1::1",
        "2002:c0a8:101::1", "3fff::1", "localhost", "", "1.2.3", "1.2.3.4.5", "0x7f000001",
    ])
    func refusesWhatIsNotPublic(_ address: String) {
        #expect(!AddressPolicy().permits(address))
    }

    @Test(arguments: [
        "1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "172.15.255.255", "172.32.0.0", "192.167.255.255",
        "198.17.255.255", "223.255.255.255", "2606:4700::1111", "2a00::1", "2001:4860::8888", "::ffff:1.1.1.1",
        "64:ff9b::101:101",
    ])
    func permitsWhatIsPublic(_ address: String) {
        #expect(AddressPolicy().permits(address))
    }

    @Test func configurationOpensPrivateTargetsButNotNames() {
        let policy = AddressPolicy(allowPrivateTargets: true)
        #expect(policy.permits("127.0.0.1") && policy.permits("fd00::1"))
        #expect(!policy.permits("localhost"))
    }

    @Test func dropsTheBadAddressesAndKeepsTheRest() throws {
        let mixed = ServiceEndpoint(target: "a", port: 1, addresses: ["10.0.0.1", "1.1.1.1"])
        let bad = ServiceEndpoint(target: "b", port: 1, addresses: ["::1"])
        #expect(try AddressPolicy().filter([bad, mixed]).map(\.addresses) == [["1.1.1.1"]])
        let error = #expect(throws: DeliveryError.self) { try AddressPolicy().filter([bad]) }
        #expect(error?.code == .privateTarget && error?.isTransient == false)
    }
}
