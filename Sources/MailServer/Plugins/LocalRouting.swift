import Foundation
import Identity
import MailModel
import MailStore
import PluginAPI
import PluginHost

/// What plug-ins say of this server's own recipients before a message is accepted.
struct LocalRouting: Sendable {
    /// Whom an address without a mailbox stands for, as a resolver says.
    struct Alias: Sendable {
        let targets: [Address]
        let plugin: PluginIdentifier
    }

    let home: MailDomain
    /// Delivery plug-ins are to see the message: local mail waits for its final delivery (T2 of design §5.1).
    let waits: Bool
    private(set) var aliases: [Address: Alias] = [:]
    /// Addresses of which a resolver that must not be passed over can say nothing now.
    private(set) var unavailable: [Address: String] = [:]
    /// Aliases that stand for nobody but addresses that have passed the message on before.
    private(set) var circles: Set<Address> = []
    /// Why mail for an alias cannot be passed on.
    private(set) var obstacle: PluginMailer.Obstacle?

    init(home: MailDomain, waits: Bool = false) {
        self.home = home
        self.waits = waits
    }

    /// Asks the resolvers for every address that has no mailbox.
    /// - Parameters:
    ///   - size: octets of the message and its Postmark.
    ///   - hops: of the message.
    static func ask(
        _ pipeline: PluginPipeline, about examination: IntentExamination, message: Message, method: Postmark.AuthenticationMethod,
        size: Int, hops: Int, mailer: PluginMailer,
        in run: PluginRun
    ) async -> LocalRouting {
        var routing = LocalRouting(home: mailer.home, waits: pipeline.hasDelivery)
        guard pipeline.hasResolvers else { return routing }
        lazy var redirectors = PluginMailer.redirectors(of: message, method: method)
        for (address, verdict) in examination.verdicts.sorted(by: { $0.key < $1.key }) where verdict == .unknown {
            switch await pipeline.resolve(address, in: run) {
            case .unknown: break
            case .resolved(let targets, _) where redirectors.isSuperset(of: targets): routing.circles.insert(address)
            case .resolved(let targets, let plugin): routing.aliases[address] = Alias(targets: targets, plugin: plugin)
            case .unavailable(let reason, let plugin): routing.unavailable[address] = "\(plugin): \(reason)"
            }
        }
        // Each alias makes a message that holds this one, all of them in one transaction: together they are bounded, too.
        let together = size * routing.aliases.count / LocalRouting.largestAtOnce
        routing.obstacle = mailer.obstacle(size: max(size, together), hops: hops)
        return routing
    }

    /// Messages of the largest size that one message may become by aliases; of smaller ones it may become more.
    private static let largestAtOnce = 4

    /// Mail of one Postmark for recipients here: what is delivered at once; one job for each recipient that waits, so that
    /// plug-ins settle each by itself; and what is passed on, in the same transaction, to those whom an alias stands for.
    func deliveries(
        to recipients: [Address], of message: SealedMessage, postmark: [UInt8], expires: Date, mailer: PluginMailer, now: Date
    ) throws -> (local: [LocalDelivery], waiting: [RemoteDelivery], passedOn: [Acceptance]) {
        let people = recipients.filter { aliases[$0] == nil }
        var passedOn: [Acceptance] = []
        for (address, alias) in aliases.sorted(by: { $0.key < $1.key }) where recipients.contains(address) {
            passedOn.append(
                try mailer.redirect(message, SealedPostmark(octets: postmark), by: address, to: alias.targets, now: now))
        }
        guard waits else {
            return (people.isEmpty ? [] : [LocalDelivery(recipients: people, postmark: postmark)], [], passedOn)
        }
        let waiting = people.map {
            RemoteDelivery(destination: home, recipients: [$0], postmark: postmark, expires: expires)
        }
        return ([], waiting, passedOn)
    }
}

extension PluginMailer.Obstacle {
    /// For people.
    var reason: String {
        switch self {
        case .hops: "the message was passed on in a circle"
        case .size: "the message is too large to be passed on"
        }
    }
}
