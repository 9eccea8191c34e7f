import Testing
import XMLCore

@testable import SOAP

@Suite struct WSDLTests {
    private let document = WSDL.document(address: "https://mail.capicom.test/wsemail?a=1&b=\"2\"")

    @Test func isWellFormedAndNamesTheAddress() throws {
        let start = try #require(document.firstIndex(of: UInt8(ascii: "\n")))
        let root = try XMLDocument.parse(Array(document[(start + 1)...])).root
        #expect(root.name == XMLName(Namespaces.wsdl, "definitions"))
        let port = try root.only(XMLName(Namespaces.wsdl, "service")).only(XMLName(Namespaces.wsdl, "port"))
        let address = try port.only(XMLName(Namespaces.wsdlSOAP12, "address"))
        #expect(address.attribute("location") == "https://mail.capicom.test/wsemail?a=1&b=\"2\"")
    }

    @Test func everyOperationHasItsActionInBindingAndPort() throws {
        let start = try #require(document.firstIndex(of: UInt8(ascii: "\n")))
        let root = try XMLDocument.parse(Array(document[(start + 1)...])).root
        let operationName = XMLName(Namespaces.wsdl, "operation")
        let bound = try root.only(XMLName(Namespaces.wsdl, "binding")).all(operationName)
        let actions = try bound.map {
            try $0.only(XMLName(Namespaces.wsdlSOAP12, "operation")).attribute("soapAction")
        }
        #expect(actions == MailOperation.allCases.map(\.action))
        let inputs = try root.only(XMLName(Namespaces.wsdl, "portType")).all(operationName).map {
            try $0.only(XMLName(Namespaces.wsdl, "input")).attribute("Action", namespace: Namespaces.wsam)
        }
        #expect(inputs == MailOperation.allCases.map(\.action))
    }

    @Test func everyPayloadIsInTheSchema() throws {
        let schema = try XMLDocument.parse(Array(Schema.wsemail.utf8)).root
        let declared = Set(schema.all(XMLName(Namespaces.xsd, "element")).compactMap { $0.attribute("name") })
        for operation in MailOperation.allCases where !operation.isTrust {
            #expect(declared.contains(operation.payloadName.localName))
            #expect(declared.contains(operation.replyName.localName))
        }
    }

    @Test func everyMessageIsDefinedOnceAndNamesADeclaredElement() throws {
        let start = try #require(document.firstIndex(of: UInt8(ascii: "\n")))
        let root = try XMLDocument.parse(Array(document[(start + 1)...])).root
        let messages = root.all(XMLName(Namespaces.wsdl, "message"))
        let names = messages.compactMap { $0.attribute("name") }
        #expect(Set(names).count == names.count)
        let schemas = try root.only(XMLName(Namespaces.wsdl, "types")).all(XMLName(Namespaces.xsd, "schema"))
        let declared = Set(
            schemas.flatMap { $0.all(XMLName(Namespaces.xsd, "element")) }.compactMap { $0.attribute("name") })
        for message in messages {
            let element = try message.only(XMLName(Namespaces.wsdl, "part")).attribute("element")
            #expect(declared.contains(String(try #require(element).dropFirst(2))))
        }
        let used = root.all(XMLName(Namespaces.wsdl, "portType")).flatMap { $0.all(XMLName(Namespaces.wsdl, "operation")) }
            .flatMap { [$0.first(XMLName(Namespaces.wsdl, "input")), $0.first(XMLName(Namespaces.wsdl, "output"))] }
            .compactMap { $0?.attribute("message")?.dropFirst(2) }.map(String.init)
        #expect(Set(used) == Set(names))
    }
}
