"""Every lesson reads well before it is run, opens where its badge says, and means what it names."""

from __future__ import annotations

import functools
import importlib
import json
import re
import statistics
import sys
from pathlib import Path
from urllib.parse import urlsplit

import nbformat
import pytest

from tinyclone import exercises

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY / "scripts"))

import run_lessons  # noqa: E402

NOTEBOOKS = sorted(
    path for path in (REPOSITORY / "lessons").rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts
)
COURSE = [path for path in NOTEBOOKS if path.parent.name == "lessons"]
PAPERS = [path for path in NOTEBOOKS if path.parent.name == "papers" and not path.stem[0].isdigit()]
LESSONS = COURSE + PAPERS
SOLUTIONS = [path for path in NOTEBOOKS if path.parent.name == "solutions"]
COLAB = "https://colab.research.google.com/github/tinyclone/tinyclone/blob/main/"
LAST_LESSON = 8
PAPERS_IN_ORDER = ["wavenet", "tacotron", "tacotron2", "melnet"]

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: str(path.relative_to(REPOSITORY)))
each_lesson = pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
each_solution = pytest.mark.parametrize("path", SOLUTIONS, ids=lambda path: path.stem)


@functools.cache
def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.from_dict(json.loads(path.read_text(encoding="utf-8"), object_hook=with_joined_lines))


def with_joined_lines(node: dict) -> dict:
    """Return a part of a notebook with its lines as one text, as nbformat would, which checks it first."""
    texts = ("source", "text", *(name for name in node if "/" in name and not name.endswith("json")))
    return node | {name: "".join(node[name]) for name in texts if isinstance(node.get(name), list)}


def code_cells(path: Path) -> list[nbformat.NotebookNode]:
    return [cell for cell in read(path).cells if cell.cell_type == "code" and cell.source.strip()]


def prose(path: Path) -> str:
    """Return the text of a notebook's Markdown cells, or the whole of a Markdown file."""
    if path.suffix == ".md":
        return path.read_text(encoding="utf-8")
    return "\n\n".join(cell.source for cell in read(path).cells if cell.cell_type == "markdown")


def without_code_blocks(text: str) -> str:
    return re.sub(r"^ *```.*?^ *```", "", text, flags=re.MULTILINE | re.DOTALL)


def is_paper(path: Path) -> bool:
    return "papers" in path.parts


def number_of(path: Path) -> int:
    return 1 + PAPERS_IN_ORDER.index(path.stem) if is_paper(path) else int(path.stem[:2])


def test_there_are_lessons():
    assert (REPOSITORY / "lessons" / "00_hear_it_first.ipynb") in NOTEBOOKS


@each_notebook
def test_it_is_a_valid_notebook(path):
    nbformat.validate(nbformat.read(path, as_version=4))


@each_notebook
def test_it_is_read_as_jupyter_reads_it(path):
    assert read(path) == nbformat.read(path, as_version=4)


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


@each_notebook
def test_it_is_run_by_whatever_python_there_is(path):
    assert read(path).metadata.kernelspec.name == "python3"


@each_notebook
def test_a_cell_that_may_fail_checks_how(path):
    # A cell that is allowed to raise passes, too, when it raises nothing or something else.
    careless = [
        cell.source
        for cell in code_cells(path)
        if "raises-exception" in cell.metadata.get("tags", [])
        and not re.search(r"\bassert\b|pytest\.raises|raise AssertionError", cell.source)
    ]
    assert careless == []


@each_notebook
def test_its_outputs_name_no_folder_of_a_machine(path):
    folder = re.compile(r"(?<![\w.~/+-])(?:/(?:home|root|Users|tmp|private|var/folders)/|[A-Z]:\\)[\w.~+-]+")
    found = []
    for cell in code_cells(path):
        for output in cell.outputs:
            texts = [output.get("text", ""), *output.get("data", {}).values()]
            found += [hit for text in texts for hit in folder.findall(str(text))]
    assert found == [], "run it with: make lessons"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["00_hear_it_first", "02_mel_extraction", "08_your_own_voice"])
def test_it_runs_without_widgets(name):
    path = REPOSITORY / "lessons" / f"{name}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    assert any("widget" in cell.source for cell in code_cells(path)), "a lesson that would show some"
    # What import finds when a package is not installed.
    hidden = nbformat.v4.new_code_cell('import sys\n\nsys.modules["ipywidgets"] = None')
    notebook.cells.insert(0, hidden)
    run_lessons.execute(notebook, path.parent, fast=True)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    kinds = {kind for output in outputs for kind in output.get("data", {})}
    assert "text/html" in kinds and run_lessons.WIDGET not in kinds


