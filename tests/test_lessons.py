"""Every lesson reads well before it is run, and opens where its badge says."""

from __future__ import annotations

import re
import statistics
from pathlib import Path

import nbformat
import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted(
    path for path in (REPOSITORY / "lessons").rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts
)
COLAB = "https://colab.research.google.com/github/tinyclone/tinyclone/blob/main/"

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: str(path.relative_to(REPOSITORY)))


def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def code_cells(path: Path) -> list[nbformat.NotebookNode]:
    return [cell for cell in read(path).cells if cell.cell_type == "code" and cell.source.strip()]


def test_there_are_lessons():
    assert (REPOSITORY / "lessons" / "00_hear_it_first.ipynb") in NOTEBOOKS


@each_notebook
def test_it_is_a_valid_notebook(path):
    nbformat.validate(read(path))


@each_notebook
def test_it_is_small(path):
    assert path.stat().st_size < 1_000_000


@each_notebook
def test_it_keeps_no_widget_state(path):
    assert "widgets" not in read(path).metadata, "GitHub shows nothing of a notebook that keeps widget state"


@each_notebook
def test_no_output_is_an_error(path):
    kinds = [output.output_type for cell in code_cells(path) for output in cell.outputs]
    assert "error" not in kinds


@each_notebook
def test_its_cells_were_run_once_in_order(path):
    counts = [cell.execution_count for cell in code_cells(path)]
    assert counts == list(range(1, len(counts) + 1)), "restart the kernel, run all cells and save"


@each_notebook
def test_its_badge_opens_this_very_file(path):
    first = read(path).cells[0].source
    links = re.findall(r"https://colab\.research\.google\.com/github/[^\s)\"]+", first)
    assert links == [COLAB + path.relative_to(REPOSITORY).as_posix()]


@each_notebook
def test_its_code_comes_in_small_pieces(path):
    lengths = [len(cell.source.splitlines()) for cell in code_cells(path)]
    assert max(lengths) <= 40
    assert statistics.median(lengths) <= 8


@each_notebook
def test_it_checks_what_it_says(path):
    asserts = [cell for cell in code_cells(path) if re.search(r"\bassert", cell.source)]
    assert asserts, "a lesson without an assert cell tests nothing"


def lesson_table() -> dict[str, bool]:
    """Return the lessons named in the README, and whether each is linked with a badge."""
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \d \| \[?(\d\d_\w+)(.*)$", text, flags=re.MULTILINE)
    return {name: f"{COLAB}lessons/{name}.ipynb" in rest for name, rest in rows}


def test_the_readme_lists_every_lesson_and_links_those_that_exist():
    table = lesson_table()
    existing = {path.stem for path in NOTEBOOKS if path.parent.name == "lessons"}
    assert existing <= set(table)
    assert {name for name, linked in table.items() if linked} == existing


def test_the_badges_of_the_readme_name_files():
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    paths = re.findall(re.escape(COLAB) + r"([^\s)]+)", text)
    assert paths
    assert [path for path in paths if not (REPOSITORY / path).is_file()] == []


def test_docstrings_name_lessons_of_the_course():
    named = {
        name
        for path in (REPOSITORY / "tinyclone").rglob("*.py")
        for name in re.findall(r"Lesson: lessons/(\w+)\.ipynb", path.read_text(encoding="utf-8"))
    }
    assert named
    assert named <= set(lesson_table())
