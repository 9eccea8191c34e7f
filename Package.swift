// swift-tools-version: 6.2
// One package: the modules of docs/architecture.md, from the bytes up. The order below is the
// direction of dependency; scripts/check.sh compares it with the imports in the sources.
import PackageDescription

let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let cryptoExtras = Target.Dependency.product(name: "CryptoExtras", package: "swift-crypto")
let x509 = Target.Dependency.product(name: "X509", package: "swift-certificates")
let asn1 = Target.Dependency.product(name: "SwiftASN1", package: "swift-asn1")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let nioConcurrency = Target.Dependency.product(name: "NIOConcurrencyHelpers", package: "swift-nio")
let nioTLS = Target.Dependency.product(name: "NIOTLS", package: "swift-nio")
let nioSSL = Target.Dependency.product(name: "NIOSSL", package: "swift-nio-ssl")
let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")

let package = Package(
    name: "wsemail",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "wsemaild", targets: ["wsemaild"]),
        .executable(name: "wsemail", targets: ["wsemail"]),
        // For Benchmarks/, a package of its own.
        .library(name: "XMLCore", targets: ["XMLCore"]),
        .library(name: "XMLSecurity", targets: ["XMLSecurity"]),
        .library(name: "WSEmailProtocol", targets: ["SOAP", "Identity", "WSSecurity", "MailModel", "SOAPClient"]),
        .library(
            name: "WSEmailPlugins", targets: ["PluginAPI", "PluginEngine", "PluginPackage", "PluginHost", "MailStore", "SQLiteStore"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-certificates", from: "1.21.1"),
        .package(url: "https://github.com/apple/swift-asn1", from: "1.7.4"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        // No pkgConfig: Debian's libunbound.pc asks for libevent.pc, which libunbound-dev does not bring.
        .systemLibrary(name: "CUnbound", providers: [.apt(["libunbound-dev"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),

        .target(name: "XMLCore"),
        .target(name: "XMLSecurity", dependencies: ["XMLCore", crypto, cryptoExtras]),
        .target(name: "SOAP", dependencies: ["XMLCore", "XMLSecurity", "CZlib"]),
        .target(name: "Identity", dependencies: ["XMLCore", "XMLSecurity", crypto, cryptoExtras, x509, asn1]),
        .target(name: "WSSecurity", dependencies: ["XMLCore", "XMLSecurity", "SOAP", "Identity", crypto, x509]),
        .target(name: "MailModel", dependencies: ["XMLCore", "XMLSecurity", "SOAP", "Identity", "WSSecurity", crypto]),
        .target(name: "MailStore", dependencies: ["Identity"]),
        .target(name: "BlobStore", dependencies: ["Identity", crypto, nioCore, nioPosix]),
        .target(name: "PluginAPI", dependencies: ["Identity"]),
        .target(name: "PluginEngine", dependencies: ["PluginAPI", crypto]),
        .target(
            name: "PluginPackage", dependencies: ["XMLCore", "XMLSecurity", "Identity", "PluginAPI", crypto]),
        .target(
            name: "PluginHost",
            dependencies: ["Identity", "MailStore", "PluginAPI", "PluginEngine", "PluginPackage", crypto, logging, nioCore, nioPosix]),
        .target(name: "Plugins", dependencies: ["XMLCore", "SOAP", "Identity", "MailModel", "PluginAPI"]),
        .target(
            name: "SQLiteStore",
            dependencies: ["Identity", "MailStore", logging, .product(name: "GRDB", package: "GRDB.swift")]),
        .target(
            name: "SOAPClient",
            dependencies: [
                "XMLCore", "XMLSecurity", "SOAP", "Identity", "WSSecurity", logging, nioCore, nioPosix, nioHTTP1, nioSSL, nioTLS, x509,
                nioConcurrency,
            ]),
        .target(
            name: "Delivery",
            dependencies: [
                "CUnbound", "XMLCore", "XMLSecurity", "SOAP", "Identity", "WSSecurity", "MailModel", "MailStore",
                "SOAPClient", logging, lifecycle, nioCore, nioConcurrency,
            ]),
        .target(
            name: "MailClient",
            dependencies: [
                "XMLCore", "XMLSecurity", "SOAP", "Identity", "WSSecurity", "MailModel", "SOAPClient", "Delivery", crypto, x509,
                logging,
            ]),
        .target(
            name: "MailServer",
            dependencies: [
                "XMLCore", "XMLSecurity", "SOAP", "Identity", "WSSecurity", "MailModel", "MailStore", "BlobStore", "SQLiteStore",
                "SOAPClient", "Delivery", "PluginAPI", "PluginEngine", "PluginPackage", "PluginHost", "Plugins", crypto, x509, logging,
                lifecycle, nioCore, nioPosix,
                nioHTTP1, nioSSL, nioTLS, .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdTLS", package: "hummingbird"),
                .product(name: "HummingbirdHTTP2", package: "hummingbird"),
            ]),
        .target(name: "Console"),
        .executableTarget(
            name: "wsemaild",
            dependencies: [
                "MailServer", "Delivery", "PluginAPI", "PluginPackage", "Identity", "MailStore", "Console", argumentParser, logging,
            ]),
        .executableTarget(
            name: "wsemail", dependencies: ["MailClient", "MailModel", "Identity", "Console", argumentParser, logging]),

        .target(
            name: "TestSupport",
            dependencies: [
                "Delivery", "Identity", "MailModel", "MailStore", "SOAPClient", "WSSecurity", "PluginPackage", "XMLSecurity", "XMLCore",
                "SOAP", logging,
                nioCore, nioPosix, nioHTTP1, nioSSL, nioConcurrency,
            ],
            path: "Tests/TestSupport"),
        .target(name: "XMLTestSupport", dependencies: ["XMLCore", "XMLSecurity"], path: "Tests/XMLTestSupport"),
        .testTarget(
            name: "XMLCoreTests", dependencies: ["XMLCore", "XMLTestSupport"], exclude: ["Vectors"]),
        .testTarget(
            name: "XMLSecurityTests", dependencies: ["XMLCore", "XMLSecurity", "XMLTestSupport", crypto, cryptoExtras]),
        .testTarget(
            name: "SOAPClientTests",
            dependencies: [
                "TestSupport", "SOAPClient", "SOAP", "WSSecurity", "Identity", "XMLCore", nioCore, nioPosix, nioHTTP1, nioSSL,
                nioConcurrency,
            ]),
        .testTarget(
            name: "DeliveryTests",
            dependencies: [
                "TestSupport", "Delivery", "SOAPClient", "SOAP", "MailStore", "WSSecurity", "Identity", "XMLCore", logging,
                lifecycle, nioConcurrency,
            ]),
        .testTarget(
            name: "MailServerTests",
            dependencies: [
                "MailServer", "MailStore", "SQLiteStore", "Delivery", "Identity", "XMLSecurity", crypto, logging, lifecycle, nioCore,
                nioPosix, nioHTTP1, nioSSL, .product(name: "Hummingbird", package: "hummingbird"),
            ]),
        .testTarget(
            name: "MailClientTests",
            dependencies: [
                "wsemail", "MailClient", "MailModel", "Console", "Identity", "SOAP", "WSSecurity", "XMLSecurity", "XMLCore",
                "SOAPClient", "Delivery", argumentParser,
            ]),
        .testTarget(
            name: "PluginsTests", dependencies: ["Plugins", "PluginAPI", "MailModel", "SOAP", "XMLCore", "Identity"],
            resources: [.copy("Programs")]),
        .testTarget(name: "PluginAPITests", dependencies: ["PluginAPI", "Identity"]),
        .testTarget(name: "PluginEngineTests", dependencies: ["PluginEngine", "PluginAPI", crypto]),
        .testTarget(
            name: "PluginPackageTests",
            dependencies: ["PluginPackage", "PluginAPI", "Identity", "XMLSecurity", "XMLCore", crypto, x509]),
        .testTarget(
            name: "PluginHostTests",
            dependencies: [
                "PluginHost", "PluginEngine", "PluginPackage", "PluginAPI", "Plugins", "MailModel", "MailStore", "Identity", crypto,
                logging,
                nioConcurrency,
            ]),
        .testTarget(name: "BlobStoreTests", dependencies: ["BlobStore", "Identity", crypto, nioCore, nioPosix]),
        .testTarget(name: "ConsoleTests", dependencies: ["Console"]),
        .testTarget(name: "SOAPTests", dependencies: ["SOAP", "XMLCore", "XMLSecurity"]),
        .testTarget(
            name: "MailModelTests", dependencies: ["MailModel", "Identity", "SOAP", "XMLSecurity", "XMLCore", "TestSupport"]),
        .testTarget(
            name: "WSSecurityTests",
            dependencies: ["WSSecurity", "SOAP", "XMLCore", "XMLSecurity", "Identity", "XMLTestSupport", crypto, x509, asn1]),
        .target(name: "MailStoreContract", dependencies: ["Identity", "MailStore"], path: "Tests/MailStoreContract"),
        .testTarget(
            name: "IdentityTests", dependencies: ["XMLCore", "XMLSecurity", "Identity", crypto, cryptoExtras, x509, asn1]),
        .testTarget(
            name: "SQLiteStoreTests",
            dependencies: [
                "Identity", "MailStore", "SQLiteStore", "MailStoreContract", logging,
                .product(name: "GRDB", package: "GRDB.swift"),
            ],
            exclude: ["Fixtures"]),
        .testTarget(
            name: "FederationTests",
            dependencies: [
                "TestSupport", "PluginAPI", "PluginEngine", "PluginHost", "PluginPackage", "MailServer", "MailClient", "MailModel",
                "MailStore", "SQLiteStore", "Delivery", "SOAPClient",
                "WSSecurity", "Identity", "SOAP", "XMLSecurity", "XMLCore", crypto, logging, lifecycle, nioCore, nioPosix,
                nioConcurrency,
            ]),
        .testTarget(
            name: "CrashTests",
            dependencies: [
                "wsemaild", "wsemail", "TestSupport", "XMLTestSupport", "MailServer", "MailModel", "MailStore", "BlobStore", "SQLiteStore",
                "PluginHost", "Delivery", "SOAPClient", "WSSecurity", "Identity", "SOAP", "XMLSecurity", "XMLCore", crypto, logging,
                lifecycle, nioPosix,
            ]),
    ]
)

// A warning is a defect found early.
for target in package.targets where target.type != .system {
    target.swiftSettings = (target.swiftSettings ?? []) + [.treatAllWarnings(as: .error)]
}
