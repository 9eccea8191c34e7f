import Foundation
import PluginAPI

/// How the bridge runs its program, as the administrator set it.
struct BridgeSettings: Sendable, Hashable {
    /// Absolute path of the program.
    let command: String
    let arguments: [String]
    /// Events of other roles pass by.
    let roles: Set<PluginRole>
    /// Processes of the program, each with one event at a time.
    let processes: Int
    /// From an event to its answer.
    let timeout: Duration
    /// After a failure, until the program is started again; doubles with each failure in a row, up to a minute.
    let restart: Duration

    /// - Throws: ``PluginError`` `.invalid` with the setting that cannot be.
    init(_ settings: [String: String]) throws(PluginError) {
        command = settings["command"] ?? ""
        guard command.hasPrefix("/"), !command.utf8.contains(0) else {
            throw PluginError(.invalid, "the setting \"command\" must be the absolute path of a program")
        }
        try Self.requireProgram(command)
        arguments = try Self.arguments(settings)
        roles = try Self.roles(settings["roles"] ?? Self.preset("roles"))
        processes = try Self.number("processes", settings, 1...16)
        timeout = .milliseconds(try Self.number("timeout-ms", settings, 10...600_000))
        restart = .milliseconds(try Self.number("restart-ms", settings, 0...60_000))
    }

    static let declarations = [
        SettingDeclaration(name: "command", preset: "", explanation: "Absolute path of the program. It runs as the server's user."),
        SettingDeclaration(
            name: "argument.*", preset: "", explanation: "Its arguments: argument.1, argument.2, … as they are, without a shell."),
        SettingDeclaration(
            name: "roles", preset: "delivery", explanation: "Events that it gets: delivery, sending, extension; with commas."),
        SettingDeclaration(name: "processes", preset: "1", explanation: "How many of it run at once, 1 to 16."),
        SettingDeclaration(
            name: "timeout-ms", preset: "900", explanation: "Milliseconds for an answer. Set it below the plug-in's time limit."),
        SettingDeclaration(
            name: "restart-ms", preset: "1000",
            explanation: "Milliseconds until it is started again after a failure; doubles up to a minute."),
    ]

    private static func preset(_ name: String) -> String { declarations.first { $0.name == name }?.preset ?? "" }

    private static func number(_ name: String, _ settings: [String: String], _ range: ClosedRange<Int>) throws(PluginError) -> Int {
        guard let number = Int(settings[name] ?? preset(name)), range.contains(number) else {
            throw PluginError(.invalid, "the setting \"\(name)\" must be a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    private static func arguments(_ settings: [String: String]) throws(PluginError) -> [String] {
        var numbered: [Int: String] = [:]
        for (name, value) in settings where name.hasPrefix("argument.") && name != "argument.*" {
            guard let number = Int(name.dropFirst("argument.".count)), (1...100).contains(number), !value.utf8.contains(0) else {
                throw PluginError(.invalid, "\"\(name)\" is no argument: argument.1 to argument.100")
            }
            numbered[number] = value
        }
        return numbered.sorted { $0.key < $1.key }.map(\.value)
    }

    private static func roles(_ text: String) throws(PluginError) -> Set<PluginRole> {
        var roles: Set<PluginRole> = []
        for part in text.split(separator: ",") {
            let name = part.trimmingCharacters(in: .whitespaces)
            guard let role = PluginRole(rawValue: name), role != .resolver else {
                throw PluginError(.invalid, "\"\(name.prefix(40))\" is no role of the bridge: delivery, sending, extension")
            }
            roles.insert(role)
        }
        return roles
    }

    /// Who may write to the program's file commands the server.
    private static func requireProgram(_ path: String) throws(PluginError) {
        let file = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
        guard let attributes = try? FileManager.default.attributesOfItem(atPath: file),
            attributes[.type] as? FileAttributeType == .typeRegular,
            FileManager.default.isExecutableFile(atPath: file)
        else { throw PluginError(.invalid, "\(path) is no program that the server may run") }
        guard let mode = attributes[.posixPermissions] as? NSNumber, mode.intValue & 0o002 == 0 else {
            throw PluginError(.invalid, "everybody may write to \(path): not run")
        }
    }
}
