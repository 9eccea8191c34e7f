# Shared by the scripts beside this folder: where things are, and how what is missing gets installed.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root"

say() { printf '%s\n' "== $*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# need_packages NAME...: Debian packages, installed when absent.
need_packages() {
    local missing=()
    for package in "$@"; do
        dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return
    say "installing: ${missing[*]}"
    local sudo=""
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || die "not root and no sudo: install these first: ${missing[*]}"
        sudo=sudo
    fi
    $sudo apt-get update -qq >/dev/null || die "apt-get update failed; check the network, then run this again"
    DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq "${missing[@]}" >/dev/null \
        || die "apt-get could not install: ${missing[*]}"
}

need_swift() {
    command -v swift >/dev/null || die "Swift 6.2 or newer is needed on PATH: https://www.swift.org/install/linux/"
}

# What building and running need.
need_build_tools() {
    need_swift
    need_packages pkg-config libunbound-dev zlib1g-dev libsqlite3-dev dns-root-data ca-certificates
}

# The WebAssembly engine and the example plug-ins, in folders of our own.
need_plugins() {
    need_packages python3 python3-venv
    source "$root/scripts/lib/wasmtime.sh"
    need_wasmtime >/dev/null || die "plug-ins cannot run without their engine"
    export WSEMAIL_PLUGINS="$root/.build-plugins"
    Examples/plugins/build >&2 || die "the example plug-ins did not build"
}

# What the tests need beyond that: other people's implementations as judges, and a DNS server.
need_test_tools() {
    need_packages dnsmasq-base libxml2-utils xmlsec1 openssl python3 python3-venv
    need_python
    source "$root/scripts/lib/java.sh"
    need_java
    need_plugins
}

# A virtual environment of our own, so that nothing on the machine is changed.
python_folder="$root/.build-python"
need_python() {
    local stamp="$python_folder/installed-$(sha256sum "$root/Tests/Interop/requirements.txt" | cut -c1-16)"
    if [ ! -e "$stamp" ]; then
        say "installing Python packages for the interoperability tests"
        rm -rf "$python_folder"
        python3 -m venv "$python_folder" || die "python3 -m venv failed: is python3-venv installed?"
        "$python_folder/bin/pip" install -q --disable-pip-version-check -r "$root/Tests/Interop/requirements.txt" \
            || die "pip could not install Tests/Interop/requirements.txt"
        touch "$stamp"
    fi
    export WSEMAIL_PYTHON="$python_folder/bin/python"
}