@each_lesson
def test_it_says_first_which_lesson_it_is_and_how_long_it_takes(path):
    first = read(path).cells[0].source
    assert re.search(r"^# \S", first, flags=re.MULTILINE), "a title"
    kind, last = ("Paper", len(PAPERS_IN_ORDER)) if is_paper(path) else ("Lesson", LAST_LESSON)
    line = re.search(rf"^{kind} (\d) of (\d) · .*$", first, flags=re.MULTILINE)
    assert line, f"a line such as: {kind} 2 of {last} · 45 min on a CPU"
    assert (int(line[1]), int(line[2])) == (number_of(path), last)
    assert re.search(r"\b[1-9]\d* min\b", line[0]), "the minutes that it takes"
    assert all(f"**{part}" in first for part in ("Goal", "You need"))


def setup_cell(path: Path) -> str:
    return code_cells(path)[0].source


@each_notebook
def test_its_setup_cell_is_that_of_every_lesson(path):
    assert setup_cell(path) == setup_cell(LESSONS[0]), f"copy the setup cell of {LESSONS[0].name}"


def test_the_setup_cell_installs_what_colab_lacks():
    constraints = (REPOSITORY / "tests" / "colab-constraints.txt").read_text(encoding="utf-8")
    there = {line.split("==")[0].lower() for line in constraints.splitlines() if "==" in line}
    project = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    block = re.search(r"^dependencies = \[(.*?)^\]", project, flags=re.MULTILINE | re.DOTALL)[1]
    needed = {name.lower() for name in re.findall(r'"([\w-]+)>=', block)}
    assert "tensorflow" in needed & there
    wanted = re.search(r"wanted = \((.*?)\)", setup_cell(LESSONS[0]))[1]
    assert needed - there <= set(re.findall(r'"([\w-]+)"', wanted))


@each_lesson
def test_its_second_cell_holds_the_settings(path):
    settings = code_cells(path)[1].source
    assert 'FAST = os.environ.get("TINYCLONE_FAST") == "1"' in settings.splitlines()
    assert "if FAST else" in settings, "FAST shrinks something"
    assert re.search(r"^SEED = \d+$", settings, flags=re.MULTILINE)


@each_lesson
def test_its_last_cell_leads_on(path):
    last = read(path).cells[-1].source
    assert "## Recap" in last
    module = f"../../tinyclone/papers/{path.stem}.py" if is_paper(path) else r"../tinyclone/\w+.py"
    assert re.search(rf"\]\({module}\)", last), "the module that holds the code of the lesson"
    if is_paper(path):
        assert re.search(r"\b[Nn]ext: .*\]\(\w+\.ipynb\)", last)
    elif number_of(path) < LAST_LESSON:
        assert re.search(rf"\b[Nn]ext: lesson {number_of(path) + 1}\b", last)


def test_lessons_and_solutions_come_in_pairs():
    assert sorted(path.parent / "solutions" / path.name for path in LESSONS) == SOLUTIONS


@each_solution
def test_solutions_and_lesson_link_to_each_other(path):
    lesson = path.parent.parent / path.name
    name = f"paper {number_of(path)}" if is_paper(path) else f"lesson {number_of(path)}"
    assert f"[{name}](../{path.name})" in prose(path)
    assert f"](solutions/{path.name})" in prose(lesson)


def checkers_in(path: Path) -> set[str]:
    """Return the checkers of exercises that a notebook's code calls."""
    code = "\n".join(cell.source for cell in code_cells(path))
    imported = re.findall(r"from tinyclone\.exercises import ([^\n(]+|\([^)]*\))", code)
    names = {name for block in imported for name in re.findall(r"\bcheck_\w+", block)}
    return {name for name in names if re.search(rf"(?<!import ){name}\(", code)}


@each_lesson
def test_its_exercises_have_checkers_and_solutions(path):
    checkers = checkers_in(path)
    assert len(checkers) >= 2, "two or three exercises"
    assert checkers <= set(exercises.__all__)
    solutions = "\n".join(
        cell.source for cell in code_cells(path.parent / "solutions" / path.name)
    )
    assert [name for name in checkers if not re.search(rf"\bassert {name}\(", solutions)] == []


def test_every_checker_belongs_to_a_lesson():
    checkers = {name for name in exercises.__all__ if name.startswith("check_")}
    assert checkers == {name for path in LESSONS for name in checkers_in(path)}


def resolves(dotted: str) -> bool:
    """Return whether a name such as tinyclone.mel.log_mel can be imported."""
    parts = dotted.split(".")
    for length in range(len(parts), 0, -1):
        try:
            value = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for name in parts[length:]:
            if not hasattr(value, name):
                return False
            value = getattr(value, name)
        return True
    return False


def test_names_resolve_only_if_there_is_something_behind_them():
    assert resolves("tinyclone.mel.log_mel") and resolves("tinyclone.log_mel") and resolves("tinyclone.mel")
    assert not resolves("tinyclone.mel.log_mal") and not resolves("tinyclone.male")


