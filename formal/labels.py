"""Compares the labels of the model with the sources: `(*@ acl *)` in ondemand.pv is the check marked `// model: acl` in
Sources/, and some test says so, too."""
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[1]


def found(folder, pattern):
    labels = {}
    for path in sorted((ROOT / folder).rglob("*")):
        if path.suffix in {".swift", ".py"} and path.is_file():
            for label in re.findall(pattern, path.read_text(errors="replace")):
                labels.setdefault(label, path.relative_to(ROOT))
    return labels


def problems():
    model = set()
    for path in sorted((ROOT / "formal").glob("*.pv")):
        model |= set(re.findall(r"\(\*@ (\w+) \*\)", path.read_text()))
    sources = found("Sources", r"//+ model: (\w+)")
    tests = found("Tests", r"//+ model: (\w+)")
    told = [f"formal: no '// model: {label}' in Sources/" for label in sorted(model - set(sources))]
    told += [f"formal: no test says 'model: {label}'" for label in sorted(model - set(tests))]
    told += [f"{path}: model: {label}: no such label in formal/*.pv"
             for where in (sources, tests) for label, path in sorted(where.items()) if label not in model]
    return told
