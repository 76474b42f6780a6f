"""Other synthesisers that read the held-out sentences: what each of them is, and how it is started."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

from heldout import HeldOut
from utterances import Footprint, Missing, Settings, Utterance

ROOT = Path(__file__).resolve().parent.parent
PEERS_PYTHON = ROOT / ".venv-peers" / "bin" / "python"
PROGRAMS = {
    "flite": ["-voice", "slt", "-t", "{text}", "-o", "{wav}"],
    "espeak-ng": ["-v", "en-us", "-w", "{wav}", "--", "{text}"],
}
# The files that they read to speak so: of flite's libraries, which hold data, and of espeak-ng's data.
MODELS = {
    "flite": ("libflite_cmu_us_slt", "libflite_usenglish", "libflite_cmulex"),
    "espeak-ng": ("phondata", "phonindex", "phontab", "intonations", "en_dict", "lang/gmw/en-US"),
}
PEERS = ("pico", "piper", "hibari")
ONE_SENTENCE = ["The first sentence of all is the slowest one to be spoken."]


def by_program(name: str, held_out: HeldOut, settings: Settings) -> Iterator[Utterance]:
    """Let a program of the system speak, which starts anew for every sentence."""
    program = shutil.which(name)
    if program is None:
        raise Missing(f"{name} is not installed; on Debian or Ubuntu: sudo apt install {name}")
    seconds = []
    for index, text in enumerate(held_out.sentences):
        path = settings.work / name / f"{index}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        start = perf_counter()
        command = [argument.format(wav=path, text=text) for argument in PROGRAMS[name]]
        subprocess.run([program, *command], check=True, capture_output=True, timeout=60)
        seconds.append(perf_counter() - start)
        yield Utterance(name, "its own", text, path, synthesis_sec=seconds[-1])
    settings.footprints[name] = Footprint(sorted(seconds)[len(seconds) // 2], bytes_of_models(name, program))


def bytes_of_models(name: str, program: str) -> int | None:
    """Return how large the models and dictionaries of a program are; None where they are not all found."""
    if name == "flite":
        libraries = dict(re.findall(r"(libflite\w*)\.so\S* => (\S+)", _said_by("ldd", program)))
        files = [Path(libraries.get(library, "")) for library in MODELS[name]]
    else:
        folder = re.search(r"Data at: (.+)", _said_by(program, "--version"))
        files = [Path(folder[1].strip(), part) for part in MODELS[name]] if folder else [Path()]
    return sum(file.stat().st_size for file in files) if all(file.is_file() for file in files) else None


def _said_by(*command: str) -> str:
    """Return what a command prints; nothing if it is not there."""
    if shutil.which(command[0]) is None:
        return ""
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60).stdout


def by_peer(name: str, held_out: HeldOut, settings: Settings) -> Iterator[Utterance]:
    """Let a Python package in the peers' environment speak, warm, and once from a cold start."""
    if not PEERS_PYTHON.is_file():
        raise Missing("it is not installed; benchmarks/install_peers.sh gets it")
    start = perf_counter()
    _speak(name, ONE_SENTENCE, settings.work / f"{name}-cold")
    cold_sec = perf_counter() - start
    folder = settings.work / name
    spoken = _speak(name, held_out.sentences, folder)
    settings.footprints[name] = Footprint(cold_sec, spoken["n_bytes"], spoken["parameters"])
    for index, (text, seconds) in enumerate(zip(held_out.sentences, spoken["seconds"], strict=True)):
        yield Utterance(name, "its own", text, folder / f"{index}.wav", synthesis_sec=seconds)


def _speak(name: str, sentences: list[str], folder: Path) -> dict:
    folder.mkdir(parents=True, exist_ok=True)
    texts = folder / "texts.json"
    texts.write_text(json.dumps(sentences), encoding="utf-8")
    command = [str(PEERS_PYTHON), str(ROOT / "benchmarks" / "peers.py"), name, str(texts), str(folder)]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=1800)
    except subprocess.CalledProcessError as error:
        last = error.stderr.strip().splitlines()[-1:] or ["no message"]
        raise Missing(f"it failed ({last[0]}); benchmarks/install_peers.sh gets it") from error
    return json.loads((folder / "spoken.json").read_text(encoding="utf-8"))
