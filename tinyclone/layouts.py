"""What all corpus layouts share: clips, lines of text, audio files by name, reasons to leave a clip out."""

from __future__ import annotations

import os
import posixpath
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from tinyclone.errors import CorpusError

AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".opus", ".mp3")
LICENCES = {
    "ljspeech": "public domain",
    "kathleen": "CC0",
    "librispeech": "CC BY 4.0",
    "commonvoice": "CC0",
    "vctk": "CC BY 4.0",
    "speechocean762": "free for commercial and non-commercial use",
}
UNKNOWN_LICENCE = "not stated: ask whoever made the corpus"
MOST_SUBFOLDERS = 4

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


@dataclass(frozen=True)
class Row:
    """What a transcript says of one clip.

    The speaker is None where the corpus has no column for it, and empty where the column is.
    """

    name: str
    text: str
    speaker: str | None = None


class LeftOut(Exception):
    """A clip cannot be used; the message is the reason."""


class AudioFiles:
    """The audio files of a corpus, found by the names that its transcripts give them.

    Parameters
    ----------
    paths : dict of str to str
        Path of each file by its name, as `files_below` returns them.
    folder : Path
        The corpus folder; names that lead out of it are refused.
    """

    def __init__(self, paths: dict[str, str], *, folder: Path) -> None:
        self._paths = paths
        self._folder = folder

    def __contains__(self, name: str) -> bool:
        try:
            return bool(self.locate(name))
        except LeftOut:
            return False

    def locate(self, name: str) -> tuple[str, Path]:
        """Return the clip's id and its file; raise `LeftOut` with the reason if there is none.

        A name may have its suffix or not, and be relative to the folder or to ``wavs/`` in it. A name
        without a folder is also found in any sub-folder, if only one has it.
        """
        name = self._inside(without_suffix(name).replace("\\", "/"))
        for key in (f"wavs/{name}", name):
            if key in self._paths:
                return key.removeprefix("wavs/"), Path(self._paths[key])
        keys = self._by_bare_name.get(name, [])
        if len(keys) > 1:
            raise LeftOut("audio file in more than one folder")
        if not keys:
            raise LeftOut("audio file missing")
        return keys[0].removeprefix("wavs/"), Path(self._paths[keys[0]])

    def _inside(self, name: str) -> str:
        if name.startswith("/") or re.match("[A-Za-z]:", name):
            root = self._folder.resolve().as_posix() + "/"
            if not name.startswith(root):
                raise LeftOut("audio file outside the corpus folder")
            name = name.removeprefix(root)
        name = unicodedata.normalize("NFC", posixpath.normpath(name))
        if name == ".." or name.startswith("../"):
            raise LeftOut("audio file outside the corpus folder")
        return name

    @cached_property
    def _by_bare_name(self) -> dict[str, list[str]]:
        has_wavs = any(key.startswith("wavs/") for key in self._paths)
        keys: dict[str, list[str]] = {}
        for key in self._paths:
            if "/" in key and (key.startswith("wavs/") or not has_wavs):
                keys.setdefault(key.rpartition("/")[2], []).append(key)
        return keys


def files_below(
    folder: Path, *, suffixes: tuple[str, ...] = AUDIO_SUFFIXES, most_subfolders: int = MOST_SUBFOLDERS
) -> dict[str, str]:
    """Return the paths of a folder's files by their relative name without suffix, such as ``"wavs/a"``.

    Names are in Unicode's composed form, because some systems store "é" as "e" and an accent. Hidden
    files are passed over. Of one clip in two formats the earlier suffix wins, on every machine.
    """
    best: dict[str, tuple[int, str]] = {}
    # Sounds may lie on another disk; a link that leads round in a circle ends at the deepest subfolder.
    for parent, folders, names in os.walk(folder, followlinks=True):
        inner = Path(parent).relative_to(folder).parts
        folders[:] = [name for name in folders if len(inner) < most_subfolders and name[0] != "."]
        for name in sorted(names):
            stem, suffix = os.path.splitext(name)
            if suffix.lower() in suffixes and name[0] != ".":
                key = unicodedata.normalize("NFC", "/".join((*inner, stem)))
                candidate = suffixes.index(suffix.lower()), os.path.join(parent, name)
                best[key] = min(best.get(key, candidate), candidate)
    return {key: path for key, (_, path) in best.items()}


def usable(rows: Iterable[Row], audio: AudioFiles, skipped: Skipped) -> Iterator[tuple[Row, Path]]:
    """Return the rows that have words and a file, named by the clip's id; note the others in `skipped`."""
    seen = set()
    for row in rows:
        try:
            if not (any(map(str.isalnum, row.text)) or fold_text(row.text)):
                raise LeftOut("empty transcript")
            name, path = audio.locate(row.name)
            if name in seen:
                raise LeftOut("id given twice")
        except LeftOut as reason:
            skipped.setdefault(str(reason), []).append(row.name)
            continue
        seen.add(name)
        text = " ".join(row.text.split())
        yield replace(row, name=name, text=text.lower() if text.isupper() else text), path


def speaker_name(label: str | None, *, corpus: str, clip_id: str) -> str:
    """Return `Clip.speaker`: in each clip that names nobody there speaks somebody else, for all we know."""
    label = " ".join((label or "").split())
    return f"{corpus}-{label}" if label else f"{corpus}-unknown-{clip_id}"


def is_unknown_speaker(clip: Clip) -> bool:
    """Return whether the corpus does not say who speaks this clip."""
    return clip.speaker == f"{clip.corpus}-unknown-{clip.id}"


def lines_of(file: Path) -> Iterator[tuple[int, str]]:
    """Return (line number, line) of every line that is not blank, one at a time."""
    number, n_bytes = 0, 0
    try:
        with file.open("rb") as stream:
            # Not splitlines(): it would also cut at rare characters that can stand inside a transcript.
            for line in stream:
                text = line.decode("utf-8").removeprefix("\ufeff" if n_bytes == 0 else "")
                n_bytes += len(line)
                for part in re.split("\r\n|\r|\n", text.removesuffix("\n").removesuffix("\r")):
                    number += 1
                    if part.strip():
                        yield number, part
    except UnicodeDecodeError as error:
        raise CorpusError(
            f"{file} is not UTF-8 (byte {n_bytes + error.start}). Save it as UTF-8 in your editor and try "
            "again."
        ) from error
    except OSError as error:
        raise CorpusError(f"Cannot read {file}: {error.strerror}. Check that it is there.") from error


def read_lines(file: Path) -> list[tuple[int, str]]:
    """Return (line number, line) of every line that is not blank."""
    return list(lines_of(file))


def without_suffix(name: str) -> str:
    """Return a file name without the suffix of an audio format; other dots stay."""
    name = name.strip()
    stem, dot, suffix = name.rpartition(".")
    return stem if dot and f".{suffix.lower()}" in AUDIO_SUFFIXES else name


def fold_text(text: str) -> str:
    """Return the letters and digits of a text in one case: equal for two takes of one sentence."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(character for character in folded if character.isalnum())
