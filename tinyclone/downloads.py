"""Public corpora by name: from nothing on the disk to a folder that `load_corpus` reads."""

from __future__ import annotations

import difflib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from tinyclone.archives import unpack
from tinyclone.corpora import tinyvoices_folder
from tinyclone.errors import CorpusError
from tinyclone.layouts import AUDIO_SUFFIXES
from tinyclone.public_corpora import KNOWN, NAMES, Download, common_voice_refusal
from tinyclone.transfers import download, partial_bytes, readable_size, require_checksum, say

try:
    import fcntl
except ImportError:  # Windows: two runs at once are then not told apart
    fcntl = None  # type: ignore[assignment]

__all__ = ["KNOWN", "NAMES", "Download", "fetch"]


def fetch(
    name: str,
    folder: str | os.PathLike[str] = Path("data"),
    *,
    mirror: str | os.PathLike[str] | None = None,
    keep_archive: bool = False,
    quiet: bool = False,
) -> Path:
    """Download, check and unpack a public corpus; do nothing where it is there already.

    A download that was cut, by the network or by Ctrl-C, goes on where it stopped when called again. The
    corpus folder appears whole or not at all. Two calls at once for the same corpus do not disturb each
    other: the second one is refused.

    Parameters
    ----------
    name : str
        One of `NAMES`; ``"librispeech"`` is its subset dev-clean.
    folder : path-like
        Where corpora lie; made if missing.
    mirror : str or path-like, optional
        Instead of the makers' server: an archive or a folder on this machine, the URL of an archive, or
        the URL below which it has its own name. The checksum stays that of the makers.
    keep_archive : bool
        False deletes a downloaded archive once it is unpacked.
    quiet : bool
        True shows neither progress bars nor messages.

    Returns
    -------
    Path
        The folder to give to `tinyclone.corpora.load_corpus`.

    Raises
    ------
    CorpusError
        For an unknown name, too little room, a server or mirror that does not give the archive, a wrong
        checksum, an archive that is damaged or reaches out of its folder, and for Common Voice, which
        everybody has to download with an account of their own.

    Notes
    -----
    Lesson: lessons/05_gpu_training.ipynb
    """
    folder = Path(folder)
    if name == "tinyvoices":
        return tinyvoices_folder()
    if name == "common-voice":
        raise common_voice_refusal(folder)
    if name not in KNOWN:
        meant = difflib.get_close_matches(name, NAMES, n=1)
        hint = f"Did you mean {meant[0]!r}? " if meant else ""
        raise CorpusError(f"No corpus named {name!r} is known. {hint}The names are {', '.join(NAMES)}.")
    wanted = KNOWN[name]
    if not _is_complete(folder / wanted.unpacked_folder, wanted):
        source = _source(mirror, wanted)
        _make_folder(folder)
        with _alone(folder / f".{wanted.name}.lock"):
            # The run that held the lock until now may have finished the work.
            if not _is_complete(folder / wanted.unpacked_folder, wanted):
                _fetch_anew(wanted, folder, source, keep_archive=keep_archive, quiet=quiet)
                return folder / wanted.unpacked_folder
    say(f"{folder / wanted.unpacked_folder} is there already: nothing to do.", quiet=quiet)
    return folder / wanted.unpacked_folder


def _fetch_anew(
    wanted: Download, folder: Path, source: Path | tuple[str, ...], *, keep_archive: bool, quiet: bool
) -> None:
    own = folder / wanted.filename
    is_local = isinstance(source, Path)
    archive = source if isinstance(source, Path) else own
    was_there = archive.exists()
    unpacking = folder / f".{wanted.name}.unpacking"
    shutil.rmtree(unpacking, ignore_errors=True)  # of a run that was killed
    _require_room(folder, wanted, still_to_come=0 if was_there else wanted.size_bytes - partial_bytes(own))
    try:
        if was_there:
            advice = "Get it from its makers again." if is_local else "Delete it and run the same command."
            require_checksum(
                archive, checksum=wanted.checksum, size_bytes=wanted.size_bytes, advice=advice, quiet=quiet
            )
        else:
            assert not isinstance(source, Path)
            download(source, own, size_bytes=wanted.size_bytes, checksum=wanted.checksum, quiet=quiet)
        unpack(archive, unpacking, quiet=quiet)
        _settle(unpacking, wanted, folder)
    except KeyboardInterrupt:
        kept = f"{own} is kept" if own.exists() else f"{readable_size(partial_bytes(own))} are kept"
        say(f"Stopped; {kept}. The same command goes on from there.", quiet=quiet)
        raise
    finally:
        shutil.rmtree(unpacking, ignore_errors=True)
    if not was_there and not keep_archive:
        own.unlink()


