"""From a folder of recordings and transcripts to a list of clips, and from there to a split."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable
from os import PathLike
from pathlib import Path

from tinyclone.errors import CorpusError
from tinyclone.layouts import Clip, Skipped, fold_text, read_lines, reader_of

__all__ = [
    "Clip",
    "CorpusWarning",
    "demo_reference",
    "load_corpus",
    "split_by_speaker",
    "split_by_text",
    "tinyvoices",
    "tinyvoices_folder",
    "verify_checksums",
]

DEMO_CLIP_ID = "rms-015"


class CorpusWarning(UserWarning):
    """Some lines of a corpus were left out; the message counts them and says why."""


def load_corpus(path: str | PathLike[str]) -> list[Clip]:
    """List the clips of a corpus folder; the layout is found out by looking.

    Transcripts that are all capitals, as in LibriSpeech, become lower case: their capitals say nothing.
    Lines whose audio is missing or whose transcript is empty are left out and counted in a
    `CorpusWarning`. No audio file is opened, so that a corpus of any size lists in seconds.

    Parameters
    ----------
    path : str or path-like
        Folder in one of the layouts of `tinyclone.layouts.LAYOUTS`.

    Returns
    -------
    list of Clip
        At least one, in the order of the transcripts.

    Raises
    ------
    CorpusError
        If there is no such folder, its layout is none of the known, a line cannot be read, or not
        one clip is left.

    Notes
    -----
    Lesson: lessons/05_gpu_training.ipynb
    """
    folder = Path(path)
    if not folder.is_dir():
        what = "a file" if folder.exists() else "nothing"
        raise CorpusError(f"Expected a corpus folder, found {what} at {folder}. Give the folder's path.")
    skipped: Skipped = {}
    clips = list(reader_of(folder)(folder, skipped))
    if not clips:
        raise CorpusError(
            f"Not one usable clip in {folder}: {_describe(skipped) or 'its transcripts have no lines'}. "
            "Check that the audio was unpacked beside the transcripts."
        )
    if skipped:
        warnings.warn(
            f"{folder}: {len(clips)} clips listed, left out: {_describe(skipped)}.",
            CorpusWarning,
            stacklevel=2,
        )
    return clips


def tinyvoices() -> list[Clip]:
    """List the corpus that comes with tinyclone: 8 synthetic voices, the same 40 sentences each.

    Raises
    ------
    CorpusError
        If the folder is not there, which means a damaged installation.

    Notes
    -----
    Lesson: lessons/00_hear_it_first.ipynb
    """
    return load_corpus(tinyvoices_folder())


def tinyvoices_folder() -> Path:
    """Return where tinyvoices lies: in the installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parent
    places = [package / "datasets" / "tinyvoices", package.parent / "datasets" / "tinyvoices"]
    for folder in places:
        if (folder / "metadata.csv").is_file():
            return folder
    raise CorpusError(
        f"tinyvoices is in neither {places[0]} nor {places[1]}. Install tinyclone again, or, in a checkout, "
        "make it with: python datasets/make_tinyvoices.py"
    )


def demo_reference() -> Path:
    """Return the recording that the demo clones, a voice that no shipped weights have heard."""
    return tinyvoices_folder() / "wavs" / f"{DEMO_CLIP_ID}.ogg"


def split_by_text(
    clips: list[Clip], *, held_out_fraction: float, salt: str = ""
) -> tuple[list[Clip], list[Clip]]:
    """Split clips so that no sentence is on both sides, whoever speaks it and how often.

    Whether a clip is held out depends on nothing but its own text and `salt`: adding clips to a
    corpus never moves another clip to the other side.

    Parameters
    ----------
    clips : list of Clip
    held_out_fraction : float
        In [0, 1]: how much of the texts to hold out, on average.
    salt : str
        Another salt gives another split.

    Returns
    -------
    train, held_out : list of Clip
        Together all of `clips`, each in its old order.

    Notes
    -----
    Lesson: lessons/05_gpu_training.ipynb
    """
    return _split(clips, lambda clip: fold_text(clip.text), held_out_fraction, salt)


def split_by_speaker(
    clips: list[Clip], *, held_out_fraction: float, salt: str = ""
) -> tuple[list[Clip], list[Clip]]:
    """Split clips so that no speaker is on both sides; otherwise like `split_by_text`."""
    return _split(clips, lambda clip: clip.speaker, held_out_fraction, salt)


def verify_checksums(folder: str | PathLike[str]) -> int:
    """Compare every file that ``SHA256SUMS`` names with its checksum; return how many there are.

    Raises
    ------
    CorpusError
        If the list is missing or unreadable, or a file is missing or differs (the message names the
        first few).
    """
    folder = Path(folder)
    lines = read_lines(folder / "SHA256SUMS")
    wrong = []
    for number, line in lines:
        checksum, separator, name = line.partition("  ")
        if not separator:
            raise CorpusError(
                f"Line {number} of {folder / 'SHA256SUMS'} is {line[:60]!r}, expected `checksum  file`. "
                "Download the corpus again."
            )
        file = folder / name
        if not file.is_file():
            wrong.append(f"{name} (missing)")
        elif hashlib.sha256(file.read_bytes()).hexdigest() != checksum:
            wrong.append(f"{name} (differs)")
    if wrong:
        raise CorpusError(
            f"{len(wrong)} of the {len(lines)} files in {folder} are not as their SHA256SUMS says: "
            f"{', '.join(wrong[:5])}{', ...' if len(wrong) > 5 else ''}. Download the corpus again."
        )
    return len(lines)


def _describe(skipped: Skipped) -> str:
    return ", ".join(
        f"{len(names)} ({reason}, such as {names[0]!r})" for reason, names in sorted(skipped.items())
    )


def _split(
    clips: list[Clip], key: Callable[[Clip], str], held_out_fraction: float, salt: str
) -> tuple[list[Clip], list[Clip]]:
    if not 0.0 <= held_out_fraction <= 1.0:
        raise CorpusError(f"held_out_fraction is {held_out_fraction}, expected a number from 0 to 1.")
    train: list[Clip] = []
    held_out: list[Clip] = []
    for clip in clips:
        digest = hashlib.sha256(f"{salt}|{key(clip)}".encode()).digest()
        # A hash is a fair die that falls the same way every time: uniform in [0, 1).
        chance = int.from_bytes(digest[:6], "big") / 2**48
        (held_out if chance < held_out_fraction else train).append(clip)
    return train, held_out
