#!/usr/bin/env bash
# Print the path of a working Python of this version, or nothing where there is none.
#   scripts/find_python.sh 3.13
set -euo pipefail

version=$1
# A name on the path may be a launcher for a version that is not chosen, so each is tried.
for candidate in "python$version" "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$version"*/bin/"python$version"; do
    if "$candidate" -c "import sys, venv, ensurepip; sys.exit('%d.%d' % sys.version_info[:2] != '$version')" 2>/dev/null; then
        echo "$candidate"
        exit 0
    fi
done
