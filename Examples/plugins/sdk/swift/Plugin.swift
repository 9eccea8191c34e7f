enum Role {
    case sending, delivery, extensions, resolver
}

/// A plug-in: a type with the functions of its roles, and one line that registers it:
///
///     enum Greeter: Plugin {
///         static var roles: [Role] { [.delivery] }
///         static func deliver(_ event: DeliveryEvent) -> DeliveryVerdict { .proceed }
///     }
///     typealias RegisteredPlugin = Greeter
///
/// Every call gets a new instance of the module: nothing in memory survives a call. What shall, goes into `KeyValue`.
/// A call can be repeated; only one repetition takes effect.
protocol Plugin {
    /// Must cover the roles of the manifest.
    static var roles: [Role] { get }

    static func submit(_ event: SendingEvent) -> SendingVerdict
    static func deliver(_ event: DeliveryEvent) -> DeliveryVerdict
    /// Answers one XML element.
    static func answer(_ event: ExtensionEvent) throws(Fault) -> Bytes
    /// Nil: not known.
    static func resolve(_ event: ResolverEvent) -> [Bytes]?
}

extension Plugin {
    static func submit(_ event: SendingEvent) -> SendingVerdict { .proceed }
    static func deliver(_ event: DeliveryEvent) -> DeliveryVerdict { .proceed }
    static func answer(_ event: ExtensionEvent) throws(Fault) -> Bytes { throw Fault("this plug-in answers nothing") }
    static func resolve(_ event: ResolverEvent) -> [Bytes]? { nil }
}

@_expose(wasm, "describe") @_cdecl("describe")
public func describe() -> Int64 {
    var frame = FrameWriter()
    frame.add(.abi, "1")
    for role in RegisteredPlugin.roles {
        switch role {
        case .sending: frame.add(.describedRole, "sending")
        case .delivery: frame.add(.describedRole, "delivery")
        case .extensions: frame.add(.describedRole, "extension")
        case .resolver: frame.add(.describedRole, "resolver")
        }
    }
    return give(frame.octets)
}

@_expose(wasm, "handle") @_cdecl("handle")
public func handle(_ kind: Int32, _ event: UnsafeRawPointer?, _ count: Int) -> Int64 {
    let fields = EventFields(UnsafeRawBufferPointer(start: event, count: count))
    switch kind {
    case 1: return give(RegisteredPlugin.submit(fields.sending).frame)
    case 2: return give(RegisteredPlugin.deliver(fields.delivery).frame)
    case 3: return give(answer(fields.call))
    case 4: return give(resolve(fields.resolver))
    default: return 0
    }
}

private func answer(_ event: ExtensionEvent) -> Bytes {
    var frame = FrameWriter()
    do throws(Fault) {
        let answer = try RegisteredPlugin.answer(event)
        frame.add(.verdict, "answer")
        frame.add(.answerXML, answer)
    } catch {
        frame.refuse(error.reason, transient: error.transient)
    }
    return frame.octets
}

private func resolve(_ event: ResolverEvent) -> Bytes {
    var frame = FrameWriter()
    if let targets = RegisteredPlugin.resolve(event) {
        frame.add(.verdict, "resolved")
        for target in targets { frame.add(.target, target) }
    } else {
        frame.add(.verdict, "unknown")
    }
    return frame.octets
}

/// Hands octets to the host: address and length in one number. Empty: 0, "proceed".
private func give(_ octets: Bytes) -> Int64 {
    guard !octets.isEmpty, let block = wsemail_alloc(octets.count) else { return 0 }
    octets.withUnsafeBytes { block.copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
    return Int64(Int(bitPattern: block)) << 32 | Int64(octets.count)
}
