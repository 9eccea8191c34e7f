import Identity

extension VerdictFrames {
    public static func encode(_ verdict: SendingVerdict) -> [UInt8] {
        switch verdict {
        case .proceed: return frame(.proceed).octets
        case .dropAttachments(let digests):
            var frame = frame(.drop)
            for digest in digests.sorted(by: { $0.lexicographicallyPrecedes($1) }) { frame.add(.drop, digest) }
            return frame.octets
        case .redirect(let replacements):
            var frame = frame(.redirect)
            for (recipient, targets) in replacements.sorted(by: { $0.key < $1.key }) {
                var field = PluginFrame()
                field.add(.recipient, recipient.description)
                for target in targets { field.add(.target, target.description) }
                frame.add(.replacement, field.octets)
            }
            return frame.octets
        case .keep(let guids):
            var frame = frame(.keep)
            for (digest, guid) in guids.sorted(by: { $0.value < $1.value }) {
                var field = PluginFrame()
                field.add(.sha256, digest)
                field.add(.name, guid)
                frame.add(.keep, field.octets)
            }
            return frame.octets
        case .refuse(let reason, let isTransient): return refusal(PluginFault(reason, isTransient: isTransient))
        }
    }

    public static func encode(_ verdict: DeliveryVerdict) -> [UInt8] {
        switch verdict {
        case .proceed: return frame(.proceed).octets
        case .file(let folder, let flags):
            var frame = frame(.file)
            frame.add(.folder, folder)
            for flag in flags.map(\.rawValue).sorted() { frame.add(.flag, flag) }
            return frame.octets
        case .consume: return frame(.consume).octets
        case .redirect(let targets):
            var frame = frame(.redirect)
            for target in targets { frame.add(.target, target.description) }
            return frame.octets
        case .refuse(let reason):
            var frame = frame(.refuse)
            frame.add(.reason, reason)
            return frame.octets
        case .later(let seconds, let reason):
            var frame = frame(.later)
            frame.add(.seconds, String(max(seconds, 0)))
            frame.add(.reason, reason)
            return frame.octets
        }
    }

    public static func encode(_ verdict: ExtensionVerdict) -> [UInt8] {
        switch verdict {
        case .answer(let element):
            var frame = frame(.answer)
            frame.add(.answerXML, element)
            return frame.octets
        case .refuse(let fault): return refusal(fault)
        }
    }

    /// - Parameter addresses: nil: not known.
    public static func encode(resolved addresses: [Address]?) -> [UInt8] {
        guard let addresses else { return frame(.unknown).octets }
        var frame = frame(.resolved)
        for address in addresses { frame.add(.target, address.description) }
        return frame.octets
    }

    private static func frame(_ word: Word) -> PluginFrame {
        var frame = PluginFrame()
        frame.add(.verdict, word.rawValue)
        return frame
    }

    private static func refusal(_ fault: PluginFault) -> [UInt8] {
        var frame = frame(.refuse)
        frame.add(.reason, fault.reason)
        if fault.isTransient { frame.add(.transient, "yes") }
        return frame.octets
    }
}
