"""Unpacking a .tar.gz, .tar.bz2 or .zip that nobody vouches for: nothing is written outside its folder."""

from __future__ import annotations

import bz2
import gzip
import lzma
import shutil
import stat
import tarfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO, Any

from tqdm import tqdm

from tinyclone.errors import CorpusError

__all__ = ["unpack"]

BLOCK_BYTES = 1 << 20
DAMAGED = (
    tarfile.TarError, zipfile.BadZipFile, lzma.LZMAError, zlib.error, EOFError, RuntimeError, ValueError
)  # fmt: skip
# The first bytes of a file tell what it is; its name can lie.
OPENERS = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open}


class _Counted:
    """A file that moves a progress bar as it is read."""

    def __init__(self, file: IO[bytes], bar: tqdm) -> None:
        self.file, self.bar = file, bar

    def read(self, size: int = -1) -> bytes:
        block = self.file.read(size)
        self.bar.update(len(block))
        return block


def unpack(archive: Path, folder: Path, *, quiet: bool = False) -> int:
    """Unpack an archive into a new folder: plain files and folders only, and all of them inside.

    Links of any kind are refused, also those that stay inside: a link to a place outside, followed by a
    file that goes through it, is how archives break out. Owners, permissions and times are not taken over.

    Parameters
    ----------
    archive : Path
        A tar (plain, gzip, bzip2 or xz) or a zip.
    folder : Path
        Made by this function; it must not exist.
    quiet : bool
        True shows no progress bar.

    Returns
    -------
    int
        How many files were written.

    Raises
    ------
    CorpusError
        If the archive is damaged or cut off, a member would land outside of `folder`, is a link or a
        device, or the disk fills up. What was unpacked until then is left for the caller to remove.

    Notes
    -----
    Lesson: lessons/05_gpu_training.ipynb
    """
    try:
        folder.mkdir(parents=True)
        with (
            open(archive, "rb") as file,
            tqdm(
                total=archive.stat().st_size, desc=f"unpacking {archive.name}", unit="B", unit_scale=True,
                disable=quiet, leave=False,
            ) as bar,
        ):  # fmt: skip
            start = file.read(6)
            file.seek(0)
            unpack_one = _unpack_zip if start.startswith(b"PK") else _unpack_tar
            return unpack_one(file, start, folder, bar)
    except CorpusError:
        raise
    except DAMAGED as error:
        raise _damaged(archive, error) from error
    except OSError as error:
        if error.errno is None:  # how gzip and bz2 say that the data make no sense
            raise _damaged(archive, error) from error
        raise CorpusError(
            f"Unpacking {archive} into {folder.parent} stopped: {error.strerror}. The archive is kept. Make "
            "room, or choose another folder, and run the same command again."
        ) from error


def _unpack_tar(file: IO[bytes], start: bytes, folder: Path, bar: tqdm) -> int:
    opener = next((opener for magic, opener in OPENERS.items() if start.startswith(magic)), None)
    counted: Any = _Counted(file, bar)
    content = opener(counted) if opener else counted
    written = 0
    # Read as a stream: seeking back in a bzip2 file of gigabytes would begin at its start again.
    with tarfile.open(fileobj=content, mode="r|") as tar:
        for member in tar:
            target = _inside(member.name, folder)
            if member.isdir():
                target.mkdir(parents=True, exist_ok=True)
            elif member.isreg():
                _copy(tar.extractfile(member), target, member.size)
                written += 1
            else:
                raise _refused(member.name, f"is {_kind(member)}")
    while content.read(BLOCK_BYTES):  # to the end, where the checksum of the compressed data stands
        pass
    return written


def _unpack_zip(file: IO[bytes], start: bytes, folder: Path, bar: tqdm) -> int:
    written = 0
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            target = _inside(info.filename, folder)
            if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise _refused(info.filename, "is a link or a device")
            if info.is_dir():
                target.mkdir(parents=True, exist_ok=True)
            else:
                with archive.open(info) as member:
                    _copy(member, target, info.file_size)
                written += 1
            bar.update(info.compress_size)
    return written


def _inside(name: str, folder: Path) -> Path:
    """Return where a member is written; `CorpusError` if that is, on any system, not below `folder`."""
    posix, windows = PurePosixPath(name), PureWindowsPath(name)
    if posix.is_absolute() or windows.root or windows.drive:
        raise _refused(name, "names a place on the whole disk")
    if ".." in posix.parts or ".." in windows.parts:
        raise _refused(name, "leads out of the folder")
    return folder / posix


def _copy(member: IO[bytes] | None, target: Path, size_bytes: int) -> None:
    if member is None:
        raise EOFError("a member without content")
    target.parent.mkdir(parents=True, exist_ok=True)
    with open(target, "wb") as file:
        shutil.copyfileobj(member, file, BLOCK_BYTES)
        if file.tell() != size_bytes:
            raise EOFError(f"{target.name} ends after {file.tell()} of {size_bytes} bytes")


def _kind(member: tarfile.TarInfo) -> str:
    if member.issym() or member.islnk():
        return f"a {'symbolic' if member.issym() else 'hard'} link to {member.linkname!r}"
    return "a device or something else that is no file"


def _refused(name: str, why: str) -> CorpusError:
    return CorpusError(
        f"The archive is refused: its member {name!r} {why}, expected plain files and folders that stay "
        "inside. Do not use this archive; download it from its makers."
    )


def _damaged(archive: Path, error: Exception) -> CorpusError:
    return CorpusError(
        f"{archive} is damaged, cut off, or no archive ({type(error).__name__}: {error}). Delete it and "
        "download it again."
    )