def _settle(unpacking: Path, wanted: Download, folder: Path) -> None:
    """Put an unpacked corpus in its place, and beside it what the archive has beside it (its licence)."""
    corpus = unpacking / wanted.inside
    found, expected = _count_recordings(corpus), wanted.recordings or 1
    if found < expected:
        raise CorpusError(
            f"{wanted.filename} has {found:,} recordings in its folder {wanted.inside or '.'}, expected "
            f"{expected:,}. It is not the archive it should be: delete it and download it again."
        )
    target = folder / wanted.unpacked_folder
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.parent != folder:
        for beside in corpus.parent.iterdir():
            if beside.is_file() and not (target.parent / beside.name).exists():
                beside.replace(target.parent / beside.name)
    corpus.replace(target)


def _is_complete(target: Path, wanted: Download) -> bool:
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return False
    found, expected = _count_recordings(target), wanted.recordings or 1
    if found < expected:
        raise CorpusError(
            f"{target} is there, but has {found:,} recordings, expected {expected:,}: it was not unpacked "
            "to the end, or not by this command. Move it away, or choose another folder (--folder)."
        )
    return True


def _count_recordings(folder: Path) -> int:
    files = (name for _, _, names in os.walk(folder) for name in names)
    return sum(name.lower().endswith(AUDIO_SUFFIXES) for name in files)


def _source(mirror: str | os.PathLike[str] | None, wanted: Download) -> Path | tuple[str, ...]:
    """Return the local archive, or the addresses, that a mirror stands for."""
    if mirror is None:
        return wanted.urls
    text = os.fspath(mirror)
    parts = urlsplit(text)
    if parts.scheme in ("http", "https"):
        is_archive = parts.path.endswith((".zip", ".tar", ".gz", ".bz2", ".xz", ".tgz", wanted.filename))
        return (text,) if is_archive else (f"{text.rstrip('/')}/{wanted.filename}",)
    path = Path(url2pathname(parts.path)) if parts.scheme == "file" else Path(text).expanduser()
    archive = path / wanted.filename if path.is_dir() else path
    if archive.is_file():
        return archive
    raise CorpusError(
        f"The mirror {text} leads to {archive}, and there is no such file. Give the archive "
        f"{wanted.filename}, a folder that holds it, or a URL that begins with http:// or https://."
    )


def _require_room(folder: Path, wanted: Download, *, still_to_come: int) -> None:
    needed = still_to_come + wanted.unpacked_bytes
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise CorpusError(
            f"{wanted.name} needs {readable_size(needed)} ({readable_size(still_to_come)} to download, "
            f"{readable_size(wanted.unpacked_bytes)} unpacked), but {folder} has {readable_size(free)} free. "
            f"Free {readable_size(needed - free)}, or choose a folder on another disk (--folder)."
        )


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CorpusError(
            f"The folder {folder} cannot be made: {error.strerror}. Choose another one (--folder)."
        ) from error


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Hold a lock that the system gives back when a run ends, however it ends."""
    while True:
        try:
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise CorpusError(
                f"Cannot write in {lock.parent}: {error.strerror}. Choose another folder (--folder)."
            ) from error
        try:
            if fcntl is not None:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            raise CorpusError(
                f"Another run is fetching the same corpus into {lock.parent} (it holds {lock.name}). Wait "
                "for it to end, or stop it."
            ) from error
        except OSError:  # a file system without locks, such as a mounted cloud drive
            pass
        # The holder before us deletes the file: then our lock is on a file that nobody else sees.
        if lock.exists() and os.path.samestat(os.fstat(descriptor), os.stat(lock)):
            break
        os.close(descriptor)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)
        os.close(descriptor)
