import Crypto
import Foundation
import Testing
import XMLCore
import XMLSecurity
import XMLTestSupport

/// signxml and xmlsec1 as judges, both ways.
@Suite struct InteropTests {
    static let dsig = XMLName(SecurityNamespace.ds, "Signature")
    /// Neither tool knows Ed25519 in XML signatures.
    static let common: [SignatureAlgorithm] = [
        .ecdsaSHA256, .ecdsaSHA384, .rsaSHA256, .rsaSHA384, .rsaSHA512, .hmacSHA256,
    ]
    static let pss: [SignatureAlgorithm] = [.rsaPSSSHA256, .rsaPSSSHA384, .rsaPSSSHA512]

    /// A signed random document: by references to some of its elements.
    static func signed(_ seed: UInt64, _ algorithm: SignatureAlgorithm) throws -> [UInt8] {
        let text = document(seed).text
        let root = try XMLDocument.parse(Array(text.utf8)).root
        let elements = root.subtree.filter { $0 != root && $0.attribute("Id") != nil }.prefix(3)
        let signer = SignatureSigner(
            key: try Fixture.key(for: algorithm), keyInfo: .none, digest: seed % 2 == 0 ? .sha256 : .sha512,
            algorithm: algorithm)
        let signature = try signer.signParsed(elements: Array(elements))
        var bytes = root.document.bytes
        let end = bytes[..<root.sourceRange.upperBound].lastIndex(of: UInt8(ascii: "<")) ?? 0
        bytes.insert(contentsOf: signature, at: end)
        return bytes
    }

    /// The next one from `seed` that has a place for a signature and something to sign.
    static func document(_ seed: UInt64) -> RandomDocument {
        var seed = seed * 1000
        while true {
            let document = RandomDocument(seed: seed, identified: true)
            if document.ids.count > 1, document.text.contains("</") && !document.text.hasSuffix("/>") { return document }
            seed += 1
        }
    }

    static func keyText(_ algorithm: SignatureAlgorithm) throws -> String {
        let key = try Fixture.key(for: algorithm)
        if case .hmac(let secret) = key { return secret.withUnsafeBytes { Base64.encodeToString(Array($0)) } }
        return key.pemRepresentation ?? ""
    }

    static func verify(_ bytes: [UInt8], _ algorithm: SignatureAlgorithm) throws -> VerifiedSignature {
        let root = try XMLDocument.parse(bytes).root
        let key = try Fixture.key(for: algorithm).publicKey
        return try SignatureVerifier().verify(try root.only(dsig), in: root) { _ throws(SignatureError) in key }
    }

    @Test func signxmlVerifiesWhatWeSign() throws {
        var jobs: [JudgeJob] = []
        for (offset, algorithm) in (Self.common + Self.pss).enumerated() {
            for seed in 0..<10 as Range<UInt64> {
                var job = JudgeJob(op: "verify", xml: try Self.signed(seed + UInt64(offset) * 10, algorithm))
                job.algorithm = algorithm.rawValue
                job.key = try Self.keyText(algorithm)
                jobs.append(job)
            }
        }
        for (job, answer) in zip(jobs, try Tools.judge(jobs)) {
            #expect(answer.error == nil, "\(job.algorithm): \(String(decoding: job.xml, as: UTF8.self))")
        }
    }

