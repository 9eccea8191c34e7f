import MailModel

extension MailClient {
    /// Calls the plug-in of the home server that answers for an identifier. A call whose outcome is unknown is not repeated.
    /// - Parameters:
    ///   - identifier: an absolute URI of at most 200 characters.
    ///   - request: any XML document; its root element is sent in canonical form.
    /// - Returns: the plug-in's answer: one element in exclusive canonical form. It is as believable as the home server.
    /// - Throws: `invalidInput` for what is no identifier or no XML; `refused` with the fault `UnknownExtension`,
    ///   `ExtensionFailed` (the plug-in's own words) or `PluginUnavailable` (transient).
    public func callExtension(_ identifier: String, _ request: [UInt8]) async throws(MailClientError) -> [UInt8] {
        let call: ExtensionOperation.Request
        do {
            call = try ExtensionOperation.Request(identifier: identifier, content: ExtensionOperation.canonical(request))
        } catch {
            throw MailClientError(
                .invalidInput,
                error.code == .invalidValue ? error.reason : "the request is no XML document of one element: \(error.reason)")
        }
        return try await server.call(.extension, call, reply: ExtensionOperation.Response.self).content
    }
}
