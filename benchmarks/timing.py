"""How long a newcomer waits: the import, and the first sentence of a fresh process."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
IMPORT = "from time import perf_counter as now; start = now(); import tinyclone; print(now() - start)"
SENTENCE = "The first sentence of all is the slowest one to be spoken."


def import_sec(*, repeats: int = 5) -> float:
    """Return the median seconds of ``import tinyclone`` in fresh processes."""
    return statistics.median(_run(IMPORT) for _ in range(repeats))


def first_sentence_sec(*, weights: Path | None, voice: Path, repeats: int = 3) -> float:
    """Return the median seconds that ``tinyclone clone`` takes for one sentence, from start to end."""
    seconds = []
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "tinyclone.cli", "clone", SENTENCE, "--voice", str(voice)]
        command += ["--out", f"{folder}/first.wav", *(["--weights", str(weights)] if weights else [])]
        for _ in range(repeats):
            start = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True, cwd=ROOT, timeout=600)
            seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def _run(code: str) -> float:
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT, timeout=600
    )
    return float(done.stdout.split()[-1])
