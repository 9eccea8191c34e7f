/// The payloads of `urn:wsemail:2` as XML Schema, the normative grammar of the wire.
///
/// It is served inside the WSDL. Servers do not validate against it at run time: `MailModel` checks the same rules
/// and a few that a schema cannot say.
public enum Schema {
    public static let wsemail = documents + "\n\n" + operations

    /// The rest: payloads of calls and replies.
    private static let operations = #"""
          <!-- Send -->
          <xs:complexType name="SendType">
            <xs:sequence>
              <xs:element ref="w:Message"/>
              <xs:element name="Bcc" type="w:AddressType" minOccurs="0" maxOccurs="unbounded"/>
              <!-- files that the message refers to by their SHA-256, each once -->
              <xs:element name="Blob" type="xs:base64Binary" minOccurs="0" maxOccurs="64"/>
              <!-- what the author asks of a plug-in of the server, by the plug-in's extension identifier -->
              <xs:element name="Option" type="w:OptionType" minOccurs="0" maxOccurs="unbounded"/>
            </xs:sequence>
          </xs:complexType>
          <xs:complexType name="SendResponseType">
            <xs:sequence><xs:element ref="w:Receipt"/></xs:sequence>
          </xs:complexType>
          <xs:element name="Send" type="w:SendType"/>
          <xs:element name="SendResponse" type="w:SendResponseType"/>

          <!-- List: headers of one folder; Wait is seconds to hold the call open for news -->
          <xs:complexType name="ListType">
            <xs:sequence>
              <xs:element name="Folder" type="xs:string" minOccurs="0"/>
              <!-- uids: what is newer (oldest first), or older (newest first); not both -->
              <xs:element name="After" type="xs:unsignedLong" minOccurs="0"/>
              <xs:element name="Before" type="xs:unsignedLong" minOccurs="0"/>
              <xs:element name="Limit" type="xs:unsignedInt" minOccurs="0"/>
              <xs:element name="Wait" type="xs:unsignedInt" minOccurs="0"/>
            </xs:sequence>
          </xs:complexType>
          <xs:complexType name="HeaderType">
            <xs:attribute name="uid" type="xs:unsignedLong" use="required"/>
            <xs:attribute name="id" type="w:MessageIdType" use="required"/>
            <xs:attribute name="from" type="w:AddressType" use="required"/>
            <xs:attribute name="name" type="xs:string"/>
            <xs:attribute name="subject" type="xs:string" use="required"/>
            <xs:attribute name="date" type="xs:dateTime" use="required"/>
            <xs:attribute name="size" type="xs:nonNegativeInteger" use="required"/>
            <!-- lists by space: addresses; seen answered flagged form instant encrypted attachments bounce -->
            <xs:attribute name="to" type="xs:string"/>
            <xs:attribute name="flags" type="xs:string"/>
          </xs:complexType>
          <xs:complexType name="ListResponseType">
            <xs:sequence>
              <xs:element name="Header" type="w:HeaderType" minOccurs="0" maxOccurs="unbounded"/>
              <xs:element name="Cursor" type="xs:unsignedLong"/>
              <xs:element name="More" type="xs:boolean" minOccurs="0"/>
            </xs:sequence>
          </xs:complexType>
          <xs:element name="List" type="w:ListType"/>
          <xs:element name="ListResponse" type="w:ListResponseType"/>

          <!-- Retrieve -->
          <xs:complexType name="RetrieveType">
            <xs:sequence>
              <xs:element name="Id" type="w:MessageIdType"/>
              <xs:element name="Uid" type="xs:unsignedLong" minOccurs="0"/>
              <xs:element name="In" type="xs:string" minOccurs="0"/>
              <xs:element name="WithReceipt" type="xs:boolean" minOccurs="0"/>
            </xs:sequence>
          </xs:complexType>
          <xs:complexType name="RetrieveResponseType">
            <xs:sequence>
              <xs:element ref="w:Message"/>
              <!-- absent for the author's own copy in Sent -->
              <xs:element ref="w:Postmark" minOccurs="0"/>
              <xs:element name="Folder" type="xs:string"/>
              <xs:element name="Flags" type="xs:string" minOccurs="0"/>
              <xs:element ref="w:Receipt" minOccurs="0"/>
            </xs:sequence>
          </xs:complexType>
          <xs:element name="Retrieve" type="w:RetrieveType"/>
          <xs:element name="RetrieveResponse" type="w:RetrieveResponseType"/>

