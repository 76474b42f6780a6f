#!/usr/bin/env bash
# Make a virtual environment and install tinyclone into it.
#   scripts/setup.sh FOLDER demo|lab|test [REQUIREMENT...]      (PYTHON names the Python to take)
set -euo pipefail
cd "$(dirname "$0")/.."

venv=$1
purpose=$2
shift 2
export PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONUNBUFFERED=1

stop() {
    printf '\n' >&2
    printf '%s\n' "$@" >&2
    exit 1
}

version_of() { "$1" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null; }

is_supported() { "$1" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] < (3, 14))' 2>/dev/null; }

can_make_venv() { "$1" -c 'import venv, ensurepip' 2>/dev/null; }

choose_python() {  # prints the first Python that will do, or explains what is missing
    local found="" without_venv="" candidate
    local candidates=(python3 python3.13 python3.12 python3.11 python3.10 python)
    [ -z "${PYTHON:-}" ] || candidates=("$PYTHON")
    for candidate in "${candidates[@]}"; do
        version_of "$candidate" >/dev/null || continue
        found+="${found:+, }$candidate is $(version_of "$candidate")"
        is_supported "$candidate" || continue
        if can_make_venv "$candidate"; then
            echo "$candidate"
            return
        fi
        without_venv=${without_venv:-$candidate}
    done
    if [ -n "$without_venv" ]; then
        stop "$without_venv ($(version_of "$without_venv")) cannot make virtual environments: its module venv or ensurepip is missing." \
            "On Debian or Ubuntu:  sudo apt install python3-venv   (for another Python: python3.12-venv and so on)" \
            "Then run the same command again."
    fi
    stop "tinyclone needs Python 3.10, 3.11, 3.12 or 3.13. Found: ${found:-none${PYTHON:+ under the name $PYTHON}}." \
        "Debian or Ubuntu:  sudo apt install python3 python3-venv        macOS:  brew install python@3.12" \
        "If you have one elsewhere, name it:  make demo PYTHON=/path/to/python3.12"
}

install() {  # pip, quiet but for the large downloads, and with its whole output when it fails
    local log line
    log=$(mktemp)
    if ! "$venv/bin/python" -m pip install "$@" 2>&1 | tee "$log" | while IFS= read -r line; do
        case $line in
            *Downloading*' MB)'*) printf '      %s\n' "${line#"${line%%[![:space:]]*}"}" ;;
        esac
    done; then
        tail -n 30 "$log" >&2
        rm -f "$log"
        stop "The installation failed; pip's last lines stand above." \
            "Look for a missing network, a full disk (3 GB are needed) or an unsupported platform, then run the same command again."
    fi
    rm -f "$log"
}

if version_of "$venv/bin/python" >/dev/null; then
    is_supported "$venv/bin/python" || stop "$venv holds Python $(version_of "$venv/bin/python"), but tinyclone needs 3.10 to 3.13." \
        "Delete the folder $venv and run the same command again."
    echo "[1/3] Using $venv (Python $(version_of "$venv/bin/python"))"
else
    python=$(choose_python)
    echo "[1/3] Making $venv with $python (Python $(version_of "$python"))"
    "$python" -m venv --clear "$venv" || stop "$python could not make $venv; its own message stands above."
fi
"$venv/bin/python" -m pip --version >/dev/null 2>&1 || "$venv/bin/python" -m ensurepip >/dev/null

case $purpose in
    demo) what=. ;;
    lab) what=".[lab]" ;;
    test) what=".[lab,test]" ;;
    *) stop "scripts/setup.sh knows demo, lab and test, not $purpose." ;;
esac
echo "[2/3] Bringing pip up to date"
install --upgrade pip
echo "[3/3] Installing tinyclone and what it needs (the first time about 1 GB to download, some minutes)"
install --editable "$what" "$@"
echo "      Ready."
