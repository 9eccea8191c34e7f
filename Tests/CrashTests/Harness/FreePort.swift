import TestSupport

/// A port of 127.0.0.1 that stays free while its server is down.
func freePort() throws -> Int { try TestDNS.freePort() }
