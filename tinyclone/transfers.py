"""One large file from a web server to the disk: resumed where it was cut, checked by its checksum.

The standard library does this, not pooch or requests: pooch throws away what a cut download has brought.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import Request, urlopen

from tqdm import tqdm

from tinyclone import __version__
from tinyclone.errors import CorpusError

__all__ = ["download", "partial_bytes", "readable_size", "require_checksum", "say"]

BLOCK_BYTES = 1 << 18
TIMEOUT_SEC = 30.0
WAITS_SEC = (1, 2, 4, 8, 16, 32)


class _NotHere(Exception):
    """This address does not give the file; another one may."""


class _Partial:
    """What has come of a file so far, with a note of the version of the file that it is a part of."""

    def __init__(self, path: Path) -> None:
        self.path = path.with_name(f"{path.name}.part")
        self.note = path.with_name(f"{path.name}.part.json")
        if self.size() and not self.version():
            self.discard()

    def size(self) -> int:
        return self.path.stat().st_size if self.path.is_file() else 0

    def version(self) -> dict[str, Any]:
        try:
            version = json.loads(self.note.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return version if isinstance(version, dict) else {}

    def begin(self, version: dict[str, Any]) -> None:
        self.discard()
        _to_disk(self.note.write_text, json.dumps(version))
        _to_disk(self.path.touch)

    def discard(self) -> None:
        self.path.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)


def download(urls: Sequence[str], path: Path, *, size_bytes: int, checksum: str, quiet: bool = False) -> Path:
    """Download a file that appears at `path` whole and checked, or not at all.

    What has come stays in ``<path>.part`` when the connection is cut or the program killed; the next call
    asks the server only for the rest (HTTP ``Range`` with ``If-Range``, RFC 9110, sections 13.1.5 and
    14.2). A part of another version of the file is thrown away.

    Parameters
    ----------
    urls : sequence of str
        Addresses of the same file: the next is tried where one fails.
    path : Path
        Where to put it; the folder exists.
    size_bytes : int
        Length of the file.
    checksum : str
        ``"md5:..."`` or ``"sha256:..."``.
    quiet : bool
        True shows neither a progress bar nor messages.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    CorpusError
        If no address gives the file, the disk fills up, or what came has another checksum; a file with
        another checksum is removed.

    Notes
    -----
    Lesson: lessons/05_gpu_training.ipynb
    """
    partial = _Partial(path)
    if partial.size() > size_bytes:
        partial.discard()
    if partial.size() < size_bytes:
        _download_from_any(urls, partial, size_bytes=size_bytes, name=path.name, quiet=quiet)
    try:
        require_checksum(
            partial.path, checksum=checksum, size_bytes=size_bytes, quiet=quiet,
            advice="It was damaged on its way and has been removed: run the same command again. If that "
            "fails too, name another place with --mirror.",
        )  # fmt: skip
    except CorpusError:
        partial.discard()
        raise
    partial.path.replace(path)
    partial.note.unlink(missing_ok=True)
    return path


def partial_bytes(path: Path) -> int:
    """Return how much of the file `path` an earlier, unfinished `download` has brought."""
    return _Partial(path).size()


def require_checksum(path: Path, *, checksum: str, size_bytes: int, advice: str, quiet: bool = False) -> None:
    """Raise `CorpusError`, ending in `advice`, unless a file has this length and checksum."""
    got_bytes = path.stat().st_size
    if got_bytes != size_bytes:
        raise CorpusError(f"{path} has {got_bytes:,} bytes, expected {size_bytes:,}. {advice}")
    algorithm, _, expected = checksum.partition(":")
    digest = hashlib.new(algorithm, usedforsecurity=False)
    with open(path, "rb") as file, _progress_bar(f"checking {path.name}", size_bytes, quiet) as bar:
        while block := file.read(4 * BLOCK_BYTES):
            digest.update(block)
            bar.update(len(block))
    if digest.hexdigest() != expected:
        raise CorpusError(f"{path} has the {algorithm} {digest.hexdigest()}, expected {expected}. {advice}")


def readable_size(size_bytes: float) -> str:
    """Return a size as a person says it: ``"2.7 GB"``."""
    for unit in ("bytes", "kB", "MB"):
        if size_bytes < 1000:
            return f"{size_bytes:.0f} {unit}"
        size_bytes /= 1000
    return f"{size_bytes:.1f} GB"


def say(text: str, *, quiet: bool) -> None:
    """Print a line to the standard error stream without breaking a progress bar."""
    if not quiet:
        tqdm.write(text, file=sys.stderr)


def _download_from_any(
    urls: Sequence[str], partial: _Partial, *, size_bytes: int, name: str, quiet: bool
) -> None:
    problems = []
    with _progress_bar(name, size_bytes, quiet) as bar:
        for url in urls:
            try:
                _download_from(url, partial, size_bytes=size_bytes, bar=bar, quiet=quiet)
                return
            except _NotHere as error:
                problems.append(f"{url}: {error}")
    kept = f" What came, {readable_size(partial.size())}, is kept: the same command goes on from there."
    raise CorpusError(
        f"{name} could not be downloaded. {'; '.join(problems)}. Check the connection and try again, or name "
        f"another place with --mirror: a URL, a file or a folder.{kept if partial.size() else ''}"
    )


def _download_from(url: str, partial: _Partial, *, size_bytes: int, bar: tqdm, quiet: bool) -> None:
    most, fruitless, has_answered = partial.size(), 0, False
    while partial.size() < size_bytes:
        try:
            _receive(url, partial, size_bytes=size_bytes, bar=bar)
            continue
        except HTTPError as error:
            error.close()
            if error.code == 416 and partial.size():  # nothing follows what is there: another file
                partial.discard()
                continue
            problem = f"the server answers {error.code} {error.reason}"
            if error.code < 500 and error.code != 429:
                raise _NotHere(problem) from error
        except URLError as error:
            problem = f"cannot connect ({error.reason})"
            if not has_answered:
                raise _NotHere(problem) from error
        except (http.client.InvalidURL, UnicodeError) as error:
            raise _NotHere(f"that is no address ({error})") from error
        except (OSError, http.client.HTTPException) as error:
            problem = f"the connection was cut ({error})"
        has_answered = True
        # However often it is cut, as long as it goes forward it is not given up.
        most, fruitless = max(most, partial.size()), 0 if partial.size() > most else fruitless + 1
        if fruitless == len(WAITS_SEC):
            raise _NotHere(f"{problem}, {fruitless} times in a row without going forward")
        wait_sec = WAITS_SEC[fruitless]
        say(f"{url}: {problem}; trying again in {wait_sec} s.", quiet=quiet)
        time.sleep(wait_sec)


def _receive(url: str, partial: _Partial, *, size_bytes: int, bar: tqdm) -> None:
    start = partial.size()
    headers = {"User-Agent": f"tinyclone/{__version__}", "Accept-Encoding": "identity"}
    known = partial.version() if start else {}
    if start:
        headers["Range"] = f"bytes={start}-"
        if known.get("url") == url and known.get("validator"):
            headers["If-Range"] = known["validator"]
    with urlopen(Request(_quoted(url), headers=headers), timeout=TIMEOUT_SEC) as response:
        first, total = _place(response)
        if total is not None and total != size_bytes:
            raise _NotHere(
                f"it offers {total:,} bytes of {response.headers.get_content_type()}, expected "
                f"{size_bytes:,}: that is not the file, or another version of it"
            )
        offered = {"url": url, "validator": _validator(response.headers)}
        if first == 0:
            partial.begin(offered)
        elif first != start or (known.get("url") == url and known.get("validator") != offered["validator"]):
            partial.discard()  # and the caller asks again, from the beginning
            return
        bar.n = bar.last_print_n = partial.size()
        with _to_disk(open, partial.path, "ab", buffering=0) as file:
            while block := response.read1(BLOCK_BYTES):
                if file.tell() + len(block) > size_bytes:
                    raise _NotHere(f"it sends more than the expected {size_bytes:,} bytes")
                _write(file, block)
                bar.update(len(block))
    if partial.size() < size_bytes:
        raise ConnectionError(f"at {readable_size(partial.size())} of {readable_size(size_bytes)}")


def _place(response: http.client.HTTPResponse) -> tuple[int, int | None]:
    """Return at which byte of the file the answer begins, and how long the whole file is (if it says so)."""
    if response.status == 206:
        match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", "").strip())
        if match is None:
            return -1, None
        return int(match[1]), None if match[2] == "*" else int(match[2])
    length = response.headers.get("Content-Length", "")
    return 0, int(length) if length.isdigit() else None


def _validator(headers: http.client.HTTPMessage) -> str | None:
    etag = headers.get("ETag", "")
    # A weak tag (W/"...") promises only a similar file, so a server must not resume by it.
    return etag if etag.startswith('"') else headers.get("Last-Modified")


def _quoted(url: str) -> str:
    return quote(url, safe="%/:=&?~#+!$,;'@()*[]")


def _write(file: Any, block: bytes) -> None:
    rest = memoryview(block)
    while rest:
        rest = rest[_to_disk(file.write, rest) :]


def _to_disk(action: Any, *arguments: Any, **options: Any) -> Any:
    # Told apart from the same kind of error of the network: waiting does not mend a full disk.
    try:
        return action(*arguments, **options)
    except OSError as error:
        raise CorpusError(
            f"The download cannot be written: {error.strerror}. What came is kept. Make room, or choose "
            "another folder, and run the same command again."
        ) from error


def _progress_bar(name: str, total_bytes: int, quiet: bool) -> contextlib.AbstractContextManager[tqdm]:
    return tqdm(total=total_bytes, desc=name, unit="B", unit_scale=True, disable=quiet, leave=False)
