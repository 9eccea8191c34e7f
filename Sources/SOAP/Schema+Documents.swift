extension Schema {
    /// The beginning: simple values, and the documents that are signed and stored.
    static let documents = #"""
        <xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:w="urn:wsemail:2"
                   targetNamespace="urn:wsemail:2" elementFormDefault="qualified">

          <!-- Simple values -->
          <xs:simpleType name="MessageIdType">
            <xs:restriction base="xs:anyURI">
              <xs:pattern value="urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"/>
            </xs:restriction>
          </xs:simpleType>
          <xs:simpleType name="AddressType">
            <xs:restriction base="xs:string"><xs:minLength value="3"/><xs:maxLength value="254"/></xs:restriction>
          </xs:simpleType>
          <xs:simpleType name="DigestType">
            <xs:restriction base="xs:base64Binary"><xs:length value="32"/></xs:restriction>
          </xs:simpleType>
          <xs:simpleType name="ConstraintType">
            <xs:restriction base="xs:string">
              <xs:enumeration value="instant"/><xs:enumeration value="deleteIfUndeliverable"/>
              <xs:enumeration value="encrypted"/><xs:enumeration value="direct"/>
            </xs:restriction>
          </xs:simpleType>
          <xs:simpleType name="RecipientStatusType">
            <xs:restriction base="xs:string">
              <xs:enumeration value="accepted"/><xs:enumeration value="delivered"/>
              <xs:enumeration value="refused"/><xs:enumeration value="read"/>
              <xs:enumeration value="unknown"/>
            </xs:restriction>
          </xs:simpleType>
          <xs:complexType name="MailboxType">
            <xs:simpleContent>
              <xs:extension base="w:AddressType"><xs:attribute name="name" type="xs:string"/></xs:extension>
            </xs:simpleContent>
          </xs:complexType>
          <xs:complexType name="EmptyType"/>

          <!-- Message: what its author writes -->
          <xs:complexType name="BodyType">
            <xs:sequence>
              <xs:element name="Text" type="xs:string"/>
              <xs:element name="Html" type="xs:string" minOccurs="0"/>
            </xs:sequence>
          </xs:complexType>
          <xs:complexType name="AttachmentType">
            <xs:attribute name="name" type="xs:string" use="required"/>
            <xs:attribute name="type" type="xs:string" use="required"/>
            <xs:attribute name="size" type="xs:nonNegativeInteger" use="required"/>
            <xs:attribute name="sha256" type="w:DigestType" use="required"/>
            <xs:attribute name="description" type="xs:string"/>
          </xs:complexType>
          <xs:complexType name="FormType">
            <xs:sequence><xs:any namespace="##any" processContents="skip"/></xs:sequence>
            <xs:attribute name="type" type="xs:anyURI" use="required"/>
            <xs:attribute name="version" type="xs:string" use="required"/>
            <xs:attribute name="locator" type="xs:anyURI"/>
          </xs:complexType>
          <xs:complexType name="MessageType">
            <xs:sequence>
              <xs:element name="Id" type="w:MessageIdType"/>
              <xs:element name="From" type="w:MailboxType"/>
              <xs:element name="To" type="w:MailboxType" minOccurs="0" maxOccurs="unbounded"/>
              <xs:element name="Cc" type="w:MailboxType" minOccurs="0" maxOccurs="unbounded"/>
              <xs:element name="Subject" type="xs:string"/>
              <xs:element name="Date" type="xs:dateTime"/>
              <xs:element name="InReplyTo" type="w:MessageIdType" minOccurs="0"/>
              <xs:element name="Replaces" type="w:MessageIdType" minOccurs="0"/>
              <xs:element name="Constraint" type="w:ConstraintType" minOccurs="0" maxOccurs="4"/>
              <xs:element name="Body" type="w:BodyType"/>
              <xs:element name="Attachment" type="w:AttachmentType" minOccurs="0" maxOccurs="unbounded"/>
              <xs:element name="Form" type="w:FormType" minOccurs="0" maxOccurs="unbounded"/>
              <xs:element name="Bounce" type="w:BounceType" minOccurs="0"/>
              <!-- the author's own enveloped ds:Signature -->
              <xs:any namespace="http://www.w3.org/2000/09/xmldsig#" processContents="skip" minOccurs="0"/>
            </xs:sequence>
            <xs:attribute name="Id" type="xs:ID"/>
          </xs:complexType>
          <xs:element name="Message" type="w:MessageType"/>
          <!-- what a bounce says of the message that was not delivered -->
          <xs:complexType name="BounceType">
            <xs:sequence>
              <xs:element name="MessageId" type="w:MessageIdType"/>
              <xs:element name="MessageDigest" type="w:DigestType"/>
              <xs:element name="Recipient" type="w:ReceiptRecipientType" maxOccurs="unbounded"/>
            </xs:sequence>
          </xs:complexType>

          <!-- content of a Form of type urn:wsemail:2:redirected: a message that a recipient's server passed on, octet for octet -->
          <xs:complexType name="RedirectedType">
            <xs:sequence>
              <xs:element name="MessageOctets" type="xs:base64Binary"/>
              <xs:element name="PostmarkOctets" type="xs:base64Binary"/>
            </xs:sequence>
          </xs:complexType>
          <xs:element name="Redirected" type="w:RedirectedType"/>

          <!-- Postmark: what the sending server adds, one per destination domain -->
          <xs:simpleType name="MethodType">
            <xs:restriction base="xs:string">
              <xs:enumeration value="password"/><xs:enumeration value="x509"/><xs:enumeration value="token"/>
              <xs:enumeration value="server"/><xs:enumeration value="plugin"/>
            </xs:restriction>
          </xs:simpleType>
          <xs:complexType name="SenderType">
            <xs:simpleContent>
              <xs:extension base="w:AddressType"><xs:attribute name="method" type="w:MethodType" use="required"/></xs:extension>
            </xs:simpleContent>
          </xs:complexType>
          <!-- the name of an attachment that a plug-in took out, the plug-in (package/name), and the SHA-256 of what it was -->
          <xs:complexType name="RemovedType">
            <xs:simpleContent>
              <xs:extension base="xs:string">
                <xs:attribute name="by" type="xs:string" use="required"/>
                <xs:attribute name="sha256" type="w:DigestType" use="required"/>
              </xs:extension>
            </xs:simpleContent>
          </xs:complexType>
          <xs:complexType name="PostmarkAttachmentType">
            <xs:attribute name="guid" type="xs:string" use="required"/>
            <xs:attribute name="sha256" type="w:DigestType" use="required"/>
          </xs:complexType>
          <xs:complexType name="PostmarkType">
            <xs:sequence>
              <xs:element name="MessageId" type="w:MessageIdType"/>
              <xs:element name="MessageDigest" type="w:DigestType"/>
              <xs:element name="Domain" type="xs:string"/>
              <xs:element name="Destination" type="xs:string"/>
              <xs:element name="Recipient" type="w:AddressType" maxOccurs="unbounded"/>
              <xs:element name="Sender" type="w:SenderType"/>
              <xs:element name="Time" type="xs:dateTime"/>
              <xs:element name="Hops" type="xs:unsignedShort"/>
              <xs:element name="Attachment" type="w:PostmarkAttachmentType" minOccurs="0" maxOccurs="unbounded"/>
              <xs:element name="Removed" type="w:RemovedType" minOccurs="0" maxOccurs="unbounded"/>
              <xs:element name="Certificate" type="w:DigestType"/>
              <xs:any namespace="http://www.w3.org/2000/09/xmldsig#" processContents="skip"/>
            </xs:sequence>
            <xs:attribute name="Id" type="xs:ID" use="required"/>
          </xs:complexType>
          <xs:element name="Postmark" type="w:PostmarkType"/>

          <!-- Receipt: what a server says became of a message -->
          <xs:complexType name="ReceiptRecipientType">
            <xs:simpleContent>
              <xs:extension base="w:AddressType">
                <xs:attribute name="status" type="w:RecipientStatusType" use="required"/>
                <xs:attribute name="code" type="xs:string"/>
                <xs:attribute name="reason" type="xs:string"/>
              </xs:extension>
            </xs:simpleContent>
          </xs:complexType>
          <xs:complexType name="ReceiptType">
            <xs:sequence>
              <xs:element name="MessageId" type="w:MessageIdType"/>
              <xs:element name="MessageDigest" type="w:DigestType"/>
              <xs:element name="PostmarkDigest" type="w:DigestType" minOccurs="0"/>
              <xs:element name="Domain" type="xs:string"/>
              <xs:element name="For" type="xs:string"/>
              <xs:element name="Recipient" type="w:ReceiptRecipientType" maxOccurs="unbounded"/>
              <xs:element name="Time" type="xs:dateTime"/>
              <xs:element name="Certificate" type="w:DigestType"/>
              <xs:any namespace="http://www.w3.org/2000/09/xmldsig#" processContents="skip"/>
            </xs:sequence>
            <xs:attribute name="Id" type="xs:ID" use="required"/>
          </xs:complexType>
          <xs:element name="Receipt" type="w:ReceiptType"/>
        """#
}
