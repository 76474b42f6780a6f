#!/usr/bin/env bash
# Run the lessons as Google Colab would: its Python, its versions, tinyclone installed by the setup cell.
#   scripts/test_colab.sh       (PYTHON names another Python to take than 3.13)
set -euo pipefail
cd "$(dirname "$0")/.."

venv=$PWD/.venv-colab
pip="$venv/bin/python -m pip --disable-pip-version-check"
constraints=tests/colab-constraints.txt
base=$venv/colab-packages.txt  # what was there before tinyclone came

python=${PYTHON:-$(bash scripts/find_python.sh 3.13)}
if [ -z "$python" ]; then
    echo "Skipped: the lessons with Colab's versions (there is no Python 3.13 on this machine)."
    exit 0
fi

install() {  # pip, quiet unless it fails
    local log=$venv/pip.log
    $pip install "$@" >"$log" 2>&1 || { tail -n 30 "$log" >&2; exit 1; }
}

packages() { $pip freeze --all 2>/dev/null | sort; }

stop_if_changed() {  # a package that the notebook's kernel has loaded must not be replaced under its feet
    local changed
    changed=$(packages | comm -13 - "$base")
    if [ -n "$changed" ]; then
        printf '%s changed these packages of Colab:\n%s\n' "$1" "$changed" >&2
        exit 1
    fi
}

if ! cmp --quiet "$constraints" "$venv/constraints.txt"; then
    echo "[1/4] Making .venv-colab with $python and Colab's versions (some minutes)"
    "$python" -m venv --clear "$venv"
    install --requirement "$constraints"
    packages >"$base"
    cp "$constraints" "$venv/constraints.txt"
else
    echo "[1/4] Using .venv-colab"
    packages | comm -23 - "$base" | sed 's/[ =].*//' | xargs --no-run-if-empty $pip uninstall --yes --quiet
    rm -rf "$venv"/lib/python*/site-packages/tinyclone  # what numba has compiled stays behind
fi

echo "[2/4] Running the setup cell of the lessons"
"$venv/bin/python" scripts/run_setup_cell.py lessons/00_hear_it_first.ipynb
$pip show --quiet tinyclone
stop_if_changed "The setup cell"
install --constraint "$constraints" nbval pytest-xdist
stop_if_changed "What runs the notebooks"

# As on Colab, no checkout lies around the notebooks: what they need has to come with the package.
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cp -r lessons "$folder"
export TINYCLONE_FAST=1

echo "[3/4] Testing the widgets with ipywidgets $("$venv/bin/python" -c 'import ipywidgets; print(ipywidgets.__version__)')"
"$venv/bin/pytest" -p no:cacheprovider -q tests/test_widgets.py

echo "[4/4] Running every lesson"  # solutions bring no other library: make test runs them
cd "$folder"
"$venv/bin/pytest" -n "${WORKERS:-0}" --dist loadfile -p no:cacheprovider --nbval-lax --nbval-current-env --nbval-cell-timeout=300 \
    --ignore-glob="*/solutions/*" lessons
