"""House rules that no compiler checks: file length, forced unwraps on the way of input, stray debug output."""
import pathlib
import re
import sys

root = pathlib.Path(__file__).resolve().parents[2]
LIMIT = 400
problems = []
for path in sorted((root / "Sources").rglob("*.swift")):
    name = path.relative_to(root)
    text = path.read_text()
    lines = text.splitlines()
    if len(lines) > LIMIT:
        problems.append(f"{name}: {len(lines)} lines, more than {LIMIT}: split it")
    executable = name.parts[1] in {"wsemail", "wsemaild", "Console"}
    for number, line in enumerate(lines, 1):
        code = line.split("//")[0]
        if "try!" in code or " as! " in code or "fatalError(" in code:
            problems.append(f"{name}:{number}: no forced try or cast, no fatalError")
        if not executable and re.search(r"(?<![\w.])print\(", code):
            problems.append(f"{name}:{number}: print belongs to the executables; log instead")
        if re.search(r"\b(TODO|FIXME|XXX)\b", line):
            problems.append(f"{name}:{number}: finish it, or open an issue")
for problem in problems:
    print(problem)
sys.exit(1 if problems else 0)
