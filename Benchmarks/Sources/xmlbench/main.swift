// Prints "key value" lines, each the median of several runs.
//
// xmlbench [PROGRAM]   PROGRAM: the libxmlsec1 counterpart (xmlsec/verify.c), called with envelope, key and count;
//                      prints nanoseconds of CPU of one parse and verification.
import Crypto
import Foundation
import XMLCore
import XMLSecurity

let runs = 15
let key = P256.Signing.PrivateKey()
let signer = SignatureSigner(key: .p256(key), keyInfo: .thumbprintSHA256([UInt8](repeating: 7, count: 32)))
let verifier = SignatureVerifier()
let envelope = try SampleEnvelope.signed(by: signer)
let digest = SHA256.hash(data: envelope)
let bareSignature = try key.signature(for: digest)
let publicKey = key.publicKey

func bareVerification() { precondition(publicKey.isValidSignature(bareSignature, for: digest)) }

func measureSignatures() throws {
    var verifyRatios: [Double] = []
    var signRatios: [Double] = []
    var verifyTimes: [Double] = []
    for run in 0...runs {
        // In small portions turn by turn, so that both see the same machine.
        var whole = 0.0, bare = 0.0, sign = 0.0, bareSign = 0.0
        for _ in 0..<20 {
            whole += try nanoseconds(20) {
                let count = try SampleEnvelope.verify(envelope, verifier, .p256(publicKey))
                precondition(count == 3)
            }
            bare += nanoseconds(20, bareVerification)
            sign += try nanoseconds(20) { _ = try SampleEnvelope.signed(by: signer) }
            bareSign += try nanoseconds(20) { _ = try key.signature(for: digest) }
        }
        if run == 0 { continue }
        verifyRatios.append(whole / bare)
        signRatios.append(sign / bareSign)
        verifyTimes.append(whole / 20_000)
    }
    report("envelope_bytes", Double(envelope.count), digits: 0)
    report("verify_4k_ratio", median(verifyRatios))
    report("sign_4k_ratio", median(signRatios))
    report("verify_4k_us", median(verifyTimes))
}

/// A list reply of many items, as a store would send it: 1 MB.
func largeDocument() -> [UInt8] {
    let item = XMLTag("w", SampleEnvelope.wsemail, "Item")
    let subject = XMLTag("w", SampleEnvelope.wsemail, "Subject")
    let text = XMLTag("w", SampleEnvelope.wsemail, "Text")
    var writer = XMLWriter(reserving: 1 << 20)
    writer.start(XMLTag("w", SampleEnvelope.wsemail, "Items"))
    for index in 0..<2000 {
        writer.start(item)
        writer.attribute("id", "urn:uuid:\(index)")
        writer.attribute("size", "\(index * 17)")
        writer.element(subject, "Message number \(index) & more")
        writer.element(text, String(repeating: "Grüße aus Köln, and plain words. ", count: 12))
        writer.end()
    }
    writer.end()
    return writer.bytes
}

func measureThroughput() throws {
    // Half in the form that canonical XML has, half not: with an XML declaration's freedom in tags and references.
    let canonical = largeDocument()
    let loose = Array(
        String(decoding: canonical, as: UTF8.self)
            .replacingOccurrences(of: " size=", with: "\n   size =").replacingOccurrences(of: "&amp;", with: "&#38;")
            .utf8)
    var canonicalRates: [Double] = []
    var looseRates: [Double] = []
    var parseRates: [Double] = []
    let documents = (try XMLDocument.parse(canonical), try XMLDocument.parse(loose))
    for _ in 0..<runs {
        canonicalRates.append(1e3 * Double(canonical.count) / nanoseconds(5) { canonicalizeAndHash(documents.0) })
        looseRates.append(1e3 * Double(loose.count) / nanoseconds(5) { canonicalizeAndHash(documents.1) })
        parseRates.append(1e3 * Double(canonical.count) / (try nanoseconds(5) { _ = try XMLDocument.parse(canonical) }))
    }
    report("c14n_MBps", min(median(canonicalRates), median(looseRates)), digits: 0)
    report("c14n_canonical_input_MBps", median(canonicalRates), digits: 0)
    report("c14n_loose_input_MBps", median(looseRates), digits: 0)
    report("parse_MBps", median(parseRates), digits: 0)
}

func canonicalizeAndHash(_ document: XMLDocument) {
    var hash = SHA256()
    document.root.canonicalize { hash.update(bufferPointer: $0) }
    _ = hash.finalize()
}

func measurePeer(_ program: String) throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "xmlbench-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appending(path: "envelope.xml")
    let keyFile = folder.appending(path: "key.pem")
    try Data(envelope).write(to: file)
    try Data(publicKey.pemRepresentation.utf8).write(to: keyFile)
    var ratios: [Double] = []
    for _ in 0..<5 {
        let before = nanoseconds(1000, bareVerification)
        let process = Process()
        process.executableURL = URL(filePath: program)
        process.arguments = [file.path, keyFile.path, "1000"]
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        let after = nanoseconds(1000, bareVerification)
        guard process.terminationStatus == 0, let time = Double(text.trimmingCharacters(in: .whitespacesAndNewlines))
        else {
            print("xmlsec_verify_4k_ratio failed:", text)
            exit(1)
        }
        ratios.append(time / ((before + after) / 2))
    }
    report("xmlsec_verify_4k_ratio", median(ratios))
}

try measureSignatures()
try measureThroughput()
if CommandLine.arguments.count > 1 { try measurePeer(CommandLine.arguments[1]) }
