"""The folder layouts that corpora come in: one reader for each, and how to tell them apart."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tinyclone.errors import CorpusError

AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".opus", ".mp3")
LAYOUTS = (
    "metadata.csv with lines `id|text|normalised text` and a folder wavs/ (LJ Speech, your own recordings)",
    "the same with a speakers.csv (tinyvoices)",
    "metadata.csv whose first line is `clip|speaker|...|text` and a folder wavs/ (many speakers)",
    "<speaker>/<chapter>/*.flac with *.trans.txt beside them (LibriSpeech)",
)
LICENCES = {
    "ljspeech": "public domain",
    "kathleen": "CC0",
    "librispeech": "CC BY 4.0",
    "speechocean762": "free for commercial and non-commercial use",
}
UNKNOWN_LICENCE = "not stated: ask whoever made the corpus"

# Names of clips that a reader left out, by reason.
Skipped = dict[str, list[str]]


@dataclass(frozen=True)
class Clip:
    """One recording and the words that are spoken in it.

    Parameters
    ----------
    id : str
        Name of the clip, unique in its corpus.
    speaker : str
        Who speaks; the same string for all clips of one person, over all corpora.
    text : str
        The words as spoken (numbers written out where the corpus offers it).
    path : Path
        The audio file. It exists, but has not been opened.
    corpus : str
        Name of the corpus, such as ``"ljspeech"``.
    licence : str
        What its makers allow, in a few words.

    Notes
    -----
    Lesson: lessons/05_gpu_training.ipynb
    """

    id: str
    speaker: str
    text: str
    path: Path
    corpus: str
    licence: str


def reader_of(folder: Path) -> Callable[[Path, Skipped], Iterator[Clip]]:
    """Return the function that reads a folder of this layout; `CorpusError` if it is none of `LAYOUTS`."""
    metadata = folder / "metadata.csv"
    if metadata.is_file():
        lines = read_lines(metadata)
        header = lines[0][1].lower().split("|") if lines else []
        if {"clip", "speaker", "text"} <= {name.strip() for name in header}:
            return _read_headed
        return _read_tinyvoices if (folder / "speakers.csv").is_file() else _read_lj
    if _transcripts(folder):
        return _read_librispeech
    looked_for = "\n".join(f"  - {layout}" for layout in LAYOUTS)
    raise CorpusError(
        f"No corpus layout that tinyclone knows in {folder}. It looked for:\n{looked_for}\n"
        "Arrange the folder like one of these; the first is the simplest for your own recordings."
    )


def _read_lj(folder: Path, skipped: Skipped) -> Iterator[Clip]:
    folder_name = folder.resolve().name
    audio = _audio_by_id(folder / "wavs")
    for name, text in _usable(_lj_rows(folder / "metadata.csv"), audio, skipped):
        is_lj_speech = re.fullmatch(r"LJ\d{3}-\d{4}", name) is not None
        corpus = "ljspeech" if is_lj_speech else folder_name
        speaker = "lj" if is_lj_speech else folder_name
        yield Clip(name, speaker, text, audio[name], corpus, LICENCES.get(corpus, UNKNOWN_LICENCE))


def _read_tinyvoices(folder: Path, skipped: Skipped) -> Iterator[Clip]:
    licences = {row["speaker"]: row["licence"] for row in _headed_rows(folder / "speakers.csv", "licence")}
    audio = _audio_by_id(folder / "wavs")
    for name, text in _usable(_lj_rows(folder / "metadata.csv"), audio, skipped):
        speaker = name.rpartition("-")[0]
        if speaker not in licences:
            raise CorpusError(
                f"{folder / 'speakers.csv'} has no line for {speaker!r}, the speaker of clip {name!r}. "
                f"It has {sorted(licences)}. Add the line, or name clips `<speaker>-<number>`."
            )
        yield Clip(name, speaker, text, audio[name], "tinyvoices", licences[speaker])


def _read_headed(folder: Path, skipped: Skipped) -> Iterator[Clip]:
    folder_name = folder.resolve().name
    corpus = "speechocean762" if folder_name.startswith("speechocean762") else folder_name
    licence = LICENCES.get(corpus, UNKNOWN_LICENCE)
    audio = _audio_by_id(folder / "wavs")
    rows = _headed_rows(folder / "metadata.csv", "text")
    speakers = {_without_suffix(row["clip"]): row["speaker"] for row in rows}
    texts = ((_without_suffix(row["clip"]), row["text"]) for row in rows)
    for name, text in _usable(texts, audio, skipped):
        yield Clip(name, f"{corpus}-{speakers[name]}", text, audio[name], corpus, licence)


def _read_librispeech(folder: Path, skipped: Skipped) -> Iterator[Clip]:
    for transcript in _transcripts(folder):
        audio = _audio_by_id(transcript.parent)
        rows = (line.partition(" ")[::2] for _, line in read_lines(transcript))
        for name, text in _usable(rows, audio, skipped):
            speaker = f"librispeech-{name.partition('-')[0]}"
            yield Clip(name, speaker, text, audio[name], "librispeech", LICENCES["librispeech"])


def _transcripts(folder: Path) -> list[Path]:
    # From the chapter's own folder up to the folder that holds LibriSpeech/: never a whole disk.
    for depth in range(5):
        found = sorted(folder.glob("*/" * depth + "*.trans.txt"))
        if found:
            return found
    return []


def read_lines(file: Path) -> list[tuple[int, str]]:
    """Return (line number, line) of every line that is not blank."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise CorpusError(
            f"{file} is not UTF-8 (byte {error.start}). Save it as UTF-8 in your editor and try again."
        ) from error
    except OSError as error:
        raise CorpusError(f"Cannot read {file}: {error.strerror}. Check that it is there.") from error
    # Not splitlines(): it would also cut at rare characters that can stand inside a transcript.
    return [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]


