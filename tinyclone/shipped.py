"""The files that come with the package, and the checksums that say whether they are whole."""

from __future__ import annotations

import hashlib
from pathlib import Path

from tinyclone.array_files import GET_AGAIN, replace_file, require_file
from tinyclone.errors import CheckpointError

CHECKSUMS_NAME = "SHA256SUMS"
WEIGHT_SUFFIX = ".npz"


def shipped_folder() -> Path:
    """Return the folder of the package that holds the shipped weights."""
    return Path(__file__).parent / "weights"


def shipped_file(name: str) -> Path:
    """Return the path of a file of the package; `CheckpointError` if it is not what was shipped."""
    path = shipped_folder() / name
    verify_checksum(path, required=True)
    return path


def write_checksums(folder: str | Path) -> Path:
    """Write the folder's ``SHA256SUMS``, of every file that holds weights, in the format of ``sha256sum``."""
    weights = sorted(path for path in Path(folder).iterdir() if path.suffix == WEIGHT_SUFFIX)
    lines = [f"{sha256(path)}  {path.name}\n" for path in weights]
    target = Path(folder) / CHECKSUMS_NAME
    replace_file(target, "".join(lines).encode())
    return target


def verify_checksum(path: str | Path, *, required: bool = False) -> None:
    """Compare a file with the line of the ``SHA256SUMS`` beside it.

    Parameters
    ----------
    path : str or Path
        The file to check.
    required : bool
        Whether a missing line is an error too; it is for the files of the package.

    Raises
    ------
    CheckpointError
        If the checksum differs, or if there is none although one is required.
    """
    path = Path(path)
    sums_path = path.parent / CHECKSUMS_NAME
    lines = sums_path.read_text(encoding="utf-8").splitlines() if sums_path.is_file() else []
    expected = {line.split()[-1].lstrip("*"): line.split()[0] for line in lines if line.strip()}
    if path.name not in expected:
        if required:
            raise CheckpointError(
                f"{sums_path} has no checksum for {path.name}, so it cannot be trusted. {GET_AGAIN}"
            )
        return
    found = sha256(path)
    if found != expected[path.name]:
        raise CheckpointError(
            f"{path} has the SHA-256 {found[:12]}..., but {CHECKSUMS_NAME} says "
            f"{expected[path.name][:12]}...: the file was changed or damaged. {GET_AGAIN}"
        )


def sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    require_file(Path(path))
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()
