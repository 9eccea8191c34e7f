import Testing
import X509

@testable import WSSecurity

@Suite struct DistinguishedNameTests {
    private func name() throws -> DistinguishedName {
        try DistinguishedName {
            CountryName("DE")
            OrganizationName("Capicom, Inc. \"West\"")
            CommonName("Root  CA é")
        }
    }

    @Test(arguments: [
        "CN=Root CA é,O=Capicom\\, Inc. \\\"West\\\",C=DE", "CN=Root CA \\C3\\A9, O=Capicom\\2C Inc. \\22West\\22, C=DE",
        "cn = Root CA é , o = \"Capicom, Inc. \\\"West\\\"\" ; c=DE", "C=DE,O=Capicom\\, Inc. \\\"West\\\",CN=Root CA é",
        "2.5.4.3=Root CA é,OID.2.5.4.10=Capicom\\, Inc. \\\"West\\\",C=DE",
    ])
    func spellingsOfOneName(text: String) throws {
        let parsed = try #require(DistinguishedNameText(parsing: text))
        #expect(parsed.matches(try name()))
    }

    @Test(arguments: [
        "CN=Root CA é,C=DE", "CN=Root CA é,O=Other,C=DE", "O=Capicom\\, Inc. \\\"West\\\",CN=Root CA é,C=DE",
        "CN=Root CA é+O=Capicom\\, Inc. \\\"West\\\",C=DE",
    ])
    func otherNames(text: String) throws {
        #expect(DistinguishedNameText(parsing: text)?.matches(try name()) != true)
    }

    @Test(arguments: ["", "CN", "=x", "CN=a,", "XX=a", "CN=#0C01", "CN=\"a", "CN=a\\", "CN=a\\4", "CN=a,O=\"b\" c"])
    func malformedOnes(text: String) {
        #expect(DistinguishedNameText(parsing: text) == nil)
    }

    @Test func serialsAreDecimal() {
        #expect(DecimalInteger.bytes("0") == [])
        #expect(DecimalInteger.bytes("255") == [255])
        #expect(DecimalInteger.bytes("256") == [1, 0])
        #expect(DecimalInteger.bytes("00340282366920938463463374607431768211455") == [UInt8](repeating: 255, count: 16))
        for text in ["", "-1", "0x1", "1 ", String(repeating: "9", count: 61)] { #expect(DecimalInteger.bytes(text) == nil) }
    }
}
