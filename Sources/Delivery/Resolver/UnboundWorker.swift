import CUnbound
import Foundation

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// What runs on the resolver's thread: the libunbound context and the questions it works on.
final class UnboundWorker {
    /// Hands the worker to its thread, once; nobody else keeps it.
    struct Transfer: @unchecked Sendable {
        let worker: UnboundWorker
        init(_ worker: UnboundWorker) { self.worker = worker }
    }

    private struct Pending {
        let question: UnboundQuestion
        let identifier: Int32
        let deadline: ContinuousClock.Instant
    }

    /// Passed through C: names the question to the callback.
    private final class Ticket {
        unowned let worker: UnboundWorker
        let number: UInt64
        init(worker: UnboundWorker, number: UInt64) {
            self.worker = worker
            self.number = number
        }
    }

    private let context: OpaquePointer
    private let mailbox: UnboundMailbox
    private let timeout: Duration
    private var pending: [UInt64: Pending] = [:]
    private var tickets: [UInt64: Ticket] = [:]
    private var nextNumber: UInt64 = 0

    init(_ configuration: ResolverConfiguration, mailbox: UnboundMailbox) throws(DeliveryError) {
        guard let context = ub_ctx_create() else { throw DeliveryError(.internal, "libunbound did not start") }
        self.context = context
        self.mailbox = mailbox
        timeout = configuration.timeout
        try configure(configuration)
    }

    deinit {
        ub_ctx_delete(context)
    }

    private func configure(_ configuration: ResolverConfiguration) throws(DeliveryError) {
        // A background thread of libunbound's own; it reports through a pipe that our thread polls.
        try check(ub_ctx_async(context, 1), "threads")
        if let file = configuration.trustAnchorFile {
            // libunbound would only notice at the first question.
            guard access(file, R_OK) == 0 else {
                throw DeliveryError(.internal, "the DNSSEC trust anchor \(file) cannot be read")
            }
            try check(ub_ctx_add_ta_file(context, file), "trust anchor \(file)")
        }
        for domain in configuration.insecureDomains {
            try check(ub_ctx_set_option(context, "domain-insecure:", domain), "insecure domain \(domain)")
        }
        if configuration.usesSystemForwarders {
            try check(ub_ctx_resolvconf(context, nil), "/etc/resolv.conf")
        }
        if !configuration.forwarders.isEmpty || configuration.usesSystemForwarders {
            // Forwarders on this machine are common, and asked for by name: allow them.
            try check(ub_ctx_set_option(context, "do-not-query-localhost:", "no"), "local forwarders")
        }
        for forwarder in configuration.forwarders {
            try check(ub_ctx_set_fwd(context, forwarder), "forwarder \(forwarder)")
        }
        // RFC 6761 §6.2 lets resolvers answer "test" themselves, and libunbound does; private federations use such names.
        // This also fixes the configuration, so it comes last.
        for zone in ["test", "home.arpa"] where !configuration.forwarders.isEmpty || configuration.names(zone) {
            try check(ub_ctx_zone_add(context, zone + ".", "transparent"), "zone \(zone)")
        }
    }

    private func check(_ status: Int32, _ what: String) throws(DeliveryError) {
        guard status != 0 else { return }
        throw DeliveryError(.internal, "libunbound: \(what): \(String(cString: ub_strerror(status)))")
    }

    // MARK: The thread

    func run() {
        while true {
            var descriptors = [
                pollfd(fd: mailbox.readEnd, events: Int16(POLLIN), revents: 0),
                pollfd(fd: ub_fd(context), events: Int16(POLLIN), revents: 0),
            ]
            poll(&descriptors, 2, millisecondsToNextDeadline())
            let (questions, isClosed) = mailbox.take()
            if isClosed {
                for question in questions { mailbox.answer(question, .failure(Self.closed)) }
                break
            }
            questions.forEach(start)
            _ = ub_process(context)
            expire()
        }
        for (_, one) in pending { _ = ub_cancel(context, one.identifier) }
        for (_, one) in pending { mailbox.answer(one.question, .failure(Self.closed)) }
        pending = [:]
        tickets = [:]
    }