def _lj_rows(file: Path) -> Iterator[tuple[str, str]]:
    for number, line in read_lines(file):
        fields = line.split("|")  # not the csv module: quotes in LJ Speech are part of the text
        if len(fields) not in (2, 3):
            raise CorpusError(
                f"Line {number} of {file} has {len(fields)} fields, expected `id|text` or "
                f"`id|text|normalised text`: {line[:60]!r}. Correct the line."
            )
        written, spoken = fields[1], fields[-1]
        yield _without_suffix(fields[0]), spoken if spoken.strip() else written


def _headed_rows(file: Path, required: str) -> list[dict[str, str]]:
    (_, header), *lines = read_lines(file) or [(1, "")]
    names = [name.strip().lower() for name in header.split("|")]
    if required not in names:
        raise CorpusError(f"The first line of {file} names {names}, expected a field {required!r}. Add it.")
    rows = []
    for number, line in lines:
        fields = [field.strip() for field in line.split("|")]
        if len(fields) != len(names):
            raise CorpusError(
                f"Line {number} of {file} has {len(fields)} fields, expected {len(names)} as in its "
                f"first line: {line[:60]!r}. Correct the line."
            )
        rows.append(dict(zip(names, fields, strict=True)))
    return rows


def _usable(
    rows: Iterator[tuple[str, str]], audio: dict[str, Path], skipped: Skipped
) -> Iterator[tuple[str, str]]:
    seen = set()
    for name, text in rows:
        if name in seen:
            skipped.setdefault("id given twice", []).append(name)
        elif not fold_text(text):
            skipped.setdefault("empty transcript", []).append(name)
        elif name not in audio:
            skipped.setdefault("audio file missing", []).append(name)
        else:
            seen.add(name)
            text = " ".join(text.split())
            yield name, text.lower() if text.isupper() else text


def _audio_by_id(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        return {}
    files = [file for file in folder.iterdir() if file.suffix.lower() in AUDIO_SUFFIXES]
    # Where one clip is there in two formats, the earlier suffix wins, on every machine.
    files.sort(key=lambda file: AUDIO_SUFFIXES.index(file.suffix.lower()), reverse=True)
    return {file.stem: file for file in files}


def _without_suffix(name: str) -> str:
    name = name.strip()
    stem, dot, suffix = name.rpartition(".")
    return stem if dot and f".{suffix.lower()}" in AUDIO_SUFFIXES else name


def fold_text(text: str) -> str:
    """Return the letters and digits of a text in one case: equal for two takes of one sentence."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(character for character in folded if character.isalnum())
