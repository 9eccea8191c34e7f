"""Compares each file's imports with what the manifest allows its target: SwiftPM does not enforce this by itself."""
import json
import pathlib
import re
import subprocess
import sys

root = pathlib.Path(__file__).resolve().parents[2]
described = json.loads(subprocess.run(
    ["swift", "package", "--package-path", str(root), "describe", "--type", "json"],
    check=True, capture_output=True, text=True).stdout)

SYSTEM = {"Darwin", "Musl", "Foundation", "Synchronization", "Testing", "Glibc", "Dispatch", "FoundationEssentials", "FoundationNetworking"}
# Modules that a product brings along.
PRODUCT_MODULES = {
    "Hummingbird": {"Hummingbird", "HummingbirdCore", "HTTPTypes"},
    "AsyncHTTPClient": {"AsyncHTTPClient"},
}
pattern = re.compile(r"^\s*(?:@\w+(?:\([^)]*\))?\s+)*(?:public |internal |private |package )?import\s+(?:struct |class |enum |func |protocol )?(\w+)", re.M)

problems = []
order = [target["name"] for target in described["targets"]]
for target in described["targets"]:
    allowed = set(SYSTEM) | set(target.get("target_dependencies", []))
    for product in target.get("product_dependencies", []):
        allowed |= PRODUCT_MODULES.get(product, {product})
    for source in target["sources"]:
        path = root / target["path"] / source
        if path.suffix != ".swift":
            continue
        for module in pattern.findall(path.read_text()):
            if module not in allowed:
                problems.append(f"{path.relative_to(root)}: {target['name']} may not import {module}")
for problem in sorted(problems):
    print(problem)
sys.exit(1 if problems else 0)