          <!-- Delete, Mark, Move -->
          <xs:complexType name="DeleteType">
            <xs:sequence>
              <xs:element name="Id" type="w:MessageIdType" minOccurs="0" maxOccurs="unbounded"/>
              <xs:element name="Uid" type="xs:unsignedLong" minOccurs="0" maxOccurs="unbounded"/>
              <!-- of the ids only entries of this folder -->
              <xs:element name="In" type="xs:string" minOccurs="0"/>
            </xs:sequence>
          </xs:complexType>
          <xs:complexType name="CountResponseType">
            <xs:sequence><xs:element name="Count" type="xs:unsignedInt"/></xs:sequence>
          </xs:complexType>
          <xs:element name="Delete" type="w:DeleteType"/>
          <xs:element name="DeleteResponse" type="w:CountResponseType"/>
          <xs:complexType name="MarkType">
            <xs:sequence>
              <xs:element name="Id" type="w:MessageIdType" minOccurs="0" maxOccurs="unbounded"/>
              <xs:element name="Uid" type="xs:unsignedLong" minOccurs="0" maxOccurs="unbounded"/>
              <!-- of the ids only entries of this folder -->
              <xs:element name="In" type="xs:string" minOccurs="0"/>
              <xs:element name="Add" type="xs:string" minOccurs="0"/>
              <xs:element name="Remove" type="xs:string" minOccurs="0"/>
            </xs:sequence>
          </xs:complexType>
          <xs:element name="Mark" type="w:MarkType"/>
          <xs:element name="MarkResponse" type="w:CountResponseType"/>
          <xs:complexType name="MoveType">
            <xs:sequence>
              <xs:element name="Id" type="w:MessageIdType" minOccurs="0" maxOccurs="unbounded"/>
              <xs:element name="Uid" type="xs:unsignedLong" minOccurs="0" maxOccurs="unbounded"/>
              <xs:element name="In" type="xs:string" minOccurs="0"/>
              <xs:element name="Folder" type="xs:string"/>
            </xs:sequence>
          </xs:complexType>
          <xs:element name="Move" type="w:MoveType"/>
          <xs:element name="MoveResponse" type="w:CountResponseType"/>

          <!-- Status: what became of a message we sent -->
          <xs:complexType name="StatusType">
            <xs:sequence><xs:element name="Id" type="w:MessageIdType"/></xs:sequence>
          </xs:complexType>
          <xs:complexType name="StatusRecipientType">
            <xs:simpleContent>
              <xs:extension base="w:AddressType">
                <xs:attribute name="state" type="xs:string" use="required"/>
                <xs:attribute name="time" type="xs:dateTime" use="required"/>
                <xs:attribute name="attempts" type="xs:unsignedInt"/>
                <xs:attribute name="reason" type="xs:string"/>
              </xs:extension>
            </xs:simpleContent>
          </xs:complexType>
          <xs:complexType name="StatusResponseType">
            <xs:sequence>
              <xs:element name="Recipient" type="w:StatusRecipientType" minOccurs="0" maxOccurs="unbounded"/>
              <xs:element ref="w:Receipt" minOccurs="0" maxOccurs="unbounded"/>
            </xs:sequence>
          </xs:complexType>
          <xs:element name="Status" type="w:StatusType"/>
          <xs:element name="StatusResponse" type="w:StatusResponseType"/>

          <!-- Account: Enroll a key, get a Challenge to sign, change the password -->
          <xs:complexType name="EnrollType">
            <xs:sequence><xs:element name="CSR" type="xs:base64Binary"/></xs:sequence>
          </xs:complexType>
          <xs:complexType name="EnrollResponseType">
            <xs:sequence><xs:element name="Certificate" type="xs:base64Binary" maxOccurs="unbounded"/></xs:sequence>
          </xs:complexType>
          <xs:element name="Enroll" type="w:EnrollType"/>
          <xs:element name="EnrollResponse" type="w:EnrollResponseType"/>
          <xs:complexType name="ChallengeResponseType">
            <xs:sequence>
              <xs:element name="Challenge" type="xs:base64Binary"/>
              <xs:element name="Expires" type="xs:dateTime"/>
            </xs:sequence>
          </xs:complexType>
          <xs:element name="Challenge" type="w:EmptyType"/>
          <xs:element name="ChallengeResponse" type="w:ChallengeResponseType"/>
          <xs:complexType name="ChangePasswordType">
            <xs:sequence>
              <xs:element name="Old" type="xs:string"/>
              <xs:element name="New" type="xs:string"/>
            </xs:sequence>
          </xs:complexType>
          <xs:element name="ChangePassword" type="w:ChangePasswordType"/>
          <xs:element name="ChangePasswordResponse" type="w:EmptyType"/>