    private static let closed = DeliveryError(.closed, "the resolver has been closed")

    private func start(_ question: UnboundQuestion) {
        nextNumber += 1
        let number = nextNumber
        let ticket = Ticket(worker: self, number: number)
        var identifier: Int32 = 0
        let status = ub_resolve_async(
            context, question.name, question.type.rawValue, 1, Unmanaged.passUnretained(ticket).toOpaque(),
            { argument, status, result in
                defer { ub_resolve_free(result) }
                guard let argument else { return }
                let ticket = Unmanaged<Ticket>.fromOpaque(argument).takeUnretainedValue()
                ticket.worker.finish(ticket.number, UnboundWorker.answer(status, result))
            }, &identifier)
        guard status == 0 else {
            let reason = String(cString: ub_strerror(status))
            return mailbox.answer(question, .failure(DeliveryError(.dnsFailure, "\(question.name): \(reason)")))
        }
        tickets[number] = ticket
        pending[number] = Pending(question: question, identifier: identifier, deadline: .now + timeout)
    }

    private func finish(_ number: UInt64, _ result: Result<DNSAnswer, DeliveryError>) {
        guard let one = pending.removeValue(forKey: number) else { return }
        tickets.removeValue(forKey: number)
        mailbox.answer(one.question, result)
    }

    private func expire() {
        let now = ContinuousClock.now
        for (number, one) in pending where one.deadline <= now {
            _ = ub_cancel(context, one.identifier)
            finish(number, .failure(DeliveryError(.dnsFailure, "\(one.question.name): no answer from DNS in time")))
        }
    }

    private func millisecondsToNextDeadline() -> Int32 {
        guard let next = pending.values.map(\.deadline).min() else { return -1 }
        let left = ContinuousClock.now.duration(to: next)
        let milliseconds = left.components.seconds * 1000 + left.components.attoseconds / 1_000_000_000_000_000
        return Int32(clamping: max(0, milliseconds + 1))
    }

    // MARK: Answers

    /// RFC 1035 §4.1.1.
    private static func meaning(_ code: Int32) -> String {
        switch code {
        case 2: " (SERVFAIL: it failed)"
        case 5: " (REFUSED)"
        default: ""
        }
    }

    private static func answer(
        _ status: Int32, _ result: UnsafeMutablePointer<ub_result>?
    ) -> Result<DNSAnswer, DeliveryError> {
        guard status == 0, let result = result?.pointee else {
            return .failure(DeliveryError(.dnsFailure, "DNS did not answer: \(String(cString: ub_strerror(status)))"))
        }
        let name = result.qname.map { String(cString: $0) } ?? "?"
        if result.bogus != 0 {
            let why = result.why_bogus.map { String(cString: $0) } ?? "validation failed"
            return .failure(DeliveryError(.bogus, "\(name): DNSSEC: \(why)"))
        }
        // NOERROR and NXDOMAIN are answers; all else (SERVFAIL, REFUSED, ...) says nothing about the name.
        guard result.rcode == 0 || result.nxdomain != 0 else {
            return .failure(DeliveryError(.dnsFailure, "\(name): DNS answered with code \(result.rcode)\(meaning(result.rcode))"))
        }
        return .success(
            DNSAnswer(
                records: result.havedata != 0 ? records(result) : [], ttl: Int(result.ttl),
                isNameError: result.nxdomain != 0, isSecure: result.secure != 0, isAlias: isAlias(result, name)))
    }

    private static func records(_ result: ub_result) -> [[UInt8]] {
        guard let data = result.data, let lengths = result.len else { return [] }
        var records: [[UInt8]] = []
        while let bytes = data[records.count] {
            let raw = UnsafeRawBufferPointer(start: bytes, count: Int(lengths[records.count]))
            records.append(Array(raw))
        }
        return records
    }

    private static func isAlias(_ result: ub_result, _ name: String) -> Bool {
        guard let canonical = result.canonname.map({ String(cString: $0).lowercased() }) else { return false }
        let asked = name.lowercased()
        return canonical != asked && canonical != asked + "."
    }
}
