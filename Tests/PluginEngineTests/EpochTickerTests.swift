import Foundation
import PluginAPI
import Testing

@testable import PluginEngine

@Suite struct EpochTickerTests {
    @Test func `The clock ticks during calls, rests without, and ticks again`() {
        let ticks = DispatchSemaphore(value: 0)
        let ticker = EpochTicker(interval: 1, idleTicks: 3) { ticks.signal() }
        #expect(ticker.isResting)
        for _ in 0..<3 {
            #expect(ticker.begin() && ticker.begin())
            ticker.end()
            // More than it would take to rest.
            for _ in 0..<20 { ticks.wait() }
            #expect(ticker.calls == 1)
            ticker.end()
            while !ticker.isResting { sched_yield() }
            while ticks.wait(timeout: .now()) == .success {}
        }
        ticker.stop()
        #expect(!ticker.begin())
        #expect(ticks.wait(timeout: .now()) == .timedOut)
    }

    @Test func `A clock that never ran, and one that runs, can be stopped`() {
        let idle = EpochTicker {}
        idle.stop()
        idle.stop()
        #expect(!idle.begin())
        let busy = EpochTicker(interval: 1) {}
        #expect(busy.begin())
        busy.stop()
        #expect(busy.isResting && !busy.begin())
    }

    @Test func `A module without end does not hold up others`() throws {
        var parts = Wat()
        parts.handle = "\(Wat.loop) unreachable"
        let endless = try TestEngine.compile(parts.text)
        let good = try TestEngine.compile(Wat().text)
        let wrong = WrongAnswers()
        DispatchQueue.concurrentPerform(iterations: 4) { thread in
            if thread == 0 {
                let error = TestEngine.error { _ = try endless.handle(.delivery, [], limits: TestEngine.short, host: TestHost()) }
                if error?.code != .timedOut { wrong.add() }
            } else {
                for _ in 0..<300 where (try? good.handle(.delivery, [1], limits: TestEngine.limits, host: TestHost())) != [1] {
                    wrong.add()
                }
            }
        }
        #expect(wrong.count == 0)
    }
}
