"""Cuts one file for ProVerif out of a model: a row of mutants.py applied, one claim, and the parts it is proved with."""
import pathlib
import re

from mutants import CLAIMS, MUTANTS, PLAIN

FOLDER = pathlib.Path(__file__).parent


def replace(text, old, new, count=1):
    if text.count(old) != count:
        raise SystemExit(f"mutants.py is out of step with the model: {text.count(old)} times, not {count}: {old}")
    return text.replace(old, new)


def without_label(text, label, count=1):
    """The check is left out: its lines go."""
    lines = [line for line in text.splitlines() if f"(*@ {label} *)" in line]
    if len(lines) != count:
        raise SystemExit(f"label {label}: {len(lines)} lines, not {count}")
    for line in lines:
        text = text.replace(line + "\n", "")
    return text


def one_reader(text):
    """Every list is a single address. This only removes runs: an attack that is left is an attack on the whole model."""
    text = replace(text, "  in(c, l: list);\n", "  in(c, r1: address); let l = cons(r1, nil) in\n")
    if "get store(" in text:  # shape2005.pv
        return replace(text, "get store(=S, =g, from, l, a) in\n  if mem(who, l) then",
                       "get store(=S, =g, from, cons(=who, =nil), a) in")
    text = replace(text, "  !(in(c, r: address); if mem(r, l) then Forward(m, cS, r)).",
                   "  let cons(r: address, =nil) = l in Forward(m, cS, r).")
    checks = [line for line in text.splitlines() if "(*@ acl *)" in line]
    if checks:
        text = replace(text, "get meta(=S, =g, from, l, h) in\n" + checks[0], "get meta(=S, =g, from, cons(=who, =nil), h) in")
    return text


def with_parts(text, parts):
    """Leaves out the processes of the other parts: again this only removes runs."""
    lines = []
    for line in text.splitlines(keepends=True):
        tag = re.search(r"\(\*\+ (\w+) \*\)", line)
        if tag is None or tag[1] in parts:
            lines.append(line)
    return "".join(lines)


def only_claim(text, claim):
    start = text.index("(* ---------- claims")
    end = text.index("\nprocess") + 1
    claims = re.split(r"(?=\(\* [QP]\d\w* )", text[start:end])
    chosen = [part for part in claims if part.startswith(f"(* {claim} ")]
    if len(chosen) != 1:
        raise SystemExit(f"no claim {claim} in the model")
    return text[:start] + chosen[0] + text[end:]


def parts_of(row, claim):
    return CLAIMS[claim][1] if row == "base" else MUTANTS[row].get("parts", PLAIN)


def expected_of(row, claim):
    return CLAIMS[claim][0] if row == "base" else MUTANTS[row]["claims"][claim]


def claim_file(row, claim):
    mutant = {} if row == "base" else MUTANTS[row]
    text = (FOLDER / mutant.get("model", "ondemand.pv")).read_text()
    for old, new in mutant.get("weaken", []):
        text = replace(text, old, new)
    for label in mutant.get("without", []):
        text = without_label(text, label)
    if expected_of(row, claim) != "holds":
        text = one_reader(text)
    return only_claim(with_parts(text, parts_of(row, claim)), claim)


def expectations(rows):
    """(row, claim, expected) of the rows asked for, or of all."""
    chosen = rows or ["base", *MUTANTS]
    unknown = [row for row in chosen if row != "base" and row not in MUTANTS]
    if unknown:
        raise SystemExit(f"no such row in mutants.py: {', '.join(unknown)}")
    return [(row, claim, expected_of(row, claim)) for row in chosen
            for claim in (CLAIMS if row == "base" else MUTANTS[row]["claims"])]