    @Test func weVerifyWhatSignxmlSigns() throws {
        var jobs: [JudgeJob] = []
        var algorithms: [SignatureAlgorithm] = []
        for (offset, algorithm) in (Self.common + Self.pss).enumerated() {
            for seed in 0..<10 as Range<UInt64> {
                let document = Self.document(500 + seed + UInt64(offset) * 10)
                var job = JudgeJob(op: "sign", xml: Array(document.text.utf8))
                job.algorithm = algorithm.rawValue
                job.digest = (seed % 2 == 0 ? DigestAlgorithm.sha256 : .sha384).rawValue
                job.key = try Self.keyText(algorithm)
                // Each third one enveloped.
                if seed % 3 > 0 { job.ids = Array(document.ids.dropFirst().prefix(3)) }
                if seed % 3 == 1 { job.prefixes = ["p", "q"] }
                jobs.append(job)
                algorithms.append(algorithm)
            }
        }
        for (index, answer) in try Tools.judge(jobs).enumerated() {
            let octets = Array(try #require(answer.octets, "\(answer.error ?? "")"))
            let text = String(decoding: octets, as: UTF8.self)
            if jobs[index].ids.isEmpty {
                let key = try Fixture.key(for: algorithms[index]).publicKey
                #expect(throws: Never.self, "\(text)") {
                    try SignatureVerifier().verifyEnveloped(try XMLDocument.parse(octets)) { _ throws(SignatureError) in
                        key
                    }
                }
            } else {
                #expect(throws: Never.self, "\(text)") {
                    let verified = try Self.verify(octets, algorithms[index])
                    #expect(verified.elements.map { $0.element.attribute("Id") } == jobs[index].ids)
                }
            }
        }
    }

    @Test func signxmlVerifiesOurEnvelopedSignatures() throws {
        var jobs: [JudgeJob] = []
        for seed in 0..<20 as Range<UInt64> {
            let root = try XMLDocument.parse(Array(Self.document(900 + seed).text.utf8)).root
            let signer = SignatureSigner(key: Fixture.p256, keyInfo: .none)
            let id = try #require(root.attribute("Id"))
            var job = JudgeJob(op: "verify", xml: try signer.signEnveloped(root.canonicalBytes(), id: id))
            job.algorithm = SignatureAlgorithm.ecdsaSHA256.rawValue
            job.key = try Self.keyText(.ecdsaSHA256)
            jobs.append(job)
        }
        for (job, answer) in zip(jobs, try Tools.judge(jobs)) {
            #expect(answer.error == nil, "\(String(decoding: job.xml, as: UTF8.self))")
        }
    }

    // MARK: xmlsec1

    static let xmlsecOptions: [String] = RandomDocument.elementNames.flatMap { name in
        (RandomDocument.namespaces.map { "\($0):\(name)" } + [name]).flatMap { ["--id-attr:Id", $0] }
    }

    static func keyOptions(_ algorithm: SignatureAlgorithm, _ folder: TemporaryFolder) throws -> [String] {
        let key = try Fixture.key(for: algorithm)
        if case .hmac(let secret) = key {
            let file = try folder.write("secret", secret.withUnsafeBytes { Data($0) })
            return ["--hmackey", file.path]
        }
        return ["--privkey-pem", try folder.write("key.pem", Data((key.pemRepresentation ?? "").utf8)).path]
    }

    @Test(arguments: common)
    func xmlsecVerifiesWhatWeSign(_ algorithm: SignatureAlgorithm) throws {
        let folder = try TemporaryFolder()
        var files: [String] = []
        for seed in 2000..<2015 as Range<UInt64> {
            files.append(try folder.write("\(seed).xml", Data(try Self.signed(seed, algorithm))).path)
        }
        let options = try Self.xmlsecOptions + Self.keyOptions(algorithm, folder)
        let result = try Tools.run("xmlsec1", ["verify"] + options + files, package: "xmlsec1")
        #expect(result.status == 0, "\(result.errors)")
        let good = result.errors.split(separator: "\n").filter { $0 == "OK" }
        #expect(good.count == files.count)
    }

    @Test(arguments: common)
    func weVerifyWhatXmlsecSigns(_ algorithm: SignatureAlgorithm) throws {
        let folder = try TemporaryFolder()
        let options = try Self.xmlsecOptions + Self.keyOptions(algorithm, folder)
        for seed in 3000..<3004 as Range<UInt64> {
            // Our own signature emptied is the template, once with prefixes to include.
            var text = String(decoding: try Self.signed(seed, algorithm), as: UTF8.self)
            let value = try text.passage(from: "<ds:SignatureValue>", to: "</ds:SignatureValue>")
            text = try text.with(value, "<ds:SignatureValue></ds:SignatureValue>")
            while let digest = try? text.passage(from: "<ds:DigestValue>", to: "</ds:DigestValue>"), digest.count > 40 {
                text = try text.with(digest, "<ds:DigestValue/>")
            }
            if seed % 2 == 1 {
                let exclusive = "Algorithm=\"\(SecurityNamespace.exclusiveC14N)\">"
                text = text.replacing(
                    exclusive,
                    with: exclusive + "<ec:InclusiveNamespaces xmlns:ec=\"\(SecurityNamespace.exclusiveC14N)\" "
                        + "PrefixList=\"p #default\"/>")
            }
            let file = try folder.write("\(seed).xml", Data(text.utf8)).path
            let result = try Tools.run("xmlsec1", ["sign"] + options + [file], package: "xmlsec1")
            #expect(result.status == 0, "\(result.errors)")
            let output = String(decoding: result.output, as: UTF8.self)
            #expect(throws: Never.self, "\(output)") { try Self.verify(Array(result.output), algorithm) }
        }
    }
}

extension XMLElement {
    /// The element and all below it, in document order.
    var subtree: [XMLElement] { [self] + children.flatMap(\.subtree) }
}
