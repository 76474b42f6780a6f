"""The house keeps its own rules: packages, floors, imports, file lengths, paths and commands."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import tinyclone

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

REPOSITORY = Path(__file__).resolve().parent.parent
PACKAGE = REPOSITORY / "tinyclone"
MODULES = sorted(PACKAGE.rglob("*.py"))

# A module may import from its own floor and from lower ones, never in a circle.
FLOORS = {
    0: ["config", "errors"],
    1: ["worker_processes", "abbreviations", "number_words", "normalisation", "pronunciation", "text"]
    + ["array_files", "shipped", "letter_to_sound", "word_errors"]
    + ["sound_files", "audio", "reference", "recording_report", "mel", "pitch", "griffin_lim"],
    2: ["layouts", "transcript_tables", "layout_readers", "corpora", "inspection"]
    + ["public_corpora", "archives", "transfers", "downloads"]
    + ["clip_features", "feature_shards", "feature_cache", "corpus_report"]
    + ["features", "feature_store", "durations", "examples", "framing", "equaliser", "excitation"]
    + ["pulses", "recordings", "spelling_alignment"],
    3: ["phone_models", "alignment", "encoders", "variance", "cloner", "discriminator", "vocoder", "papers"]
    + ["spectra", "convnext", "vocoder_losses", "mel_speaker", "wave_speaker", "model_weights"]
    + ["onnx_models", "onnx_export"],
    4: [
        "vocoder_batches",
        "vocoder_training",
        "vocoder_weights",
        "batching",
        "trainer",
        "training",
        "callbacks",
        "checkpoints",
        "training_data",
        "presets",
        "distribution",
        "pretrained",
        "letter_to_sound_training",
        "fitting",
        "melnet_batches",
        "paper_batches",
        "spectrogram_batches",
        "paper_training",
    ],
    5: ["voice", "synthesis", "confidence", "evaluation", "listening", "exercises", "finetuning"]
    + ["speaker_clips", "speaker_quality"],
    6: ["plots", "widgets", "demo", "doctor", "cli", "commands_corpora", "commands_training"],
}
FLOOR_OF = {name: floor for floor, names in FLOORS.items() for name in names}
HEAVY = {"keras", "tensorflow", "jax", "torch", "matplotlib"}


def room_of(path: Path) -> str:
    """Return the first name below the package: 'mel' for mel.py, 'papers' for papers/wavenet.py."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imported_names(path: Path) -> set[str]:
    """Return the dotted names that a module imports, at its top or inside its functions."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}:{node.lineno}: write the import in full, from tinyclone"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def rooms_imported(path: Path) -> set[str]:
    """Return the modules of tinyclone that a module imports."""
    inside = {name.split(".")[1] for name in imported_names(path) if name.startswith("tinyclone.")}
    inside = {tinyclone._MODULE_OF.get(name, name) for name in inside}
    return {name for name in inside if (PACKAGE / f"{name}.py").exists() or (PACKAGE / name).is_dir()}


ROOMS = [path for path in MODULES if room_of(path) not in {"__init__", "__main__"}]
each_room = pytest.mark.parametrize("path", ROOMS, ids=lambda path: str(path.relative_to(PACKAGE)))


@each_room
def test_a_module_imports_only_from_its_floor_and_below(path):
    room = room_of(path)
    assert room in FLOOR_OF, f"{path.name} stands on no floor: add it to FLOORS"
    above = {name for name in rooms_imported(path) if FLOOR_OF.get(name, 0) > FLOOR_OF[room]}
    assert not above, f"{path.name} (floor {FLOOR_OF[room]}) imports from a higher floor: {sorted(above)}"


def test_no_modules_import_each_other_in_a_circle():
    graph: dict[str, set[str]] = {}
    for path in ROOMS:
        graph.setdefault(room_of(path), set()).update(rooms_imported(path) - {room_of(path)})
    order = list(TopologicalSorter(graph).static_order())
    assert set(graph) <= set(order)


@each_room
def test_the_floors_of_text_and_sound_load_nothing_heavy(path):
    if FLOOR_OF.get(room_of(path), 6) > 2:
        return
    roots = {name.split(".")[0] for name in imported_names(path)}
    assert not roots & HEAVY


def printed_by(code: str) -> str:
    """Return what a fresh Python prints when it runs `code`."""
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout.strip()


def test_importing_tinyclone_loads_nothing_heavy():
    code = (
        "import sys, tinyclone; from tinyclone import AudioConfig; "
        f"print(sorted({HEAVY | {'librosa', 'numpy', 'scipy'}} & set(sys.modules)))"
    )
    assert printed_by(code) == "[]"


def test_working_on_text_sound_and_mels_loads_no_keras():
    rooms = [f"tinyclone.{room_of(path)}" for path in ROOMS if FLOOR_OF.get(room_of(path), 6) <= 2]
    assert len(rooms) >= 8
    code = f"import sys, {', '.join(rooms)}; print(sorted({HEAVY} & set(sys.modules)))"
    assert printed_by(code) == "[]"


@pytest.mark.parametrize("name", tinyclone.__all__)
def test_every_public_name_is_the_one_of_its_module(name):
    value = getattr(tinyclone, name)
    module = value.__module__
    assert module.startswith("tinyclone.")
    assert getattr(sys.modules[module], name) is value
    assert name in dir(tinyclone)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'clown'; it has .*clone"):
        _ = tinyclone.clown


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_can_be_read_in_one_sitting(path):
    assert path.read_text(encoding="utf-8").count("\n") <= 300


def test_no_line_is_longer_than_a_page_is_wide():
    folders = [REPOSITORY / name for name in ("tinyclone", "tests", "benchmarks")]
    sources = [path for folder in folders for path in folder.rglob("*.py")]
    long = [
        f"{path.relative_to(REPOSITORY)}:{number}"
        for path in sources
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if len(line) > 110
    ]
    assert not long, "lines over 110 characters: " + ", ".join(long)


def positional_librosa_calls(source: str) -> list[int]:
    """Return the lines on which a function of librosa is given anything without its name."""
    tree = ast.parse(source)
    roots = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported = [alias for alias in node.names if alias.name.split(".")[0] == "librosa"]
            roots |= {(alias.asname or alias.name).split(".")[0] for alias in imported}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "librosa":
            roots |= {alias.asname or alias.name for alias in node.names}
    lines = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args:
            function = node.func
            while isinstance(function, ast.Attribute):
                function = function.value
            if isinstance(function, ast.Name) and function.id in roots:
                lines.append(node.lineno)
    return lines


def test_the_search_for_librosa_calls_finds_them():
    source = (
        "import librosa\nimport librosa.feature as lf\nfrom librosa import stft\n"
        "librosa.load(path)\nlf.mfcc(wav, sr=1)\nstft(wav)\nlibrosa.load(path=path)\nother.load(path)\n"
    )
    assert positional_librosa_calls(source) == [4, 5, 6]


@pytest.mark.parametrize("folder", ["tinyclone", "tests", "benchmarks", "scripts", "datasets"])
def test_librosa_is_called_by_keyword(folder):
    positional = {
        str(path.relative_to(REPOSITORY)): lines
        for path in (REPOSITORY / folder).rglob("*.py")
        if (lines := positional_librosa_calls(path.read_text(encoding="utf-8")))
    }
    assert positional == {}


def project_table() -> dict:
    return tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_the_conda_environment_is_that_of_pyproject():
    project = project_table()
    text = (REPOSITORY / "environment.yml").read_text(encoding="utf-8")
    lines = text.split("dependencies:")[1].splitlines()
    entries = [line.split("- ", 1)[1].strip() for line in lines if "- " in line]
    conda, pip = entries[: entries.index("pip:")], entries[entries.index("pip:") + 1 :]
    assert conda == [f"python{project['requires-python']}", "pip"]
    assert pip == [*project["dependencies"], *project["optional-dependencies"]["lab"], "--editable ."]


def test_dependencies_have_a_lower_bound_and_no_upper_one():
    project = project_table()
    extras = [requirement for extra in project["optional-dependencies"].values() for requirement in extra]
    for requirement in [*project["dependencies"], *extras]:
        assert re.fullmatch(r"[A-Za-z0-9_-]+>=[0-9.]+", requirement), requirement


def test_the_version_is_stated_once_and_cited_right():
    citation = (REPOSITORY / "CITATION.cff").read_text(encoding="utf-8")
    assert re.search(r"^version: (.*)$", citation, flags=re.MULTILINE).group(1) == tinyclone.__version__
    assert re.fullmatch(r"\d+\.\d+\.\d+", tinyclone.__version__)
    assert "version" in project_table()["dynamic"]


def text_files() -> list[Path]:
    """Return the repository's own text files: those git knows or would add, or all where there is no git."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY, capture_output=True, text=True, check=False,
    )  # fmt: skip
    names = listing.stdout.splitlines()
    if listing.returncode != 0:
        names = [str(path.relative_to(REPOSITORY)) for path in PACKAGE.rglob("*")]
    suffixes = {".py", ".md", ".toml", ".yml", ".cff", ".sh", ".ipynb", ".csv", ".txt", ".json", ""}
    paths = [REPOSITORY / name for name in names]
    return [path for path in paths if path.is_file() and path.suffix in suffixes]


