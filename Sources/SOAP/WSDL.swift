import XMLCore

/// The service's WSDL 1.1: one `soap12:binding`, document/literal, an action on every operation.
///
/// Its shape follows what stock stacks need (docs/protocol.md, "Interoperability"): `soapAction` everywhere,
/// `wsam:Action` on inputs, all types inline.
public enum WSDL {
    public static let contentType = "text/xml; charset=utf-8"

    /// The document for the endpoint at `address` (the URL of `POST /wsemail`).
    public static func document(address: String) -> [UInt8] {
        var text = ##"""
            <?xml version="1.0" encoding="UTF-8"?>
            <wsdl:definitions xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/"
                              xmlns:soap12="http://schemas.xmlsoap.org/wsdl/soap12/"
                              xmlns:wsam="http://www.w3.org/2007/05/addressing/metadata"
                              xmlns:w="urn:wsemail:2"
                              xmlns:t="http://docs.oasis-open.org/ws-sx/ws-trust/200512"
                              name="WSEmail" targetNamespace="urn:wsemail:2">
            <wsdl:types>

            """##
        text += Schema.wsemail + "\n" + trustSchema + "\n</wsdl:types>\n"
        for operation in uniquePayloads { text += messages(of: operation) }
        text += "<wsdl:portType name=\"WSEmail\">\n"
        for operation in MailOperation.allCases { text += portOperation(operation) }
        text += "</wsdl:portType>\n"
        text += "<wsdl:binding name=\"WSEmailSoap12\" type=\"w:WSEmail\">\n"
        text += "<soap12:binding style=\"document\" transport=\"http://schemas.xmlsoap.org/soap/http\"/>\n"
        for operation in MailOperation.allCases { text += boundOperation(operation) }
        text += "</wsdl:binding>\n<wsdl:service name=\"WSEmail\">\n"
        text += "<wsdl:port name=\"WSEmailSoap12\" binding=\"w:WSEmailSoap12\">"
        text += "<soap12:address location=\"\(escaped(address))\"/></wsdl:port>\n"
        text += "</wsdl:service>\n</wsdl:definitions>\n"
        return Array(text.utf8)
    }

    /// WS-Trust's own schema is not inlined: our part of it is described in docs/protocol.md.
    private static let trustSchema = #"""
        <xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"
                   targetNamespace="http://docs.oasis-open.org/ws-sx/ws-trust/200512" elementFormDefault="qualified">
          <xs:element name="RequestSecurityToken">
            <xs:complexType>
              <xs:sequence>
                <xs:any namespace="##any" processContents="skip" minOccurs="0" maxOccurs="unbounded"/>
              </xs:sequence>
              <xs:attribute name="Context" type="xs:anyURI"/>
            </xs:complexType>
          </xs:element>
          <xs:element name="RequestSecurityTokenResponse">
            <xs:complexType>
              <xs:sequence>
                <xs:any namespace="##any" processContents="skip" minOccurs="0" maxOccurs="unbounded"/>
              </xs:sequence>
              <xs:attribute name="Context" type="xs:anyURI"/>
            </xs:complexType>
          </xs:element>
          <xs:element name="RequestSecurityTokenResponseCollection">
            <xs:complexType>
              <xs:sequence>
                <xs:any namespace="##any" processContents="skip" minOccurs="1" maxOccurs="unbounded"/>
              </xs:sequence>
            </xs:complexType>
          </xs:element>
        </xs:schema>
        """#

    /// The three session operations share one pair of messages.
    private static var uniquePayloads: [MailOperation] {
        MailOperation.allCases.filter { $0 != .renewToken && $0 != .cancelToken }
    }

    private static func messageName(_ operation: MailOperation) -> String {
        switch operation {
        case .renewToken, .cancelToken: MailOperation.issueToken.rawValue
        default: operation.rawValue
        }
    }

    private static func messages(of operation: MailOperation) -> String {
        let prefix = operation.isTrust ? "t" : "w"
        return """
            <wsdl:message name="\(messageName(operation))Input">\
            <wsdl:part name="parameters" element="\(prefix):\(operation.payloadName.localName)"/></wsdl:message>
            <wsdl:message name="\(messageName(operation))Output">\
            <wsdl:part name="parameters" element="\(prefix):\(operation.replyName.localName)"/></wsdl:message>

            """
    }

    private static func portOperation(_ operation: MailOperation) -> String {
        """
        <wsdl:operation name="\(operation.rawValue)">\
        <wsdl:input message="w:\(messageName(operation))Input" wsam:Action="\(operation.action)"/>\
        <wsdl:output message="w:\(messageName(operation))Output" wsam:Action="\(operation.replyAction)"/>\
        </wsdl:operation>

        """
    }

    private static func boundOperation(_ operation: MailOperation) -> String {
        """
        <wsdl:operation name="\(operation.rawValue)">\
        <soap12:operation soapAction="\(operation.action)" style="document"/>\
        <wsdl:input><soap12:body use="literal"/></wsdl:input>\
        <wsdl:output><soap12:body use="literal"/></wsdl:output></wsdl:operation>

        """
    }

    private static func escaped(_ text: String) -> String {
        var out = ""
        for character in text.unicodeScalars {
            switch character {
            case "&": out += "&amp;"
            case "<": out += "&lt;"
            case "\"": out += "&quot;"
            default: out.unicodeScalars.append(character)
            }
        }
        return out
    }
}
