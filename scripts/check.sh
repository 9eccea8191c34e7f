#!/usr/bin/env bash
# Format, import directions and house rules. Fast: builds nothing. (Warnings are errors in every build: Package.swift.)
source "$(dirname "$0")/lib/common.sh"
need_swift
say "format"
git ls-files -z --cached --others --exclude-standard -- "*.swift" | xargs -0 swift format lint --strict --parallel
say "import directions"
python3 scripts/lib/imports.py
say "house rules"
python3 scripts/lib/rules.py
say "labels of the proof"
formal/prove --labels
say "all checks passed"