          <!-- Between servers -->
          <xs:complexType name="ItemType">
            <xs:sequence>
              <xs:element ref="w:Message"/>
              <xs:element ref="w:Postmark"/>
            </xs:sequence>
          </xs:complexType>
          <xs:complexType name="DeliverType">
            <xs:sequence><xs:element name="Item" type="w:ItemType" maxOccurs="unbounded"/></xs:sequence>
          </xs:complexType>
          <xs:complexType name="ItemFaultType">
            <xs:simpleContent>
              <xs:extension base="xs:string">
                <xs:attribute name="code" type="xs:string" use="required"/>
                <xs:attribute name="transient" type="xs:boolean"/>
              </xs:extension>
            </xs:simpleContent>
          </xs:complexType>
          <xs:complexType name="ResultType">
            <xs:choice>
              <xs:element ref="w:Receipt"/>
              <xs:element name="Fault" type="w:ItemFaultType"/>
            </xs:choice>
          </xs:complexType>
          <xs:complexType name="DeliverResponseType">
            <xs:sequence><xs:element name="Result" type="w:ResultType" maxOccurs="unbounded"/></xs:sequence>
          </xs:complexType>
          <xs:element name="Deliver" type="w:DeliverType"/>
          <xs:element name="DeliverResponse" type="w:DeliverResponseType"/>
          <xs:complexType name="PeerStatusType">
            <xs:sequence>
              <xs:element name="MessageId" type="w:MessageIdType"/>
              <xs:element name="MessageDigest" type="w:DigestType"/>
            </xs:sequence>
          </xs:complexType>
          <xs:complexType name="PeerStatusResponseType">
            <xs:sequence><xs:element ref="w:Receipt" minOccurs="0" maxOccurs="unbounded"/></xs:sequence>
          </xs:complexType>
          <xs:element name="PeerStatus" type="w:PeerStatusType"/>
          <xs:element name="PeerStatusResponse" type="w:PeerStatusResponseType"/>

          <!-- What our server knows and trusts of a domain: its signed DomainMetadata and the anchors set for it -->
          <xs:complexType name="MetadataType">
            <xs:sequence><xs:element name="Domain" type="xs:string"/></xs:sequence>
          </xs:complexType>
          <xs:complexType name="MetadataResponseType">
            <xs:sequence>
              <xs:element ref="w:DomainMetadata"/>
              <xs:element name="Anchor" type="xs:base64Binary" minOccurs="0" maxOccurs="unbounded"/>
            </xs:sequence>
          </xs:complexType>
          <xs:complexType name="DomainMetadataType">
            <xs:sequence><xs:any namespace="##any" processContents="skip" maxOccurs="unbounded"/></xs:sequence>
            <xs:anyAttribute processContents="skip"/>
          </xs:complexType>
          <xs:element name="DomainMetadata" type="w:DomainMetadataType"/>
          <xs:element name="Metadata" type="w:MetadataType"/>
          <xs:element name="MetadataResponse" type="w:MetadataResponseType"/>

          <!-- Extension: one element for a plug-in of the server, and its answer -->
          <xs:simpleType name="ExtensionIdentifierType">
            <xs:restriction base="xs:anyURI">
              <xs:maxLength value="200"/><xs:pattern value="[A-Za-z][A-Za-z0-9+.\-]*:.+"/>
            </xs:restriction>
          </xs:simpleType>
          <xs:complexType name="ExtensionType">
            <xs:sequence><xs:any namespace="##any" processContents="skip"/></xs:sequence>
            <xs:attribute name="identifier" type="w:ExtensionIdentifierType" use="required"/>
            <!-- one value of operation Challenge; callers with an assertion must give one -->
            <xs:attribute name="challenge" type="xs:base64Binary"/>
          </xs:complexType>
          <xs:complexType name="OptionType">
            <xs:sequence><xs:any namespace="##any" processContents="skip"/></xs:sequence>
            <xs:attribute name="identifier" type="w:ExtensionIdentifierType" use="required"/>
          </xs:complexType>
          <xs:complexType name="ExtensionResponseType">
            <xs:sequence><xs:any namespace="##any" processContents="skip"/></xs:sequence>
          </xs:complexType>
          <xs:element name="Extension" type="w:ExtensionType"/>
          <xs:element name="ExtensionResponse" type="w:ExtensionResponseType"/>

          <!-- In headers and faults -->
          <xs:element name="Sequence" type="xs:unsignedLong"/>
          <xs:element name="ServerTime" type="xs:dateTime"/>
          <xs:element name="Next" type="xs:unsignedLong"/>
          <xs:element name="Reference" type="xs:string"/>
          <xs:attribute name="Fault" type="xs:string"/>
        </xs:schema>
        """#
}
