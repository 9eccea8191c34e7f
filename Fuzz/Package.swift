// swift-tools-version: 6.2
// Fuzzing, apart from the product. See README.md.
import PackageDescription

let package = Package(
    name: "wsemail-fuzz",
    platforms: [.macOS(.v15)],
    dependencies: [
        .package(name: "wsemail", path: ".."),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
    ],
    targets: [
        .target(
            name: "FuzzTargets",
            dependencies: [
                .product(name: "XMLCore", package: "wsemail"),
                .product(name: "XMLSecurity", package: "wsemail"),
                .product(name: "Crypto", package: "swift-crypto"),
            ]),
        // Mutations from a seed: anywhere, and the same each time.
        .executableTarget(name: "xmlfuzz", dependencies: ["FuzzTargets"]),
        // Guided by coverage: swift build -c release --product xmlfuzz-guided -Xswiftc -sanitize=fuzzer
        .executableTarget(
            name: "xmlfuzz-guided", dependencies: ["FuzzTargets"],
            swiftSettings: [.unsafeFlags(["-parse-as-library"])]),
    ]
)
