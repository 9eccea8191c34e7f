import Foundation
import Identity
import SOAP

extension AdminService {
    /// The value of an argument that must be there.
    func required(_ argument: AdminArgument, of request: AdminRequest) throws -> String {
        guard let value = request[argument], !value.isEmpty else {
            throw AdminError(.invalidArgument, "\(request.command.rawValue) needs the argument \"\(argument.rawValue)\"")
        }
        return value
    }

    /// An address of this domain; a bare local part is completed.
    func ownAddress(of request: AdminRequest) throws -> Address {
        let text = try required(.address, of: request)
        let address = try text.contains("@") ? Address(text) : Address(local: text, domain: domain)
        guard address.domain == domain else {
            throw AdminError(
                .invalidArgument, "\(address) is not an address of \(domain)",
                hint: "this server has accounts of \(domain) only")
        }
        return address
    }

    func flag(_ argument: AdminArgument, of request: AdminRequest, preset: Bool) throws -> Bool {
        switch request[argument] {
        case nil: preset
        case "yes": true
        case "no": false
        default: throw AdminError(.invalidArgument, "\(argument.rawValue) is yes or no")
        }
    }

    func jobNumber(of request: AdminRequest) throws -> Int64 {
        let text = try required(.job, of: request)
        guard let number = Int64(text), number > 0 else {
            throw AdminError(.invalidArgument, "a job is named by its number", hint: "see `wsemaild queue list`")
        }
        return number
    }

    /// Rows wanted, bounded.
    func pageLimit(of request: AdminRequest) throws -> Int {
        guard let text = request[.limit] else { return AdminService.pageLimit }
        guard let limit = Int(text), (1...AdminService.pageLimit).contains(limit) else {
            throw AdminError(.invalidArgument, "limit is a number from 1 to \(AdminService.pageLimit)")
        }
        return limit
    }

    /// A quota in megabytes as octets; nil is without limit.
    func quotaBytes(_ text: String) throws -> Int64? {
        guard let megabytes = Int64(text), (0...1_000_000_000).contains(megabytes) else {
            throw AdminError(.invalidArgument, "a quota is a number of megabytes; 0 is without limit")
        }
        return megabytes == 0 ? nil : megabytes << 20
    }

    func timestamp(_ date: Date) -> String { DateTime.format(date, milliseconds: false) }
    func timestamp(_ date: Date?) -> String { date.map { timestamp($0) } ?? "" }
}
