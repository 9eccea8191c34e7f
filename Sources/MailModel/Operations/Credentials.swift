import Foundation
import Identity
import SOAP
import XMLCore

/// Challenge: a single-use random value that a caller signs to open a session with its X.509 key.
public enum ChallengeOperation: OperationCodec {
    public static let operation = MailOperation.challenge

    public struct Request: Payload {
        public static let localName = "Challenge"
        public init() {}
        public init(parsing element: XMLElement) throws(MailModelError) {}
        public func writeContent(into writer: inout XMLWriter) throws {}
    }

    public struct Response: Payload {
        public static let localName = "ChallengeResponse"
        public var challenge: [UInt8]
        public var expires: Date

        public init(challenge: [UInt8], expires: Date) {
            self.challenge = challenge
            self.expires = expires
        }

        public init(parsing element: XMLElement) throws(MailModelError) {
            challenge = try mailModel { () throws(XMLError) in
                try element.only(MailXML.name("Challenge")).base64Bytes(limit: 256)
            }
            guard let expires = DateTime.parse(try element.requiredText("Expires")) else {
                throw MailModelError(.invalidValue, "Expires is no dateTime")
            }
            self.expires = expires
        }

        public func writeContent(into writer: inout XMLWriter) throws {
            writer.wrapped("Challenge", Base64.encodeToString(challenge))
            writer.wrapped("Expires", DateTime.format(expires))
        }
    }
}

/// Enroll: the domain certifies a key that the user made. Needs a session opened by password.
public enum EnrollOperation: OperationCodec {
    public static let operation = MailOperation.enroll

    public struct Request: Payload {
        public static let localName = "Enroll"
        /// PKCS #10 request, DER. Only its key is used; names and extensions are the CA's own.
        public var request: [UInt8]

        public init(request: [UInt8]) { self.request = request }

        public init(parsing element: XMLElement) throws(MailModelError) {
            request = try mailModel { () throws(XMLError) in
                try element.only(MailXML.name("CSR")).base64Bytes(limit: 16_384)
            }
        }

        public func writeContent(into writer: inout XMLWriter) throws {
            writer.wrapped("CSR", Base64.encodeToString(request))
        }
    }

    public struct Response: Payload {
        public static let localName = "EnrollResponse"
        /// The user's certificate first, then its chain; DER.
        public var certificates: [[UInt8]]

        public init(certificates: [[UInt8]]) { self.certificates = certificates }

        public init(parsing element: XMLElement) throws(MailModelError) {
            certificates = try parseCertificates(element, named: "Certificate")
        }

        public func writeContent(into writer: inout XMLWriter) throws {
            for certificate in certificates { writer.wrapped("Certificate", Base64.encodeToString(certificate)) }
        }
    }
}

/// ChangePassword: ends all sessions of the user.
public enum ChangePasswordOperation: OperationCodec {
    public static let operation = MailOperation.changePassword

    public struct Request: Payload {
        public static let localName = "ChangePassword"
        public var old: String
        public var new: String

        public init(old: String, new: String) {
            self.old = old
            self.new = new
        }

        public init(parsing element: XMLElement) throws(MailModelError) {
            old = try element.requiredText("Old")
            new = try element.requiredText("New")
        }

        public func writeContent(into writer: inout XMLWriter) throws {
            writer.wrapped("Old", old)
            writer.wrapped("New", new)
        }
    }

    public struct Response: Payload {
        public static let localName = "ChangePasswordResponse"
        public init() {}
        public init(parsing element: XMLElement) throws(MailModelError) {}
        public func writeContent(into writer: inout XMLWriter) throws {}
    }
}

/// Metadata: what the caller's server knows and trusts of a domain: its signed metadata and the anchors that the
/// administrator set for it.
public enum MetadataOperation: OperationCodec {
    public static let operation = MailOperation.metadata

    public struct Request: Payload {
        public static let localName = "Metadata"
        public var domain: MailDomain

        public init(domain: MailDomain) { self.domain = domain }

        public init(parsing element: XMLElement) throws(MailModelError) {
            domain = try parseDomain(element.requiredText("Domain"))
        }

        public func writeContent(into writer: inout XMLWriter) throws {
            writer.wrapped("Domain", domain.description)
        }
    }

    public struct Response: Payload {
        public static let localName = "MetadataResponse"
        /// Signed DomainMetadata document.
        public var metadata: [UInt8]
        /// Trust anchors for the domain, DER.
        public var anchors: [[UInt8]]

        public init(metadata: [UInt8], anchors: [[UInt8]]) {
            self.metadata = metadata
            self.anchors = anchors
        }

        public init(parsing element: XMLElement) throws(MailModelError) {
            metadata = try mailModel { () throws(XMLError) in
                try element.only(MailXML.name("DomainMetadata")).canonicalBytes()
            }
            anchors = try parseCertificates(element, named: "Anchor")
        }

        public func writeContent(into writer: inout XMLWriter) throws {
            try writer.embed(canonical: metadata)
            for anchor in anchors { writer.wrapped("Anchor", Base64.encodeToString(anchor)) }
        }
    }
}

func parseCertificates(_ element: XMLElement, named localName: String) throws(MailModelError) -> [[UInt8]] {
    var result: [[UInt8]] = []
    for child in element.all(MailXML.name(localName)) {
        result.append(try mailModel { () throws(XMLError) in try child.base64Bytes(limit: 16_384) })
    }
    guard result.count <= 16 else { throw MailModelError(.limitExceeded, "more than 16 certificates") }
    return result
}
