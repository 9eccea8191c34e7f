// swift-tools-version: 6.2
// Measurements, apart from the product so that they cost its build nothing. Run by scripts/bench.
import PackageDescription

let package = Package(
    name: "wsemail-benchmarks",
    platforms: [.macOS(.v15)],
    dependencies: [
        .package(name: "wsemail", path: ".."),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    ],
    targets: [
        .executableTarget(
            name: "xmlbench",
            dependencies: [
                .product(name: "XMLCore", package: "wsemail"),
                .product(name: "XMLSecurity", package: "wsemail"),
                .product(name: "Crypto", package: "swift-crypto"),
            ]),
        .executableTarget(
            name: "pluginbench",
            dependencies: [
                .product(name: "WSEmailProtocol", package: "wsemail"),
                .product(name: "WSEmailPlugins", package: "wsemail"),
                .product(name: "XMLSecurity", package: "wsemail"),
                .product(name: "Logging", package: "swift-log"),
            ]),
        // Servers, processes and output of those that measure a running server.
        .target(name: "BenchSupport"),
        .executableTarget(
            name: "mailbench",
            dependencies: [
                "BenchSupport",
                .product(name: "WSEmailProtocol", package: "wsemail"),
                // Not imported: the server that is measured is built along.
                .product(name: "wsemaild", package: "wsemail"),
            ]),
        .executableTarget(
            name: "filebench",
            dependencies: [
                "BenchSupport",
                // Not imported: the programs that are measured are built along.
                .product(name: "wsemaild", package: "wsemail"),
                .product(name: "wsemail", package: "wsemail"),
            ]),
    ]
)
