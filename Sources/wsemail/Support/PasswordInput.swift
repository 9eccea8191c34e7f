import Console

/// Where passwords come from: a file, standard input, or the terminal without echo. Never the command line.
enum PasswordInput {
    static func read(_ file: String?, _ question: String) throws -> String {
        if let file { return try Prompt.firstLine(of: file) }
        return try Prompt.secret(question)
    }

    static func readNew(_ file: String?, _ question: String) throws -> String {
        if let file { return try Prompt.firstLine(of: file) }
        return try Prompt.newSecret(question)
    }
}
