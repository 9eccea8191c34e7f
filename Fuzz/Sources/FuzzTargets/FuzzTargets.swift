import Crypto
import XMLCore
import XMLSecurity

/// What must hold for any bytes whatever. Traps where it does not.
public enum FuzzTargets {
    /// The parser answers; what it accepts has one canonical form, and that form is a fixed point.
    public static func parse(_ bytes: [UInt8]) {
        guard let document = try? XMLDocument.parse(bytes) else { return }
        let octets = document.root.canonicalBytes(inclusivePrefixes: ["#default", "p"])
        guard let again = try? XMLDocument.parse(octets) else {
            fatalError("the canonical form is not accepted")
        }
        precondition(again.root.canonicalBytes(inclusivePrefixes: ["#default", "p"]) == octets)
        precondition(again.root.canonicalBytes() == document.root.canonicalBytes())
        var streamed: [UInt8] = []
        document.root.canonicalize(inclusivePrefixes: ["#default", "p"]) { streamed.append(contentsOf: $0) }
        precondition(streamed == octets)
        visit(document.root)
    }

    private static func visit(_ root: XMLElement) {
        var open = [root]
        while let element = open.popLast() {
            _ = element.text
            _ = element.attributes
            _ = try? element.base64Bytes(limit: 1000)
            precondition(root.contains(element))
            open.append(contentsOf: element.children)
        }
    }

    /// A signature over a part of the envelope verifies only over what was signed.
    public static func verify(_ bytes: [UInt8]) {
        guard let document = try? XMLDocument.parse(bytes) else { return }
        let root = document.root
        var open = [root]
        while let element = open.popLast() {
            open.append(contentsOf: element.children)
            guard element.localName == "Signature" else { continue }
            let verified = try? SignatureVerifier().verify(element, in: root) { _ throws(SignatureError) in
                sample.key.publicKey
            }
            for part in verified?.elements ?? [] {
                precondition(sample.signed.contains(part.element.canonicalBytes()), "forged")
            }
        }
    }

    /// An envelope signed by a secret that no input can know.
    public static let sample: (key: SigningKey, bytes: [UInt8], signed: [[UInt8]]) = {
        let key = SigningKey.hmac(SymmetricKey(data: [UInt8](repeating: 0x5A, count: 32)))
        let id = XMLTag("wsu", SecurityNamespace.wsu, "Id")
        var writer = XMLWriter()
        writer.start(XMLTag("s", "urn:soap", "Envelope"))
        var ranges: [(id: String, range: Range<Int>)] = []
        for name in ["body", "timestamp"] {
            writer.start(XMLTag("s", "urn:soap", name), selfContained: true)
            writer.attribute(id, name)
            writer.text("1 < 2 & \r\n")
            writer.element(XMLTag("", "urn:default", "p"), "é")
            ranges.append((name, writer.end()))
        }
        let place = writer.bytes.count
        writer.end()
        let signed = ranges.map { Array(writer.bytes[$0.range]) }
        let signer = SignatureSigner(key: key, keyInfo: .samlID("a"))
        if let signature = try? signer.sign(parts: ranges, of: writer.bytes) { writer.insert(signature, at: place) }
        return (key, writer.bytes, signed)
    }()
}
