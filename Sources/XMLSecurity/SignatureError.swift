import XMLCore

/// Why a signature was refused, or could not be made.
public struct SignatureError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Stable reasons, for decisions and tests.
    public enum Code: String, Sendable, CaseIterable {
        /// Not the XML that XML-Signature asks for, or holding what we do not accept in it (ds:Object, comments).
        case malformed
        /// Two elements in scope have the same id.
        case duplicateId
        /// A signature or digest algorithm that is unknown, or not allowed here (SHA-1 among them).
        case unknownAlgorithm
        /// A canonicalisation or transform other than exclusive C14N and enveloped-signature.
        case foreignTransform
        /// A reference to something else than an element of this document by its id.
        case externalReference
        /// A reference to an id that no element in scope has.
        case missingReference
        /// A signature that covers nothing.
        case unsigned
        /// More references, transforms or prefixes than ``SignatureLimits`` allows.
        case tooManyReferences
        /// A reference that covers the signature itself.
        case selfReference
        /// What was signed is not what is here.
        case digestMismatch
        /// The signature value is not of this key over this SignedInfo.
        case badSignature
        /// The key cannot be used with this algorithm, or is too weak.
        case wrongKeyType
        /// Nothing here is known about the key that KeyInfo names.
        case unknownKey
        /// KeyInfo does not name a key in a way we accept; a bare KeyValue among them.
        case unsupportedKeyInfo
    }

    public let code: Code
    /// For logs; never sent to a peer.
    public let reason: String

    public init(_ code: Code, _ reason: String) {
        self.code = code
        self.reason = reason
    }

    /// A missing certificate can be sent; all else will be refused again.
    public var isTransient: Bool { code == .unknownKey }

    public var description: String { "\(code.rawValue): \(reason)" }

    static func malformed(_ error: XMLError) -> SignatureError {
        SignatureError(error.code == .limitExceeded ? .tooManyReferences : .malformed, error.description)
    }
}

/// Runs `body`, and takes what it finds wrong with the XML as a malformed signature.
func readingXML<Value>(_ body: () throws(XMLError) -> Value) throws(SignatureError) -> Value {
    do {
        return try body()
    } catch {
        throw .malformed(error)
    }
}
