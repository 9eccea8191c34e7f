/// Chains already followed, by leaf, claim and generation of anchors; the oldest goes when it is full.
///
/// An entry needs no expiry of its own: it carries the period in which its chain is valid, and the caller compares
/// that with the time it asks about. Only good results are kept, so that strangers cannot fill it with rubbish.
struct ValidationCache {
    struct Key: Hashable {
        let thumbprint: [UInt8]
        let claim: CertificateClaim
        let generation: UInt64
    }

    let capacity: Int
    private var entries: [Key: ValidatedCertificate] = [:]
    private var order: [Key] = []
    private var oldest = 0

    init(capacity: Int) { self.capacity = max(1, capacity) }

    subscript(key: Key) -> ValidatedCertificate? { entries[key] }

    var count: Int { entries.count }

    mutating func insert(_ value: ValidatedCertificate, for key: Key) {
        guard entries.updateValue(value, forKey: key) == nil else { return }
        if order.count < capacity {
            order.append(key)
        } else {
            entries[order[oldest]] = nil
            order[oldest] = key
            oldest = (oldest + 1) % capacity
        }
    }

    mutating func removeAll() {
        entries = [:]
        order = []
        oldest = 0
    }
}
