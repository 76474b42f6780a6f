"""Features on disk: a shard holds those of a few dozen clips and is read where it is asked for."""

from __future__ import annotations

import io
import json
import math
import mmap
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from tinyclone.array_files import UNREADABLE, replace_file
from tinyclone.errors import CorpusError
from tinyclone.text import Word

# Raise it when a shard is laid out, or filled by tinyclone.features.extract, in another way.
FORMAT_VERSION = 2
# Each open shard holds one file handle; some systems allow a process no more than 256.
OPEN_SHARDS = 64


@dataclass(frozen=True)
class Features:
    """What training needs of one clip.

    Parameters
    ----------
    id, speaker, corpus, text : str
        Copied from the clip; the speaker of a perturbed copy is ``name@rate``.
    words : tuple of Word
        The text as `tinyclone.text.parse` gives it.
    mel : np.ndarray [shape=(F, n_mels), float16]
        Natural-log mel of the trimmed clip at the standard loudness. A frame's energy is its mean.
    pitch_hz : np.ndarray [shape=(F,), float16]
        Fundamental frequency, 0 where unvoiced.

    Notes
    -----
    Lesson: lessons/05_gpu_training.ipynb
    """

    id: str
    speaker: str
    corpus: str
    text: str
    words: tuple[Word, ...]
    mel: np.ndarray
    pitch_hz: np.ndarray


@dataclass(frozen=True)
class Outline:
    """All of a clip's features but the arrays: what can be asked of 280,000 clips without reading mels.

    Notes
    -----
    Lesson: lessons/05_gpu_training.ipynb
    """

    id: str
    speaker: str
    corpus: str
    text: str
    words: tuple[Word, ...]
    n_frames: int


def write_shard(
    path: Path,
    features: Sequence[Features],
    *,
    skipped: Sequence[tuple[str, str, str, str]],
    clips: Sequence[tuple[str, str]],
    settings: Mapping[str, Any],
) -> None:
    """Write a shard that appears whole or not at all: an ordinary ``.npz``, which `np.load` opens too.

    Parameters
    ----------
    path : Path
    features : sequence of Features
        There may be none.
    skipped : sequence of (id, speaker, reason in a few words, message)
        The clips that are not among the features.
    clips, settings
        What it was made from, see `Shard`.

    Notes
    -----
    Lesson: lessons/05_gpu_training.ipynb
    """
    entries = [json.dumps(_to_entry(one)).encode() for one in features]
    index = {
        "skipped": list(skipped),
        "clips": list(clips),
        "settings": dict(settings),
        "frame_ends": np.cumsum([len(one.mel) for one in features], dtype=int).tolist(),
        "entry_ends": np.cumsum([len(entry) for entry in entries], dtype=int).tolist(),
        "n_mels": features[0].mel.shape[1] if features else 0,
    }
    mels = [one.mel.astype(np.float16, copy=False).ravel() for one in features]
    pitches = [one.pitch_hz.astype(np.float16, copy=False) for one in features]
    buffer = io.BytesIO()
    np.savez(
        buffer,
        index=np.frombuffer(json.dumps(index).encode(), np.uint8),
        entries=np.frombuffer(b"".join(entries), np.uint8),
        mel=np.concatenate([np.zeros(0, np.float16), *mels]),
        pitch_hz=np.concatenate([np.zeros(0, np.float16), *pitches]),
    )
    replace_file(path, buffer.getvalue())


class Shard:
    """One open shard; its arrays stay on disk, mapped into memory, until a clip is asked for.

    Parameters
    ----------
    path : Path
        A file of `write_shard`.

    Attributes
    ----------
    settings : dict
        The settings that its features were made with.
    clips : list of [str, str]
        For each clip that was to stand in it, a hash of its name and one of its recording and text.
    skipped : list of [id, speaker, reason in a few words, message]
        Clips that could not be used.

    Raises
    ------
    CorpusError
        If the file is missing, damaged or something else.

    Notes
    -----
    Lesson: lessons/05_gpu_training.ipynb
    """

    def __init__(self, path: Path) -> None:
        try:
            with path.open("rb") as file:
                self._places = _array_places(file)
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            self._index = json.loads(self._read("index", np.uint8, 0, self._places["index"][1]).tobytes())
            self.skipped, self.clips = self._index["skipped"], self._index["clips"]
            self.settings = self._index["settings"]
        except (*UNREADABLE, TypeError, AttributeError) as error:
            raise CorpusError(
                f"{path} cannot be read as features ({type(error).__name__}): it is missing, damaged or of "
                "an older version. Run `tinyclone prepare` again: it makes only what is missing."
            ) from error

    def __len__(self) -> int:
        return len(self._index["frame_ends"])

    @property
    def n_frames(self) -> int:
        """Frames of all its clips."""
        return self._index["frame_ends"][-1] if len(self) else 0

    def outline(self, row: int) -> Outline:
        """Return all of a clip but its arrays."""
        start, end = _bounds(self._index["entry_ends"], row)
        entry = json.loads(self._read("entries", np.uint8, start, end).tobytes())
        first, last = _bounds(self._index["frame_ends"], row)
        return Outline(**{**entry, "words": _to_words(entry["words"])}, n_frames=last - first)

    def features(self, row: int) -> Features:
        """Return a clip; its arrays are copies, so that no clip keeps a file open."""
        start, end = _bounds(self._index["frame_ends"], row)
        n_mels = self._index["n_mels"]
        values = vars(self.outline(row)).copy()
        del values["n_frames"]
        return Features(
            **values,
            mel=self._read("mel", np.float16, start * n_mels, end * n_mels).reshape(-1, n_mels),
            pitch_hz=self._read("pitch_hz", np.float16, start, end),
        )

    def _read(self, name: str, dtype: type, start: int, end: int) -> np.ndarray:
        offset = self._places[name][0] + start * np.dtype(dtype).itemsize
        return np.frombuffer(self._map, dtype, count=end - start, offset=offset).copy()


@lru_cache(maxsize=OPEN_SHARDS)
def open_shard(path: Path) -> Shard:
    """Return a shard, opened or, if it is one of the last `OPEN_SHARDS` asked for, still open.

    Notes
    -----
    Lesson: lessons/05_gpu_training.ipynb
    """
    return Shard(path)


def _array_places(file: io.BufferedReader) -> dict[str, tuple[int, int]]:
    """Return where in an uncompressed ``.npz`` the values of each array begin, in bytes, and how many."""
    places = {}
    with zipfile.ZipFile(file) as archive:
        for member in archive.infolist():
            file.seek(member.header_offset)
            # The lengths of the name and of the extra field end a member's own header of 30 bytes.
            header = file.read(30)
            file.seek(int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little"), 1)
            np.lib.format.read_magic(file)
            shape, _, _ = np.lib.format.read_array_header_1_0(file)
            places[member.filename.removesuffix(".npy")] = (file.tell(), math.prod(shape))
    return places


def _bounds(ends: Sequence[int], row: int) -> tuple[int, int]:
    return (ends[row - 1] if row else 0), ends[row]


def _to_entry(one: Features) -> dict[str, Any]:
    words = [[word.spelling, " ".join(word.symbols), word.known, word.boundary] for word in one.words]
    return {"id": one.id, "speaker": one.speaker, "corpus": one.corpus, "text": one.text, "words": words}


def _to_words(entries: Iterable[Sequence[Any]]) -> tuple[Word, ...]:
    return tuple(
        Word(spelling, tuple(symbols.split()), known, end) for spelling, symbols, known, end in entries
    )
