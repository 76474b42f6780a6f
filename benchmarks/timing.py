"""How long a newcomer waits: the import, and the first sentence of a fresh process."""

from __future__ import annotations

import statistics
import subprocess
import sys
from pathlib import Path

IMPORT = "from time import perf_counter as now; start = now(); import tinyclone; print(now() - start)"
# The clock starts before any import, as it does for whoever waits.
FIRST_SENTENCE = """
from time import perf_counter as now
start = now()
import sys
import tinyclone
from tinyclone import Voice
weights, voice = sys.argv[1:]
cloner = tinyclone.load_cloner(weights or None)
tinyclone.clone("The first sentence is the slowest one.", Voice.load(voice), cloner=cloner)
print(now() - start)
"""


def import_sec(*, repeats: int = 5) -> float:
    """Return the median seconds of ``import tinyclone`` in fresh processes."""
    return statistics.median(_run(IMPORT) for _ in range(repeats))


def first_sentence_sec(*, weights: Path | None, voice: Path) -> float:
    """Return the seconds from the start of a fresh process to its first spoken sentence."""
    return _run(FIRST_SENTENCE, str(weights or ""), str(voice))


def _run(code: str, *arguments: str) -> float:
    root = Path(__file__).resolve().parent.parent
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        check=True,
        capture_output=True,
        text=True,
        cwd=root,
        timeout=600,
    )
    return float(done.stdout.split()[-1])
