import Testing
import XMLCore
import XMLSecurity
import XMLTestSupport

@Suite struct DamageTests {
    /// Whatever is done to a signed envelope: either it is refused, or what verified is what was signed.
    @Test(arguments: 0..<4 as Range<UInt64>)
    func damagedEnvelopesAreRefusedOrSayTheSame(_ part: UInt64) throws {
        let bytes = try Fixture.signed(key: Fixture.hmac)
        let original = try Fixture.verify(bytes, key: Fixture.hmac.publicKey).signature
        let signed = original.elements.map { $0.element.canonicalBytes() }
        var random = SeededGenerator(seed: part)
        for _ in 0..<1500 {
            var damaged = bytes
            let place = Int.random(in: 0..<bytes.count, using: &random)
            let end = min(bytes.count, place + Int.random(in: 1...40, using: &random))
            let other = Int.random(in: 0..<bytes.count, using: &random)
            switch Int.random(in: 0..<4, using: &random) {
            case 0: damaged[place] = UInt8.random(in: 0...255, using: &random)
            case 1: damaged.removeSubrange(place..<end)
            case 2: damaged.insert(contentsOf: bytes[place..<end], at: other)
            default: damaged.insert(UInt8.random(in: 0x20...0x7E, using: &random), at: place)
            }
            guard let verified = try? Fixture.verify(damaged, key: Fixture.hmac.publicKey) else { continue }
            #expect(verified.signature.elements.map { $0.element.canonicalBytes() } == signed)
        }
    }
}
