import Delivery
import Foundation
import Identity
import NIOConcurrencyHelpers

/// A resolver that answers from a table.
public final class FakeResolver: ServiceResolver, HostResolver {
    private let table: NIOLockedValueBox<[MailDomain: Result<[ServiceEndpoint], DeliveryError>]>
    private let counter = NIOLockedValueBox(0)

    public init(_ table: [MailDomain: Result<[ServiceEndpoint], DeliveryError>] = [:]) {
        self.table = NIOLockedValueBox(table)
    }

    /// Servers on ports of 127.0.0.1.
    public convenience init(ports: [MailDomain: Int]) {
        self.init(
            ports.mapValues { .success([ServiceEndpoint(target: "localhost", port: $0, addresses: ["127.0.0.1"])]) })
    }

    public func set(_ domain: MailDomain, _ result: Result<[ServiceEndpoint], DeliveryError>) {
        table.withLockedValue { $0[domain] = result }
    }

    /// How often it was asked.
    public var questions: Int { counter.withLockedValue { $0 } }

    public func resolve(_ domain: MailDomain, now: Date) async throws(DeliveryError) -> [ServiceEndpoint] {
        counter.withLockedValue { $0 += 1 }
        guard let result = table.withLockedValue({ $0[domain] }) else {
            throw DeliveryError(.noService, "\(domain) is not in the test's table")
        }
        return try result.get()
    }

    public func addresses(of host: String, now: Date) async throws(DeliveryError) -> [String] { ["127.0.0.1"] }
}

/// Raw DNS from a table, with a count of questions.
public final class FakeDNSLookup: DNSLookup {
    public struct Question: Hashable, Sendable {
        public let name: String
        public let type: DNSRecordType

        public init(_ name: String, _ type: DNSRecordType) {
            self.name = name
            self.type = type
        }
    }

    private let table: NIOLockedValueBox<[Question: Result<DNSAnswer, DeliveryError>]>
    private let asked = NIOLockedValueBox<[Question]>([])

    public init(_ table: [Question: Result<DNSAnswer, DeliveryError>] = [:]) {
        self.table = NIOLockedValueBox(table)
    }

    public func set(_ name: String, _ type: DNSRecordType, _ result: Result<DNSAnswer, DeliveryError>) {
        table.withLockedValue { $0[Question(name, type)] = result }
    }

    public var questions: [Question] { asked.withLockedValue { $0 } }

    public func lookup(_ name: String, _ type: DNSRecordType) async throws(DeliveryError) -> DNSAnswer {
        let question = Question(name, type)
        asked.withLockedValue { $0.append(question) }
        return try table.withLockedValue { $0[question] }?.get() ?? DNSAnswer(records: [], isNameError: true)
    }

    /// Record data of an SRV record (RFC 2782).
    public static func srv(_ priority: Int, _ weight: Int, _ port: Int, _ target: String) -> [UInt8] {
        var data: [UInt8] = []
        for number in [priority, weight, port] { data += [UInt8(number >> 8 & 0xff), UInt8(number & 0xff)] }
        for label in target.split(separator: ".") { data += [UInt8(label.utf8.count)] + Array(label.utf8) }
        return data + [0]
    }
}
