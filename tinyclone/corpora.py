"""From a folder of recordings and transcripts to a list of clips, and from there to a split."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from tinyclone.errors import CorpusError
from tinyclone.layout_readers import reader_of
from tinyclone.layouts import Clip, Skipped, fold_text, is_unknown_speaker, read_lines

__all__ = [
    "Clip",
    "CorpusListing",
    "CorpusWarning",
    "demo_reference",
    "list_clips",
    "load_corpus",
    "split_by_speaker",
    "split_by_text",
    "tinyvoices",
    "tinyvoices_folder",
    "verify_checksums",
]

DEMO_CLIP_ID = "rms-015"


class CorpusWarning(UserWarning):
    """Some clips of a corpus were left out, or do not say who speaks; the message counts them."""


@dataclass(frozen=True)
class CorpusListing:
    """The clips of a corpus and what was left out of it.

    Parameters
    ----------
    clips : list of Clip
        At least one, in the order of the transcripts.
    skipped : dict of str to list of str
        For each reason to leave a clip out, such as ``"audio file missing"``, the names of the clips.
    notes : tuple of str
        What else a reader of the list should know, in sentences.

    Notes
    -----
    Lesson: lessons/05_gpu_training.ipynb
    """

    clips: list[Clip]
    skipped: Skipped
    notes: tuple[str, ...] = ()


def load_corpus(path: str | PathLike[str]) -> list[Clip]:
    """List the clips of a corpus folder like `list_clips`; what was left out is counted in a `CorpusWarning`.

    Parameters
    ----------
    path : str or path-like
        Folder in one of the layouts of `tinyclone.layout_readers.LAYOUTS`.

    Returns
    -------
    list of Clip
        At least one, in the order of the transcripts.

    Raises
    ------
    CorpusError
        If there is no such folder, its layout is none of the known, a table in it cannot be read, or
        not one clip is left.

    Notes
    -----
    Lesson: lessons/05_gpu_training.ipynb
    """
    listing = list_clips(path)
    left_out = [f"left out: {_describe(listing.skipped)}"] if listing.skipped else []
    if left_out or listing.notes:
        message = f"{path}: {len(listing.clips)} clips listed; {'; '.join([*left_out, *listing.notes])}."
        warnings.warn(message, CorpusWarning, stacklevel=2)
    return listing.clips


def list_clips(path: str | PathLike[str]) -> CorpusListing:
    """List the clips of a corpus folder and, with the reasons, what was left out.

    The layout is found out by looking. No audio file is opened, so that a corpus of any size lists in
    seconds. Transcripts that are all capitals, as in LibriSpeech, become lower case: their capitals say
    nothing. A clip that names no speaker counts as a speaker of its own.

    Parameters
    ----------
    path : str or path-like
        Folder in one of the layouts of `tinyclone.layout_readers.LAYOUTS`.

    Returns
    -------
    CorpusListing

    Raises
    ------
    CorpusError
        As `load_corpus`.

    Notes
    -----
    Lesson: lessons/05_gpu_training.ipynb
    """
    folder = Path(path)
    if not folder.is_dir():
        what = "a file" if folder.exists() else "nothing"
        raise CorpusError(f"Expected a corpus folder, found {what} at {folder}. Give the folder's path.")
    skipped: Skipped = {}
    try:
        clips = list(reader_of(folder)(folder, skipped))
    except OSError as error:
        raise CorpusError(
            f"Cannot read {error.filename}: {error.strerror}. Check who may read it."
        ) from error
    if not clips:
        raise CorpusError(
            f"Not one usable clip in {folder}: {_describe(skipped) or 'its transcripts have no lines'}. "
            "Check that the audio was unpacked beside the transcripts."
        )
    n_unknown = sum(map(is_unknown_speaker, clips))
    note = f"{n_unknown} clips do not say who speaks, so each counts as a speaker of its own"
    return CorpusListing(clips, skipped, (note,) if n_unknown else ())


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
