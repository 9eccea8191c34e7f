import Crypto
import Identity
import SOAP
import X509
import XMLSecurity

/// Does this certificate fit what a KeyInfo says about it?
enum CertificateMatch {
    static func matches(_ certificate: MailCertificate, _ hint: KeyHint) -> Bool {
        switch hint {
        case .thumbprintSHA256(let digest): return certificate.thumbprintSHA256 == digest
        // A look-up hint only: the key comes from the certificate, whose issuer is checked with real digests.
        case .thumbprintSHA1(let digest): return Array(Insecure.SHA1.hash(data: certificate.der)) == digest
        case .certificate(let der): return certificate.der == der
        case .issuerSerial(let issuer, let serial): return issuerSerialMatches(certificate, issuer, serial)
        case .subjectKeyIdentifier(let identifier):
            guard let own = try? certificate.x509.extensions.subjectKeyIdentifier else { return false }
            return Array(own.keyIdentifier) == identifier
        default: return false
        }
    }

    /// The token among `tokens` that the hint means; at most one may fit.
    static func find(_ hint: KeyHint, among tokens: [SecurityHeader.BinaryToken]) -> MailCertificate? {
        let fitting: [SecurityHeader.BinaryToken]
        if case .reference(let id, let type) = hint {
            guard !id.isEmpty, type == nil || type == URIs.x509v3 else { return nil }
            fitting = tokens.filter { $0.id == id }
        } else {
            fitting = tokens.filter { matches($0.certificate, hint) }
        }
        return fitting.count == 1 ? fitting[0].certificate : nil
    }

    private static func issuerSerialMatches(_ certificate: MailCertificate, _ issuer: String, _ serial: String) -> Bool {
        guard let number = DecimalInteger.bytes(serial),
            number == Array(certificate.x509.serialNumber.bytes.drop { $0 == 0 }),
            let name = DistinguishedNameText(parsing: issuer)
        else { return false }
        return name.matches(certificate.x509.issuer)
    }
}

/// `ds:X509SerialNumber` is decimal and up to 20 octets wide.
enum DecimalInteger {
    /// Big-endian magnitude without leading zeros; nil unless 1 to 60 digits.
    static func bytes(_ text: String) -> [UInt8]? {
        let digits = Array(text.utf8)
        guard (1...60).contains(digits.count), digits.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        var little: [UInt8] = []
        for digit in digits {
            var carry = Int(digit - 0x30)
            for index in little.indices {
                let value = Int(little[index]) * 10 + carry
                little[index] = UInt8(value & 0xFF)
                carry = value >> 8
            }
            if carry > 0 { little.append(UInt8(carry)) }
        }
        return little.reversed()
    }
}
