"""The prose of lessons, guides and docstrings is spelt as dictionaries have it."""

from __future__ import annotations

import ast
from pathlib import Path

import nbformat
import pytest

codespell = pytest.importorskip("codespell_lib")

REPOSITORY = Path(__file__).resolve().parent.parent
WORDS = REPOSITORY / "tests" / "spelling_words.txt"  # what is right here although the dictionary doubts it
FOLDERS = ["tinyclone", "lessons", "datasets", "benchmarks", "tests", "scripts"]


def docstrings(path: Path) -> str:
    """Return the docstrings of a module, each line where it stands in the file."""
    source = path.read_text(encoding="utf-8")
    lines = [""] * (source.count("\n") + 1)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node):
            begin = node.body[0].lineno - 1
            docstring = node.body[0].value.value.split("\n")
            lines[begin : begin + len(docstring)] = docstring
    return "\n".join(lines)


def markdown_cells(path: Path) -> str:
    cells = nbformat.read(path, as_version=4).cells
    return "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def prose_of_the_repository() -> dict[str, str]:
    """Return the text of every guide, lesson and docstring by the name of its file."""
    readers = {".md": Path.read_text, ".py": docstrings, ".ipynb": markdown_cells}
    paths = [*REPOSITORY.glob("*.md")]
    for folder in FOLDERS:
        paths += [path for path in (REPOSITORY / folder).rglob("*") if path.suffix in readers]
    checked = [path for path in sorted(paths) if ".ipynb_checkpoints" not in path.parts]
    return {str(path.relative_to(REPOSITORY)): readers[path.suffix](path) for path in checked}


def misspelt(texts: dict[str, str], folder: Path, capsys) -> list[str]:
    """Return what codespell finds, as 'file:line: wrong ==> right'."""
    for name, text in texts.items():
        copy = folder / f"{name}.txt"
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(text, encoding="utf-8")
    capsys.readouterr()
    codespell.main(f"--ignore-words={WORDS}", str(folder))
    found = capsys.readouterr().out.splitlines()
    return sorted(line.replace(f"{folder}/", "").replace(".txt:", ":") for line in found)


def test_the_search_for_misspelt_words_finds_them(tmp_path, capsys):
    texts = {"a.md": "A mel is right.\nIt is neccessary.", "b/c.py": "A signle word."}
    assert misspelt(texts, tmp_path, capsys) == [
        "a.md:2: neccessary ==> necessary",
        "b/c.py:1: signle ==> single, signal",
    ]


def test_every_word_is_spelt_right(tmp_path, capsys):
    texts = prose_of_the_repository()
    assert {"README.md", "lessons/00_hear_it_first.ipynb", "tinyclone/mel.py"} <= set(texts)
    assert misspelt(texts, tmp_path, capsys) == []
