import Testing
import XMLCore

/// Every limit: a document exactly at it, and one just beyond.
struct LimitCase: Sendable, CustomTestStringConvertible {
    var name: String
    var limits: XMLLimits
    var inside: String
    var outside: String
    var testDescription: String { name }

    static let all = [
        LimitCase(name: "bytes", limits: XMLLimits(maxBytes: 8), inside: "<a>1</a>", outside: "<a>12</a>"),
        LimitCase(
            name: "depth", limits: XMLLimits(maxDepth: 3), inside: "<a><b><c/></b><b><c></c></b></a>",
            outside: "<a><b><c><d/></c></b></a>"),
        LimitCase(
            name: "elements", limits: XMLLimits(maxElements: 3), inside: "<a><b/><b/></a>",
            outside: "<a><b/><b/><b/></a>"),
        LimitCase(
            name: "attributes", limits: XMLLimits(maxAttributesPerElement: 2), inside: "<a b='' c='' xmlns:p='urn:p'/>",
            outside: "<a b='' c='' d=''/>"),
        LimitCase(
            name: "namespaces of an element", limits: XMLLimits(maxNamespacesPerElement: 2),
            inside: "<a xmlns='urn:a' xmlns:p='urn:p' b='' c='' d=''/>",
            outside: "<a xmlns='urn:a' xmlns:p='urn:p' xmlns:q='urn:q'/>"),
        LimitCase(
            name: "namespaces in scope", limits: XMLLimits(maxNamespacesInScope: 2),
            inside: "<a xmlns='urn:a'><b xmlns:p='urn:p'/><b xmlns:p='urn:p'/></a>",
            outside: "<a xmlns='urn:a'><b xmlns:p='urn:p'><c xmlns:q='urn:q'/></b></a>"),
        LimitCase(
            name: "name", limits: XMLLimits(maxNameLength: 4), inside: "<abcd efgh='' x=''/>", outside: "<abcde/>"),
        LimitCase(
            name: "name with prefix", limits: XMLLimits(maxNameLength: 7), inside: "<a xmlns:p='urn:p' p:abcde=''/>",
            outside: "<a xmlns:p='urn:p' p:abcdef=''/>"),
        LimitCase(
            name: "attribute value", limits: XMLLimits(maxAttributeLength: 8), inside: "<a b='12345678'/>",
            outside: "<a b='&#65;&gt;'/>"),
        LimitCase(
            name: "references", limits: XMLLimits(maxReferences: 2), inside: "<a b='&lt;'>&#65;</a>",
            outside: "<a b='&lt;'>&#65;&gt;</a>"),
        LimitCase(
            name: "text runs", limits: XMLLimits(maxTextRuns: 3), inside: "<a>1<!--2--><![CDATA[3]]></a>",
            outside: "<a>1<!--2--><![CDATA[3]]>4</a>"),
    ]
}

@Suite struct LimitTests {
    @Test(arguments: LimitCase.all)
    func acceptsJustInside(_ limit: LimitCase) {
        #expect(refusal(limit.inside, limits: limit.limits) == nil)
    }

    @Test(arguments: LimitCase.all)
    func refusesJustOutside(_ limit: LimitCase) {
        #expect(refusal(limit.outside, limits: limit.limits) == .limitExceeded)
    }

    @Test func standardDepthHoldsWithoutRecursion() {
        func nested(_ depth: Int) -> String {
            String(repeating: "<a>", count: depth) + String(repeating: "</a>", count: depth)
        }
        #expect(refusal(nested(64)) == nil)
        #expect(refusal(nested(65)) == .limitExceeded)
        #expect(refusal(nested(100_000)) == .limitExceeded)
        #expect(refusal(nested(100_000), limits: XMLLimits(maxDepth: 100_000)) == nil)
    }

    @Test func manyAttributesAreRefusedQuickly() {
        let attributes = (0..<65).map { "a\($0)=''" }.joined(separator: " ")
        #expect(refusal("<a \(attributes)/>") == .limitExceeded)
    }
}
