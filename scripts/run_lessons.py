"""Run every lesson and its solutions from top to bottom, and keep what they put out.

    python scripts/run_lessons.py                        # all of them
    python scripts/run_lessons.py 02_mel_extraction      # this lesson and its solutions
    python scripts/run_lessons.py wavenet                # one of lessons/papers
    python scripts/run_lessons.py --check                # keep nothing, hold the small runs to their limits

A notebook is replaced only when all its cells ran; one that fails, or puts out too much, stays as it was.
"""

from __future__ import annotations

import argparse
import base64
import io
import os
import re
import sys
import sysconfig
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from PIL import Image

REPOSITORY = Path(__file__).resolve().parent.parent
LESSONS = REPOSITORY / "lessons"
WIDGET = "application/vnd.jupyter.widget-view+json"
MAX_CELL_BYTES = 300_000  # what a cell may put out: a plot, or half a minute of packed sound
PICTURE_COLOURS = 128  # a mel in the colours of magma looks the same with them
MAX_NOTEBOOK_BYTES = 1_000_000  # GitHub shows no more, and a repository keeps every version
CELL_TIMEOUT_SEC = 3600
# What a notebook may cost with TINYCLONE_FAST=1, so that the tests of all of them end within minutes.
MAX_FAST_CPU_SEC = 150
MAX_FAST_MB = 4000
# A lesson is kept as a student sees it: whole, and with its plots in the notebook.
UNSET = {"TINYCLONE_FAST", "MPLBACKEND"}
# What TensorFlow says of processors and graphics cards while it is loaded, with times and process numbers.
MACHINE_LOG = re.compile(
    r"^(?:WARNING: All log messages before absl.*|[IWE]\d{4} [\d:.]+\s+\d+ \S+\.cc:\d+\].*)\n?", re.MULTILINE
)
# Run as one more cell behind the last, and then removed: only the kernel knows its own peak.
USAGE = """
import resource, sys
usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
cpu_seconds = sum(usage.ru_utime + usage.ru_stime for usage in usages)
print(cpu_seconds, max(usage.ru_maxrss for usage in usages) / (1e6 if sys.platform == "darwin" else 1e3))
"""


class Run(NamedTuple):
    """What it took to run a notebook."""

    name: str
    seconds: float
    cpu_seconds: float  # of all cores and processes together: the same on a busy machine
    peak_mb: float  # of the largest process
    size_kb: float


class TooMuch(Exception):
    """A notebook puts out more than a repository should keep."""


def machine_places() -> list[tuple[str, str]]:
    """Return the paths that name this machine, longest first, each with what to write instead."""
    places = {
        str(Path.home()): "~",
        str(REPOSITORY): "tinyclone",
        str(Path(sys.prefix)): "python",
        tempfile.gettempdir(): "temporary",
    }
    for kind in ("purelib", "platlib", "stdlib"):
        path = sysconfig.get_paths()[kind]
        places[path] = Path(path).name
    places |= {os.path.realpath(path): name for path, name in places.items()}
    return sorted(
        ((path, name) for path, name in places.items() if len(path) > 1), key=lambda one: -len(one[0])
    )


def without_machine_paths(text: str, places: list[tuple[str, str]]) -> str:
    """Return `text` with this machine's folders renamed, and a cell's temporary file called <cell>."""
    # At most 200 characters before: without a bound, a long sound in base64 would be searched for minutes.
    text = re.sub(r"[\w./~+-]{0,200}/ipykernel_\d+/\d+\.py", "<cell>", text)
    for path, name in places:
        text = re.sub(rf"(?<![\w.~/-]){re.escape(path)}(?![\w.-])", name, text)
    return text


def last_of_progress(text: str) -> str:
    """Return `text` as a terminal would leave it: of a line that was written over, what came last."""
    lines = []
    for line in text.replace("\r\n", "\n").split("\n"):
        parts = [part for part in line.replace("\b", "").split("\r") if part.strip()]
        lines.append(parts[-1] if "\r" in line and parts else line.replace("\b", ""))
    return "\n".join(lines)