@each_notebook
def test_names_and_files_of_the_package_that_it_mentions_exist(path):
    spans = re.findall(r"`([^`\n]+)`", without_code_blocks(prose(path)))
    dotted = {name for span in spans for name in re.findall(r"(?<![\w./])tinyclone(?:\.[A-Za-z_]\w*)+", span)}
    assert [name for name in sorted(dotted) if not resolves(name)] == []
    folders = "tinyclone|lessons|datasets|benchmarks|tests|scripts"
    files = {name for span in spans for name in re.findall(rf"^(?:{folders})/[\w./-]+$", span)}
    assert [name for name in sorted(files) if not (REPOSITORY / name).exists()] == []


@each_notebook
def test_its_links_within_the_repository_lead_somewhere(path):
    targets = re.findall(r"\]\(([^)\s]+)\)", prose(path))
    inside = [target for target in targets if "://" not in target]
    assert inside, "a lesson links to its solutions, solutions to their lesson"
    assert [target for target in inside if not (path.parent / target.split("#")[0]).exists()] == []


def malformed(link: str) -> bool:
    """Return whether a link cannot be right; arXiv and DOI links must name one paper."""
    parts = urlsplit(link)
    if parts.scheme != "https" or not re.fullmatch(r"[\w-]+(\.[\w-]+)+", parts.netloc):
        return True
    if parts.netloc.endswith("arxiv.org"):
        return not re.fullmatch(r"https://arxiv\.org/abs/\d{4}\.\d{4,5}(v\d+)?", link)
    if parts.netloc.endswith("doi.org"):
        return not re.fullmatch(r"https://doi\.org/10\.\d{4,9}/\S+[^\s.,;]", link)
    return bool(re.search(r"[\s<>\"]|[.,;:]$", link))


def test_malformed_links_are_known():
    right = ["https://arxiv.org/abs/2306.00814", "https://doi.org/10.1121/1.1906875", "https://keras.io/api/"]
    wrong = ["http://keras.io", "https://arxiv.org/pdf/2306.00814", "https://arxiv.org/abs/2306.814"]
    wrong += ["https://doi.org/1.1906875", "https://keras", "https://keras.io/api."]
    assert [link for link in right + wrong if malformed(link)] == wrong


GUIDES = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "datasets").glob("*.md")])


@pytest.mark.parametrize("path", [*NOTEBOOKS, *GUIDES], ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_its_links_to_the_outside_are_well_formed(path):
    text = without_code_blocks(prose(path))
    links = re.findall(r"\]\((\w+://[^)]*)\)", text) + re.findall(r"(?<![(\w])https?://[^\s)>`]+", text)
    assert [link for link in links if malformed(link)] == []


def sections_of(number: int) -> set[int] | None:
    """Return the numbers of the sections of a lesson, or None if the lesson is still to come."""
    for path in COURSE:
        if number_of(path) == number:
            return sections_in(path)
    return None


def sections_in(path: Path) -> set[int]:
    return {int(found) for found in re.findall(r"^## (\d+)\. ", prose(path), flags=re.MULTILINE)}


@each_lesson
def test_the_sections_that_it_refers_to_exist(path):
    missing = []
    for lesson, first, last in re.findall(
        r"(?:[Ll]esson (\d), )?\bsections? (\d+)\b(?!\.\d)(?:(?: to | and |, )(\d+)\b)?", prose(path)
    ):
        there = sections_of(int(lesson)) if lesson else sections_in(path)
        named = {int(number) for number in (first, last) if number}
        if there is not None and not named <= there:
            missing.append((lesson, first, last))
    assert missing == []


@each_lesson
def test_the_lessons_that_it_refers_to_exist(path):
    named = {int(number) for number in re.findall(r"\b[Ll]essons? (\d+)", prose(path))}
    assert named <= set(range(LAST_LESSON + 1))


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


def test_the_table_of_the_readme_says_of_each_lesson_what_it_costs():
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    head = re.search(r"^\| \| lesson \|.*$", text, flags=re.MULTILINE)[0]
    titles = [title.strip() for title in head.strip("|").split("|")]
    costs = ["minutes on a CPU", "on a T4 (estimated)", "download"]
    assert titles[1:] == ["lesson", "you build", "you hear", *costs, ""]
    rows = re.findall(r"^\| \d \| \[?\d\d_.*$", text, flags=re.MULTILINE)
    assert [row.split("|")[1].strip() for row in rows] == [str(number) for number in range(LAST_LESSON + 1)]
    for row in rows:
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert len(cells) == len(titles) and all(cells), row
        assert all(re.match(r"[\d.]+\b", cell) for cell in cells[4:7]), row


def test_the_badges_of_the_readme_name_files():
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    paths = re.findall(re.escape(COLAB) + r"([^\s)]+)", text)
    assert paths
    assert [path for path in paths if not (REPOSITORY / path).is_file()] == []


def test_docstrings_name_lessons_of_the_course():
    named = {
        name
        for path in (REPOSITORY / "tinyclone").rglob("*.py")
        for name in re.findall(r"Lesson: lessons/([\w/]+)\.ipynb", path.read_text(encoding="utf-8"))
    }
    assert named
    assert named <= {*lesson_table(), *(f"papers/{name}" for name in PAPERS_IN_ORDER)}
