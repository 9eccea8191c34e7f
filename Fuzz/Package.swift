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
        .executableTarget(name: "xmlfuzz", dependencies: ["FuzzTargets"]),
    ]
)

// Links only with libFuzzer.
if Context.environment["WSEMAIL_LIBFUZZER"] != nil {
    package.targets.append(
        .executableTarget(
            name: "xmlfuzz-guided", dependencies: ["FuzzTargets"], swiftSettings: [.unsafeFlags(["-parse-as-library"])]))
}