def joined_streams(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Return `outputs` with neighbouring pieces of one stream as one: a progress bar comes in many."""
    joined: list[NotebookNode] = []
    for output in outputs:
        before = joined[-1] if joined else None
        if before and output.output_type == before.output_type == "stream" and output.name == before.name:
            before.text += output.text
        else:
            joined.append(output)
    return joined


def tidy_output(output: NotebookNode, places: list[tuple[str, str]]) -> None:
    """Make the texts of one output the same on any machine."""
    if output.output_type == "stream":
        output.text = without_machine_paths(MACHINE_LOG.sub("", last_of_progress(output.text)), places)
    for kind, value in output.get("data", {}).items():
        if kind.startswith("text/") and isinstance(value, str):
            output.data[kind] = without_machine_paths(value, places)
        if kind == "image/png":
            output.data[kind] = in_few_colours(value)


def in_few_colours(png: str) -> str:
    """Return a PNG, in base64, drawn with `PICTURE_COLOURS` colours if that makes it smaller."""
    picture = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB")
    packed = io.BytesIO()
    picture.quantize(PICTURE_COLOURS).save(packed, format="PNG", optimize=True)
    return min(png, base64.b64encode(packed.getvalue()).decode(), key=len)


def tidy(notebook: NotebookNode, places: list[tuple[str, str]]) -> NotebookNode:
    """Remove from an executed notebook what belongs to this run or machine; changes it and returns it.

    Widgets go too: without their state they cannot be shown, and with it GitHub shows nothing at all.
    """
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type != "code":
            continue
        shown = [output for output in cell.outputs if WIDGET not in output.get("data", {})]
        joined = joined_streams(shown)
        for output in joined:
            tidy_output(output, places)
        cell.outputs = joined_streams([output for output in joined if output.get("text") != ""])
    return notebook


def refuse_too_much(notebook: NotebookNode) -> str:
    """Return the text of the notebook's file; raise TooMuch if it, or what one cell put out, is too large."""
    for number, cell in enumerate(notebook.cells):
        size = sum(len(str(output)) for output in cell.get("outputs", []))
        if size > MAX_CELL_BYTES:
            raise TooMuch(
                f"cell {number} put out {size / 1000:.0f} kB, and at most {MAX_CELL_BYTES / 1000:.0f} are "
                "kept: draw at fewer dots per inch, pack sound as MP3, or print less"
            )
    text = nbformat.writes(notebook) + "\n"
    if len(text.encode()) >= MAX_NOTEBOOK_BYTES:
        raise TooMuch(
            f"the notebook has {len(text.encode()) / 1000:.0f} kB, and less than "
            f"{MAX_NOTEBOOK_BYTES / 1000:.0f} are kept: show fewer plots and sounds, or smaller ones"
        )
    return text


def execute(notebook: NotebookNode, folder: Path, *, fast: bool = False) -> tuple[float, float]:
    """Run the notebook's cells in a fresh kernel that stands in `folder`; return CPU seconds and MB.

    It is run in full, or with TINYCLONE_FAST=1 if `fast`.
    """
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    notebook.cells.append(nbformat.v4.new_code_cell(USAGE))
    client = NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT_SEC,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
        record_timing=False,
        store_widget_state=True,  # an Output widget cannot do without; `tidy` removes it
        extra_arguments=["--log-level=ERROR"],
    )
    environment = {name: value for name, value in os.environ.items() if name not in UNSET}
    client.execute(env=environment | ({"TINYCLONE_FAST": "1"} if fast else {}))
    cpu_seconds, peak_mb = map(float, notebook.cells.pop().outputs[0].text.split())
    return cpu_seconds, peak_mb


def run(path: Path, *, check: bool = False) -> Run:
    """Run one notebook in full and put the result in its place; if `check`, run it small and keep nothing."""
    notebook = nbformat.read(path, as_version=4)
    begin = time.perf_counter()
    usage = execute(notebook, path.parent, fast=check)
    seconds = time.perf_counter() - begin
    text = refuse_too_much(tidy(notebook, machine_places()))
    if not check:
        partial = path.with_suffix(".partial")  # renamed when whole: a killed run leaves the old notebook
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    name = path.relative_to(LESSONS).with_suffix("").as_posix()
    return Run(name, seconds, *usage, len(text.encode()) / 1000)


def chosen(names: list[str]) -> list[Path]:
    """Return the notebooks of the named lessons, each followed by its solutions; all if none is named."""
    course, papers = sorted(LESSONS.glob("[0-9]*.ipynb")), sorted(LESSONS.glob("papers/*.ipynb"))
    lessons = {path.stem: path for path in (*course, *papers)}
    unknown = [name for name in names if name not in lessons]
    if unknown:
        sys.exit(f"There is no lesson {', '.join(unknown)}. There are: {', '.join(lessons)}.")
    wanted = [lessons[name] for name in names or lessons]
    pairs = [(path, path.parent / "solutions" / path.name) for path in wanted]
    return [path for pair in pairs for path in pair if path.is_file()]


def table(runs: list[Run]) -> str:
    """Return the runs as a Markdown table."""
    rows = [
        f"| {one.name} | {one.seconds:.0f} | {one.cpu_seconds:.0f} | {one.peak_mb:.0f} | {one.size_kb:.0f} |"
        for one in runs
    ]
    return "\n".join(["| notebook | seconds | CPU seconds | peak MB | kB |", "|---|--:|--:|--:|--:|", *rows])


def over_limits(runs: list[Run]) -> list[str]:
    """Return a sentence for each of these runs with TINYCLONE_FAST=1 that cost more than it may."""
    return [
        f"{one.name} took {one.cpu_seconds:.0f} CPU seconds and {one.peak_mb:.0f} MB, and with "
        f"TINYCLONE_FAST=1 at most {MAX_FAST_CPU_SEC} and {MAX_FAST_MB} are allowed: let FAST shrink it more"
        for one in runs
        if one.cpu_seconds > MAX_FAST_CPU_SEC or one.peak_mb > MAX_FAST_MB
    ]


def main(arguments: list[str]) -> int:
    """Run the lessons named in the arguments; return how many notebooks failed or cost too much."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", help="lessons, by name or file (default: all)")
    parser.add_argument("--check", action="store_true", help="run with TINYCLONE_FAST=1, hold to the limits")
    options = parser.parse_args(arguments)
    paths = chosen([Path(name).stem for name in options.names])
    runs, failures = [], 0
    for number, path in enumerate(paths, start=1):
        print(f"[{number}/{len(paths)}] {path.relative_to(LESSONS)} ", end="", flush=True)
        try:
            runs.append(run(path, check=options.check))
            print(f"{runs[-1].seconds:.0f} s, {runs[-1].peak_mb:.0f} MB", flush=True)
        except (CellExecutionError, CellTimeoutError, DeadKernelError, TooMuch) as error:
            failures += 1
            message = re.sub(r"\x1b\[[\d;]*m", "", str(error))
            print(f"failed and stays as it was:\n{message}", flush=True)
    print(f"\n{table(runs)}" if runs else "")
    too_dear = over_limits(runs) if options.check else []
    print("\n".join(too_dear))
    return failures + len(too_dear)


if __name__ == "__main__":
    sys.exit(min(main(sys.argv[1:]), 1))
