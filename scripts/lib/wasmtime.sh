# Sourced after common.sh, or by itself: brings libwasmtime, which runs plug-ins in WebAssembly.

wasmtime_version=50.0.1

# need_wasmtime [FOLDER]: downloads the library into FOLDER (default: .build-wasmtime in the project) unless it is there,
# prints its path, and sets WSEMAIL_WASMTIME (not in a subshell: need_wasmtime >/dev/null). The wheel of PyPI is used because it is small and its digest is known.
need_wasmtime() {
    local project folder platform digest wheel="" temporary file
    project=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd) || return 1
    folder=${1:-$project/.build-wasmtime}
    case "$(uname -s)-$(uname -m)" in
        Linux-x86_64)
            platform=manylinux1_x86_64
            digest=cc14c3a17654e0394e0225b11813532ef0cd7bd1e222a0c5494cdedaabeddac4 ;;
        Linux-aarch64)
            platform=manylinux2014_aarch64
            digest=675484e525c028dc02762b777f1db4477ea70caa3fec6775426daff4d64edfb1 ;;
        *) wasmtime_problem "no libwasmtime is known for $(uname -s) $(uname -m): install it and set WSEMAIL_WASMTIME"; return 1 ;;
    esac
    file="$folder/libwasmtime.so"
    if [ ! -e "$file" ] || [ "$(cat "$folder/wheel.sha256" 2>/dev/null)" != "$digest" ]; then
        command -v python3 >/dev/null || { wasmtime_problem "python3 is needed to download libwasmtime"; return 1; }
        printf '== downloading wasmtime %s\n' "$wasmtime_version" >&2
        mkdir -p "$folder" || return 1
        temporary=$(mktemp -d "$folder/download.XXXXXX") || return 1
        wheel="$temporary/wasmtime-$wasmtime_version-py3-none-$platform.whl"
        if ! wasmtime_download "$temporary" "$platform" "$digest" \
            || ! wasmtime_check "$wheel" "$digest" \
            || ! wasmtime_extract "$wheel" "$temporary/libwasmtime.so"; then
            rm -rf "$temporary"
            return 1
        fi
        mv -f "$temporary/libwasmtime.so" "$file" && printf '%s\n' "$digest" >"$folder/wheel.sha256" || return 1
        rm -rf "$temporary"
    fi
    export WSEMAIL_WASMTIME="$file"
    printf '%s\n' "$file"
}

wasmtime_problem() { printf 'error: %s\n' "$*" >&2; }

# pip asks the index that this machine is set up for; a private mirror works too, as the digest is ours.
wasmtime_download() {
    local log="$1/pip.log"
    if ! printf 'wasmtime==%s --hash=sha256:%s\n' "$wasmtime_version" "$3" >"$1/requirements.txt" \
        || ! wasmtime_pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --platform "$2" \
            --require-hashes --dest "$1" -r "$1/requirements.txt" >"$log" 2>&1; then
        wasmtime_problem "pip could not download wasmtime $wasmtime_version (check the network, then run this again):" \
            "$(grep -v '^[[:space:]]*$' "$log" | tail -n 2 | tr -s '[:space:]' ' ')"
        return 1
    fi
}

# The pip of this Python, or one in a virtual environment of our own.
wasmtime_pip() {
    if python3 -m pip --version >/dev/null 2>&1; then
        python3 -m pip "$@"
    else
        [ -x "$project/.build-python/bin/pip" ] || python3 -m venv "$project/.build-python" || return 1
        "$project/.build-python/bin/pip" "$@"
    fi
}

wasmtime_check() {
    printf '%s  %s\n' "$2" "$1" | sha256sum --check --status \
        || { wasmtime_problem "what was downloaded is not the wasmtime $wasmtime_version that was tested (SHA-256 differs)"; return 1; }
}

wasmtime_extract() {
    python3 - "$1" "$2" <<'PYTHON' || { wasmtime_problem "the wheel holds no libwasmtime"; return 1; }
import shutil, sys, zipfile
wheel = zipfile.ZipFile(sys.argv[1])
[name] = [name for name in wheel.namelist() if name.endswith("libwasmtime.so")]
with wheel.open(name) as source, open(sys.argv[2], "wb") as target:
    shutil.copyfileobj(source, target)
PYTHON
}
