import MailModel
import SOAPClient

@main struct MailBench {
    static func main() async throws {}
}
