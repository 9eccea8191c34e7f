import Delivery
import Identity
import MailModel
import SOAP
import SOAPClient
import Testing

@testable import MailClient
@testable import wsemail

/// What goes wrong is said in words that people understand.
@Suite struct WordsTests {
    @Test(arguments: [
        (
            "127.0.0.1 port 8443: connection reset (error set): Connection refused) (errno: 111)",
            "cannot connect to 127.0.0.1:8443: connection refused"
        ),
        (
            "connectFailed: ::1 port 1: connection reset (error set): Connection refused) (errno: 111)",
            "cannot connect to [::1]:1: connection refused"
        ),
        ("unreachable: timeout: no complete reply in time", "the server's answer did not come in time"),
        ("read(descriptor:pointer:size:): Connection reset by peer (errno: 104)", "the connection broke: the other side ended it"),
        ("noService: _wsemail._tcp.scopio.test does not exist", "scopio.test publishes no WSEmail service in DNS"),
        ("_wsemail._tcp.scopio.test has no SRV record", "scopio.test publishes no WSEmail service in DNS"),
        ("_wsemail._tcp.scopio.test: no answer from DNS in time", "DNS did not answer in time when asked for scopio.test"),
        (
            "dnsFailure: _wsemail._tcp.scopio.test: DNS answered with code 2",
            "DNS could not answer when asked for scopio.test (its code is 2)"
        ),
        ("mail.scopio.test has no address", "mail.scopio.test has no address in DNS"),
        (
            "TLS: handshakeFailed(NIOSSL.BoringSSLError.sslError([… WRONG_VERSION_NUMBER …]))",
            "what answers there does not speak TLS: is that the right port?"
        ),
        ("HTTP status 404", "the server answered with HTTP status 404, not with mail: is it a WSEmail server?"),
        ("the mailbox is full", "the mailbox is full"), ("note: errno is a word", "note: errno is a word"), ("", ""),
    ])
    func causesAreTranslated(_ reason: String, _ plain: String) {
        #expect(ConnectionWords.plain(reason) == plain)
    }

    @Test func nobodyAnswering() {
        let error = MailClientError(
            SOAPClientError(.connectFailed, "127.0.0.1 port 1: connection reset (error set): Connection refused) (errno: 111)"))
        #expect(error.code == .unreachable && error.reason == "cannot connect to 127.0.0.1:1: connection refused")
        let missing = MailClientError(DeliveryError(.noService, "_wsemail._tcp.x.test does not exist"))
        #expect(missing.reason == "x.test publishes no WSEmail service in DNS")
    }

    @Test func aRefusedKeyNamesTheAddress() throws {
        let error = MailClientError(fault: SOAPFault(.untrustedCertificate, "the certificate is not valid (any more)"))
            .about(try Address("alice@capicom.test"))
        let advice = try #require(error.advice)
        #expect(advice.contains("wsemail account add alice@capicom.test --renew"))
        #expect(advice.contains("disabled") && advice.contains("administrator"))
    }

    @Test func aWaitIsSaidOnce() {
        let throttled = MailClientError(
            fault: SOAPFault(.busy, "too many failed logins: wait 30 seconds, then try again"))
        #expect(throttled.reason == "too many failed logins: wait 30 seconds, then try again")
        #expect(throttled.advice == nil && throttled.isTransient)
        #expect(MailClientError(fault: SOAPFault(.busy, "the database is busy")).advice == "Try again in a minute.")
    }

    @Test(arguments: ["", " \n\t\n"])
    func anEmptyTextIsRefused(_ text: String) async {
        let error = await expect(.invalidInput) { try TextInput.text(Array(text.utf8), name: "standard input") }
        #expect(error?.reason == "standard input is empty: nothing was sent")
    }

    @Test func aFolderIsNoFile() async throws {
        let folder = try TemporaryFolder()
        _ = try ClientFolder(path: folder.path)
        do {
            _ = try TextInput.read(body: nil, file: folder.path, Screen(isJSON: false))
            Issue.record("a folder was read")
        } catch {
            let failure = CommandFailure.translate(error)
            #expect(failure.code == .invalidInput && failure.reason == "\(folder.path) is a folder, not a file")
        }
    }

    @Test(arguments: [
        ("queued", 3, "queued, 3 attempts"), ("queued", 1, "queued, 1 attempt"), ("queued", 0, "queued"),
        ("delivered", 2, "delivered"),
    ])
    func attemptsAreCounted(state: String, attempts: Int, words: String) throws {
        let line = StatusOperation.Line(
            address: try Address("bob@scopio.test"), state: state, time: "", attempts: attempts, reason: nil)
        #expect(StatusCommand.words(line) == words)
    }

    @Test func textsThatWouldBeLostAreCounted() {
        #expect(AccountRemoveCommand.words(waiting: 1, aside: 2) == "1 message not sent yet and 2 texts set aside")
        #expect(AccountRemoveCommand.words(waiting: 2, aside: 0) == "2 messages not sent yet")
    }

    /// Lines of the examples fit where nothing wraps them.
    @Test(arguments: WSEmailCommand.configuration.subcommands.map { "\($0)" })
    func helpIsNotWrappedHard(_ name: String) throws {
        let command = try #require(WSEmailCommand.configuration.subcommands.first { "\($0)" == name })
        let commands = [command] + command.configuration.subcommands
        for line in commands.flatMap({ $0.configuration.discussion.split(separator: "\n") }) where line.hasPrefix("  ") {
            #expect(line.count <= 78, "\(line)")
        }
    }
}
