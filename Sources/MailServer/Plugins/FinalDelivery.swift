import Delivery
import Foundation
import Identity
import Logging
import MailStore
import PluginHost
import ServiceLifecycle

/// Final delivery of mail that plug-ins are to see (T2 of design §5.1): leases the jobs of this server's own domain and
/// settles each in one transaction.
///
/// ```
/// accept (T1) ─▶ job ─▶ lease ─▶ mailbox? ─▶ resolvers │ delivery plug-ins ─▶ settleLocal (T2)
///                 ▲                                                             │
///                 └── later, unavailable: put off ◀─────────────────────────────┘
/// ```
///
/// It runs whether or not there are plug-ins: what waited when the last one was unloaded is delivered all the same.
actor FinalDelivery: Service {
    let core: ServerCore
    let settler: FinalSettler
    /// How it waits; its time is the server's.
    private let clock: DeliveryClock
    private let work = WakeSignal()
    private var running = 0
    /// Jobs at work at once.
    private let places: Int
    /// How long a job is ours. What a run decides that takes longer is dropped if another run has taken the job; a job whose
    /// settlement and return both failed (a full disk) is taken up again then.
    private let lease: TimeInterval = 600

    init(core: ServerCore, clock: DeliveryClock) {
        self.core = core
        self.clock = clock
        settler = FinalSettler(core: core)
        places = max(4, core.configuration.pluginThreads * 4)
    }

    func run() async {
        let changes = core.store.queueChanges()
        await withTaskGroup(of: Void.self) { group in
            group.addTask { [work] in for await _ in changes { work.raise() } }
            await withGracefulShutdownHandler {
                await loop()
            } onGracefulShutdown: { [work] in
                work.raise()
            }
            group.cancelAll()
        }
    }

    private var shouldStop: Bool { Task.isCancelled || Task.isShuttingDownGracefully }

    private func loop() async {
        await withDiscardingTaskGroup { group in
            while !shouldStop {
                let next = await start(in: &group)
                if shouldStop { break }
                await wait(until: next)
            }
        }
    }

    /// Leases and starts what there are places for. Returns when to look again if nothing else happens.
    private func start(in group: inout DiscardingTaskGroup) async -> Date? {
        do throws(StoreError) {
            while !shouldStop, running < places {
                let jobs = try await core.store.leaseDue(of: core.domain, now: core.now(), limit: places - running, leaseFor: lease)
                if jobs.isEmpty { return try await core.store.nextDue(of: core.domain) }
                running += jobs.count
                for job in jobs {
                    group.addTask {
                        await self.settler.settle(job)
                        await self.finished()
                    }
                }
            }
            // One that ends rings the bell.
            return nil
        } catch {
            core.logger.error("the local queue cannot be read", metadata: ["error": "\(error)"])
            return core.now().addingTimeInterval(5)
        }
    }

    private func finished() {
        running -= 1
        work.raise()
    }

    private func wait(until date: Date?) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { [work] in await work.wait() }
            if let date {
                // Never a busy loop, whatever the store says.
                let floor = core.now().addingTimeInterval(0.02)
                group.addTask { [clock] in await clock.sleep(max(date, floor)) }
            }
            await group.next()
            group.cancelAll()
        }
    }
}
