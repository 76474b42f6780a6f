"""What `make lessons` keeps of a run, and what it takes out."""

from __future__ import annotations

import base64
import io
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))

import run_lessons  # noqa: E402

PLACES = [
    ("/opt/ana/lab/site-packages", "site-packages"),
    ("/opt/ana/course", "tinyclone"),
    ("/opt/ana", "~"),
]


@pytest.mark.parametrize(
    "text, tidied",
    [
        ("no path at all / or nearly", "no path at all / or nearly"),
        ("read /opt/ana/course/lessons/x.wav", "read tinyclone/lessons/x.wav"),
        ("/opt/ana/lab/site-packages/keras/a.py:3: Warning", "site-packages/keras/a.py:3: Warning"),
        ("'/opt/ana/notes' and /opt/ana", "'~/notes' and ~"),
        ("/opt/anabel and /srv/opt/ana are other folders", "/opt/anabel and /srv/opt/ana are other folders"),
        ("/var/ipykernel_31/275.py:2: UserWarning: so", "<cell>:2: UserWarning: so"),
    ],
)
def test_paths_of_the_machine_are_renamed(text, tidied):
    assert run_lessons.without_machine_paths(text, PLACES) == tidied


def test_the_machine_is_known():
    renamed = dict(run_lessons.machine_places())
    assert renamed[str(run_lessons.REPOSITORY)] == "tinyclone"
    assert renamed[str(Path.home())] == "~"
    assert "site-packages" in renamed.values()


@pytest.mark.parametrize(
    "text, last",
    [
        ("plain\nlines\n", "plain\nlines\n"),
        ("0 %\r50 %\r100 %\ndone\n", "100 %\ndone\n"),
        ("0 %\r100 %\r", "100 %"),
        ("\r  0 %\r  9 %\nnext\r\n", "  9 %\nnext\n"),
        ("1/9 x\b\b\b\b\b\r9/9 y\n", "9/9 y\n"),
    ],
)
def test_of_a_progress_bar_its_last_line_is_left(text, last):
    assert run_lessons.last_of_progress(text) == last


def executed_notebook(*outputs):
    cell = new_code_cell("x", outputs=list(outputs), execution_count=1)
    cell.metadata["execution"] = {"iopub.status.busy": "2026"}
    return new_notebook(cells=[new_markdown_cell("# A"), cell], metadata={"widgets": {"state": {}}})


def test_what_belongs_to_one_run_is_removed():
    sound = '<audio src="data:audio/mpeg;base64,//opt/ana8">'
    notebook = executed_notebook(
        new_output("stream", name="stderr", text="0 %\r"),
        new_output("stream", name="stderr", text="100 %\n"),
        new_output("stream", name="stdout", text="saved /opt/ana/course/a.wav\n"),
        new_output("stream", name="stderr", text="I0000 00:00:1795.9 3961 port.cc:153] oneDNN is on.\n"),
        new_output("stream", name="stdout", text="I am done\n"),
        new_output("display_data", data={run_lessons.WIDGET: {"model_id": "1"}, "text/plain": "Slider()"}),
        new_output(
            "display_data", data={"image/svg": "/opt/ana", "text/plain": "<Figure>", "text/html": sound}
        ),
    )
    tidied = run_lessons.tidy(notebook, PLACES)
    nbformat.validate(tidied)
    assert "widgets" not in tidied.metadata
    cell = tidied.cells[1]
    assert dict(cell.metadata) == {}
    progress, saved, plot = cell.outputs
    assert progress.text == "100 %\n"
    assert saved.text == "saved tinyclone/a.wav\nI am done\n"
    assert plot.data == {"image/svg": "/opt/ana", "text/plain": "<Figure>", "text/html": sound}


def test_too_large_an_output_is_refused():
    large = new_output("stream", name="stdout", text="x" * run_lessons.MAX_CELL_BYTES)
    with pytest.raises(run_lessons.TooMuch, match="cell 1 put out 300 kB"):
        run_lessons.refuse_too_much(executed_notebook(large))