def test_no_path_of_a_machine_stands_in_a_file():
    own_path = re.compile(r"(?<![\w.~/-])/(?:home|root|Users|work)/\w")
    found = {}
    for path in text_files():
        hits = own_path.findall(path.read_text(encoding="utf-8", errors="replace"))
        if hits:
            found[str(path.relative_to(REPOSITORY))] = hits[:3]
    assert found == {}


def make_targets() -> set[str]:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z-]+):", makefile, flags=re.MULTILINE))


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_every_command_of_the_guides_exists(name):
    from tinyclone.cli import commands as cli

    text = (REPOSITORY / name).read_text(encoding="utf-8")
    made = re.findall(r"(?:^|`)make ([a-z-]+)", text, flags=re.MULTILINE)
    assert made
    assert set(made) <= make_targets()
    assert set(re.findall(r"(?:^|`)tinyclone ([a-z]+)", text, flags=re.MULTILINE)) <= set(cli.commands)


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_every_link_to_a_file_of_the_repository_leads_somewhere(name):
    text = (REPOSITORY / name).read_text(encoding="utf-8")
    targets = [target for target in re.findall(r"\]\(([^)#]+)", text) if "://" not in target]
    assert targets
    assert [target for target in targets if not (REPOSITORY / target).exists()] == []


def test_every_make_target_is_explained():
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    explained = set(re.findall(r"^([a-z-]+):.*##", makefile, flags=re.MULTILINE))
    targets = {"help", "demo", "lab", "test", "test-colab", "lessons", "bench", "clean"}
    assert explained == make_targets() == targets
