import Foundation
import Identity

/// Small private files in JSON.
enum StoredJSON {
    /// - Throws: `storage`.
    static func write(_ value: some Encodable, to path: String) throws(MailClientError) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.dateEncodingStrategy = .iso8601
        do {
            try PrivateFile.write(Array(encoder.encode(value)), to: path)
        } catch let error as IdentityError {
            throw MailClientError(.storage, error.reason)
        } catch {
            throw MailClientError(.internal, "\(path) cannot be encoded")
        }
    }

    /// Nil where there is no such file.
    /// - Throws: `storage` for a file that is not private or not readable.
    static func read<Value: Decodable>(
        _ type: Value.Type, from path: String, limit: Int = PrivateFile.standardLimit
    ) throws(MailClientError) -> Value? {
        guard SystemFiles.exists(path) else { return nil }
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .iso8601
        do {
            return try decoder.decode(type, from: Data(PrivateFile.read(path, limit: limit)))
        } catch let error as IdentityError {
            // Another process may have removed it since.
            guard SystemFiles.exists(path) else { return nil }
            throw MailClientError(.storage, error.reason)
        } catch {
            throw MailClientError(.storage, "\(path) is damaged", advice: "Remove that file; what it held is fetched anew.")
        }
    }
}