def test_many_outputs_may_be_too_large_together():
    half = new_output("stream", name="stdout", text="x" * (run_lessons.MAX_CELL_BYTES // 2))
    notebook = executed_notebook(half)
    assert nbformat.reads(run_lessons.refuse_too_much(notebook), as_version=4).cells[1].outputs == [half]
    notebook.cells += [executed_notebook(half).cells[1] for _ in range(7)]
    with pytest.raises(run_lessons.TooMuch, match="the notebook has 1[0-9]{3} kB"):
        run_lessons.refuse_too_much(notebook)


@pytest.fixture
def two_lessons(tmp_path, monkeypatch):
    """Two lessons, the first with solutions, of which one cell each is run."""
    (tmp_path / "solutions").mkdir()
    sources = {
        "00_right": [
            "import os",
            "",
            "print(os.environ.get('TINYCLONE_FAST'), os.path.basename(os.getcwd()))",
        ],
        "solutions/00_right": ["print(1, end='\\r'); print(2)"],
        "01_wrong": ["print('before')", "raise ValueError('on purpose')"],
    }
    for name, cells in sources.items():
        notebook = new_notebook(cells=[new_code_cell(source) for source in cells])
        nbformat.write(notebook, tmp_path / f"{name}.ipynb")
    monkeypatch.setattr(run_lessons, "LESSONS", tmp_path)
    monkeypatch.setenv("TINYCLONE_FAST", "1")
    return tmp_path


def test_an_unknown_lesson_is_refused_with_those_that_there_are(two_lessons):
    with pytest.raises(SystemExit, match="no lesson 02_none. There are: 00_right, 01_wrong"):
        run_lessons.main(["00_right", "02_none"])


def test_one_lesson_can_be_chosen_by_its_name_or_file(two_lessons):
    right = [two_lessons / "00_right.ipynb", two_lessons / "solutions" / "00_right.ipynb"]
    assert run_lessons.chosen(["00_right"]) == right
    assert run_lessons.chosen([]) == [*right, two_lessons / "01_wrong.ipynb"]


@pytest.mark.slow
def test_lessons_are_run_in_full_and_one_that_fails_stays_as_it_was(two_lessons, capsys):
    before = (two_lessons / "01_wrong.ipynb").read_text()
    assert run_lessons.main([]) == 1
    assert (two_lessons / "01_wrong.ipynb").read_text() == before
    cells = nbformat.read(two_lessons / "00_right.ipynb", as_version=4).cells
    assert [cell.execution_count for cell in cells] == [1, None, 2]
    assert cells[2].outputs[0].text == f"None {two_lessons.name}\n"
    solution = nbformat.read(two_lessons / "solutions" / "00_right.ipynb", as_version=4)
    assert solution.cells[0].outputs[0].text == "2\n"
    assert not list(two_lessons.rglob("*.partial"))
    printed = capsys.readouterr().out
    assert "[3/3] 01_wrong.ipynb failed and stays as it was" in printed
    assert "ValueError: on purpose" in printed
    assert printed.count("| 00_right |") == 1 and "| 01_wrong |" not in printed


@pytest.mark.slow
def test_a_check_runs_small_keeps_nothing_and_holds_to_the_limits(two_lessons, capsys, monkeypatch):
    def files() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in two_lessons.glob("*.ipynb")}

    before = files()
    assert run_lessons.main(["--check", "00_right"]) == 0
    monkeypatch.setattr(run_lessons, "MAX_FAST_CPU_SEC", 0)
    assert run_lessons.main(["--check", "00_right"]) == 2
    assert files() == before
    printed = capsys.readouterr().out
    assert printed.count("| solutions/00_right |") == 2
    assert printed.count("00_right took") == 2


def test_a_notebook_is_named_that_takes_too_long_or_too_much():
    runs = [
        run_lessons.Run("00_right", seconds=999, cpu_seconds=150, peak_mb=4000, size_kb=1),
        run_lessons.Run("01_slow", seconds=90, cpu_seconds=151, peak_mb=100, size_kb=1),
        run_lessons.Run("solutions/02_large", seconds=1, cpu_seconds=1, peak_mb=4001, size_kb=1),
    ]
    slow, large = run_lessons.over_limits(runs)
    assert slow.startswith("01_slow took 151 CPU seconds and 100 MB")
    assert large.startswith("solutions/02_large took 1 CPU seconds and 4001 MB")
    assert "at most 150 and 4000" in slow


def test_only_a_check_is_small(monkeypatch):
    environments = []

    class Kernel:
        def __init__(self, notebook, **_):
            self.notebook = notebook

        def execute(self, env):
            environments.append(env.get("TINYCLONE_FAST"))
            self.notebook.cells[-1].outputs = [new_output("stream", name="stdout", text="1.5 200.0\n")]

    monkeypatch.setattr(run_lessons, "NotebookClient", Kernel)
    monkeypatch.setenv("TINYCLONE_FAST", "1")
    for fast in (False, True):
        notebook = executed_notebook()
        assert run_lessons.execute(notebook, Path(), fast=fast) == (1.5, 200.0)
        assert len(notebook.cells) == 2
    assert environments == [None, "1"]


def test_a_plot_of_many_colours_is_packed_and_one_of_few_stays():
    def png(pixels: np.ndarray) -> str:
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, format="PNG")
        return base64.b64encode(buffer.getvalue()).decode()

    def pixels_of(text: str) -> np.ndarray:
        return np.asarray(Image.open(io.BytesIO(base64.b64decode(text))).convert("RGB"), int)

    slope = np.linspace(0, 1, 96)[:, None] * np.linspace(0, 1, 128)
    many = (255 * np.stack([slope, slope**2, np.sqrt(slope)], axis=-1)).astype(np.uint8)
    packed = run_lessons.in_few_colours(png(many))
    assert len(packed) < len(png(many))
    assert np.abs(pixels_of(packed) - many).mean() < 4
    black = png(np.zeros((2, 2, 3), np.uint8))
    np.testing.assert_array_equal(pixels_of(run_lessons.in_few_colours(black)), 0)
