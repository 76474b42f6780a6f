"""Arrays and a header in one file: how weights, voices and durations lie on disk."""

from __future__ import annotations

import io
import json
import os
import tempfile
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tinyclone.errors import CheckpointError

FORMAT_VERSION = 1
UNREADABLE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError)
GET_AGAIN = "If it came with the package, install tinyclone again; if you made it, save it again."


def require_file(path: Path) -> None:
    """Raise `CheckpointError` unless `path` is a file."""
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise CheckpointError(f"The weights file {path} {what}. Give the path of a .npz file. {GET_AGAIN}")


def write_arrays(path: str | Path, arrays: Mapping[str, np.ndarray], *, header: Mapping[str, Any]) -> Path:
    """Write arrays and a header of JSON values as one ``.npz`` that appears whole or not at all."""
    buffer = io.BytesIO()
    whole_header = {"format_version": FORMAT_VERSION, **header}
    encoded = np.frombuffer(json.dumps(whole_header, sort_keys=True).encode(), dtype=np.uint8)
    np.savez_compressed(buffer, header=encoded, **arrays)
    replace_file(Path(path), buffer.getvalue())
    return Path(path)


def read_arrays(path: str | Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read back what `write_arrays` wrote; `CheckpointError` if the file is not such a file."""
    path = Path(path)
    require_file(path)
    try:
        # np.load alone would also take a lone array; only an archive is a tinyclone file.
        with zipfile.ZipFile(path), np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        header = json.loads(arrays.pop("header").tobytes().decode())
    except UNREADABLE as error:
        raise CheckpointError(
            f"{path} ({path.stat().st_size} bytes) cannot be read as a tinyclone file: it is truncated, "
            f"damaged or something else ({type(error).__name__}). {GET_AGAIN}"
        ) from error
    if not isinstance(header, dict) or header.get("format_version") != FORMAT_VERSION:
        found = header.get("format_version") if isinstance(header, dict) else None
        raise CheckpointError(
            f"{path} has the format version {found!r}, but this version of tinyclone reads "
            f"{FORMAT_VERSION}. Use the file with the version that wrote it, or make it again."
        )
    return arrays, header


def replace_file(path: Path, content: bytes) -> None:
    """Write a file that appears whole or not at all; an existing one is kept if that fails."""
    try:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise CheckpointError(
            f"Cannot write {path}: {error.strerror}. Choose a folder that exists and that you may write in."
        ) from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        os.unlink(temporary)
        raise CheckpointError(f"Cannot write {path}: {error.strerror}.") from error
