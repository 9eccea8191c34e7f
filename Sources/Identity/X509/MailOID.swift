import SwiftASN1

/// Object identifiers of our own.
///
/// The arc is `2.25.<number>` in the manner of ITU-T X.667 (identifiers that anybody may draw at random, without a
/// registrar). X.667 takes a 128-bit UUID; SwiftASN1 keeps a component in 64 bits, so ours is one random 62-bit
/// number, drawn once: 1012471274897283645. The numbers below never change.
public enum MailOID {
    /// Extended key usage of a server that signs postmarks, receipts, metadata and calls for its mail domain.
    public static let mailServer: ASN1ObjectIdentifier = [2, 25, 1_012_471_274_897_283_645, 1]
    /// Extended key usage of a person (or program) who signs as one mail address.
    public static let mailUser: ASN1ObjectIdentifier = [2, 25, 1_012_471_274_897_283_645, 2]
    /// RFC 8398 §3 SmtpUTF8Mailbox: an otherName for addresses that an rfc822Name (IA5String) cannot hold.
    static let smtpUTF8Mailbox: ASN1ObjectIdentifier = [1, 3, 6, 1, 5, 5, 7, 8, 9]
}
