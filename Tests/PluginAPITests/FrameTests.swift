import Foundation
import Identity
import PluginAPI
import Testing

@Suite struct FrameTests {
    @Test func `events survive the frame`() throws {
        let settings = ["reply": "Away", "user.ann": ""]
        for event in try FrameSamples.events() {
            let decoded = try EventFrames.decode(EventFrames.encode(event, settings: settings))
            #expect(decoded.event == event)
            #expect(decoded.settings == settings)
        }
    }

    @Test func `verdicts survive the frame`() throws {
        for verdict in FrameSamples.sendings { #expect(try VerdictFrames.sending(VerdictFrames.encode(verdict)) == verdict) }
        for verdict in FrameSamples.deliveries { #expect(try VerdictFrames.delivery(VerdictFrames.encode(verdict)) == verdict) }
        for verdict in FrameSamples.answers { #expect(try VerdictFrames.answer(VerdictFrames.encode(verdict)) == verdict) }
        for answer in [nil, [FrameSamples.ann, FrameSamples.bob]] {
            #expect(try VerdictFrames.resolved(VerdictFrames.encode(resolved: answer)) == answer)
        }
        #expect(try OutgoingMessage(frame: FrameSamples.message.frame) == FrameSamples.message)
        #expect(try DescriptionFrame(octets: DescriptionFrame(roles: [.sending, .resolver]).octets).roles == [.sending, .resolver])
    }

    @Test func `no answer means proceed, and not known to a resolver, and nothing good from an extension`() throws {
        #expect(try VerdictFrames.sending(nil) == .proceed)
        #expect(try VerdictFrames.delivery(nil) == .proceed)
        #expect(try VerdictFrames.resolved(nil) == nil)
        #expect(throws: PluginError.self) { try VerdictFrames.answer(nil) }
    }

    @Test func `tags of later versions are passed over`() throws {
        let later: [UInt8] = [250, 3, 0, 0, 0, 1, 2, 3]
        #expect(try VerdictFrames.delivery(later + VerdictFrames.encode(DeliveryVerdict.consume)) == .consume)
    }

    @Test func `a verdict of another role is refused`() throws {
        for verdict in FrameSamples.deliveries where verdict != .refuse(reason: "no") {
            #expect(throws: PluginError.self) { try VerdictFrames.answer(VerdictFrames.encode(verdict)) }
        }
        let file = VerdictFrames.encode(DeliveryVerdict.file(folder: "x", flags: []))
        #expect(throws: PluginError.self) { try VerdictFrames.sending(file) }
        let drop = VerdictFrames.encode(SendingVerdict.dropAttachments([FrameSamples.digest]))
        #expect(throws: PluginError.self) { try VerdictFrames.delivery(drop) }
        #expect(throws: PluginError.self) { try VerdictFrames.resolved(drop) }
    }

    @Test func `what is kept has a digest and a GUID, each once`() throws {
        let (digest, guid) = (FrameSamples.digest, FrameSamples.guid)
        let other = [UInt8](repeating: 1, count: 32)
        let bad: [[[UInt8]: String]] = [
            [digest: ""], [digest: guid.uppercased()], [digest: String(guid.dropLast())], [digest: guid + "0"], [[1]: guid],
            [digest: guid, other: guid], [digest: "0123456789abcdef0123456789abcdeg"],
        ]
        for guids in bad {
            #expect(throws: PluginError.self) { try VerdictRules.checked(SendingVerdict.keep(guids)) }
            #expect(throws: PluginError.self) { try VerdictFrames.sending(VerdictFrames.encode(SendingVerdict.keep(guids))) }
        }
        #expect(throws: PluginError.self) { try VerdictFrames.sending(frame([(.verdict, "keep")])) }
        #expect(try VerdictRules.checked(SendingVerdict.keep([:])) == .proceed)
    }

    private func frame(_ fields: [(FrameTag, String)]) -> [UInt8] {
        var frame = PluginFrame()
        for (tag, text) in fields { frame.add(tag, text) }
        return frame.octets
    }

    @Test func `a delivery verdict must be whole and within its bounds`() throws {
        let long = String(repeating: "x", count: 501)
        let bad: [[(FrameTag, String)]] = [
            [], [(.verdict, "maybe")], [(.verdict, "consume"), (.verdict, "consume")], [(.verdict, "file")],
            [(.verdict, "file"), (.folder, "")], [(.verdict, "file"), (.folder, String(repeating: "f", count: 101))],
            [(.verdict, "file"), (.folder, "a\u{7}")], [(.verdict, "file"), (.folder, "a"), (.folder, "b")],
            [(.verdict, "file"), (.folder, "a"), (.flag, "junk")], [(.verdict, "refuse")], [(.verdict, "refuse"), (.reason, long)],
            [(.verdict, "later"), (.seconds, "1")], [(.verdict, "later"), (.reason, "r")],
            [(.verdict, "later"), (.reason, "r"), (.seconds, "-1")], [(.verdict, "later"), (.reason, "r"), (.seconds, "")],
            [(.verdict, "later"), (.reason, "r"), (.seconds, "1234567890123456789")], [(.verdict, "redirect")],
            [(.verdict, "redirect"), (.target, "nobody")], [(.verdict, "consume"), (.folder, "x")],
            [(.verdict, "redirect")] + (0...20).map { (.target, "a\($0)@example.org") },
        ]
        for fields in bad { #expect(throws: PluginError.self, "\(fields)") { try VerdictFrames.delivery(frame(fields)) } }
        let late: [(FrameTag, String)] = [(.verdict, "later"), (.reason, "a\nb"), (.seconds, "999999")]
        #expect(try VerdictFrames.delivery(frame(late)) == .later(seconds: 86_400, reason: "a b"))
    }

    @Test func `a sending verdict must be whole and within its bounds`() throws {
        var short = PluginFrame()
        short.add(.verdict, "drop")
        short.add(.drop, [1, 2, 3])
        #expect(throws: PluginError.self) { try VerdictFrames.sending(short.octets) }
        #expect(throws: PluginError.self) { try VerdictFrames.sending(frame([(.verdict, "drop")])) }
        #expect(throws: PluginError.self) { try VerdictFrames.sending(frame([(.verdict, "redirect")])) }
        #expect(throws: PluginError.self) {
            try VerdictFrames.sending(frame([(.verdict, "refuse"), (.reason, "r"), (.transient, "maybe")]))
        }
        var twice = PluginFrame()
        twice.add(.verdict, "redirect")
        for _ in 0..<2 { twice.add(.replacement, frame([(.recipient, "a@example.org"), (.target, "b@example.org")])) }
        #expect(throws: PluginError.self) { try VerdictFrames.sending(twice.octets) }
        #expect(throws: PluginError.self) { try VerdictFrames.sending(VerdictFrames.encode(.redirect([FrameSamples.ann: []]))) }
    }

    @Test func `a message to send stays within its bounds`() throws {
        func refused(_ change: (inout OutgoingMessage) -> Void) {
            var message = FrameSamples.message
            change(&message)
            #expect(throws: PluginError.self) { try OutgoingMessage(frame: message.frame) }
        }
        refused { $0.to = [] }
        refused { $0.to = Array(repeating: FrameSamples.ann, count: 21) }
        refused { $0.subject = String(repeating: "s", count: 999) }
        refused { $0.subject = "a\r\nBcc: x" }
        refused { $0.text = String(repeating: "t", count: 65_537) }
        refused { $0.text = "\u{0}" }
        refused { $0.inReplyTo = "x" }
        var whole = FrameSamples.message
        whole.to = (0..<20).map { FrameSamples.address("a\($0)@example.org") }
        whole.subject = String(repeating: "s", count: 998)
        whole.text = String(repeating: "t", count: 65_536)
        #expect(try OutgoingMessage(frame: whole.frame) == whole)
        #expect(throws: PluginError.self) { try OutgoingMessage(frame: frame([(.sender, "root"), (.to, "a@example.org")])) }
    }

    @Test func `a module for another version of the ABI is told apart`() throws {
        let error = #expect(throws: PluginError.self) { try DescriptionFrame(octets: frame([(.abi, "2")])) }
        #expect(error?.code == .invalidModule)
        #expect(throws: PluginError.self) { try DescriptionFrame(octets: [1, 2, 3]) }
        #expect(try DescriptionFrame(octets: frame([(.abi, "1"), (.describedRole, "later-role")])).roles.isEmpty)
    }

    @Test func `whatever is changed in a frame, reading it ends with a value or an error`() throws {
        var numbers = SeededNumbers(state: 3)
        var frames = try FrameSamples.events().map { EventFrames.encode($0, settings: ["a": "b"]) }
        frames += FrameSamples.sendings.map { VerdictFrames.encode($0) } + FrameSamples.deliveries.map { VerdictFrames.encode($0) }
        frames += FrameSamples.answers.map { VerdictFrames.encode($0) } + [FrameSamples.message.frame]
        for round in 0..<4_000 {
            var octets = frames[round % frames.count]
            for _ in 0..<Int.random(in: 1...4, using: &numbers) where !octets.isEmpty {
                let index = Int.random(in: 0..<octets.count, using: &numbers)
                switch Int.random(in: 0..<3, using: &numbers) {
                case 0: octets[index] = UInt8.random(in: 0...255, using: &numbers)
                case 1: octets.remove(at: index)
                default: octets.insert(UInt8.random(in: 0...255, using: &numbers), at: index)
                }
            }
            let event = try? EventFrames.decode(octets)
            if let event { #expect(throws: Never.self) { try EventFrames.decode(EventFrames.encode(event.event)) } }
            if let verdict = try? VerdictFrames.delivery(octets) {
                #expect(try VerdictFrames.delivery(VerdictFrames.encode(verdict)) == verdict)
            }
            if let verdict = try? VerdictFrames.sending(octets) {
                #expect(try VerdictFrames.sending(VerdictFrames.encode(verdict)) == verdict)
            }
            _ = try? VerdictFrames.answer(octets)
            _ = try? VerdictFrames.resolved(octets)
            _ = try? OutgoingMessage(frame: octets)
            _ = try? DescriptionFrame(octets: octets)
        }
    }
}
