"""Weights on disk: saving a cloner in one file, loading it back, and the set that comes with the package."""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tinyclone.array_files import (
    GET_AGAIN,
    read_arrays,
    replace_file,
    require_file,
    write_arrays,
)
from tinyclone.config import AudioConfig
from tinyclone.errors import CheckpointError

if TYPE_CHECKING:
    import keras

    from tinyclone.cloner import Cloner

CHECKSUMS_NAME = "SHA256SUMS"
FLOAT16_LARGEST = 6.0e4

_loaded: dict[Path, tuple[int, Cloner]] = {}


def shipped_folder() -> Path:
    """Return the folder of the package that holds the shipped weights."""
    return Path(__file__).parent / "weights"


def save_cloner(
    path: str | Path, cloner: Cloner, *, card: Mapping[str, Any] | None = None, dtype: str = "float16"
) -> Path:
    """Save a cloner's weights, its config and its symbols in one ``.npz`` file.

    Parameters
    ----------
    path : str or Path
        File to write; it appears whole or not at all.
    cloner : Cloner
        The model to save.
    card : mapping, optional
        What JSON can hold and a later reader should know: corpora, minutes, measured quality.
    dtype : {"float16", "float32"}
        Half precision halves the file and changes a weight by at most 0.05 %.
        An array with values too large for it keeps single precision.

    Returns
    -------
    Path
        The file that was written.

    Notes
    -----
    Lesson: lessons/00_hear_it_first.ipynb
    """
    from tinyclone.text import SYMBOLS

    if not cloner.built:
        cloner.build_all()
    arrays = weight_arrays(cloner, dtype=dtype)
    header = {
        "config": cloner.config.to_dict(),
        "symbols": list(SYMBOLS),
        "fingerprint": fingerprint_of(arrays),
        "card": dict(card or {}),
    }
    return write_arrays(path, arrays, header=header)


def load_cloner(path: str | Path | None = None, *, audio: AudioConfig | None = None) -> Cloner:
    """Load a cloner saved by `save_cloner`; without a path, the one that comes with the package.

    Parameters
    ----------
    path : str or Path, optional
        A weights file. A ``SHA256SUMS`` beside it that names it must agree with it.
    audio : AudioConfig, optional
        The config the weights must have been made for; the package's default one if not given.

    Returns
    -------
    Cloner
        Ready to speak. It stays in memory: the second call with the same file returns the same object.

    Raises
    ------
    CheckpointError
        If the file is missing, damaged, differs from its checksum, or was made for another config.

    Notes
    -----
    Lesson: lessons/00_hear_it_first.ipynb
    """
    weights_path = Path(path) if path is not None else shipped_folder() / "cloner.npz"
    require_file(weights_path)
    key, changed_ns = weights_path.resolve(), weights_path.stat().st_mtime_ns
    if key not in _loaded or _loaded[key][0] != changed_ns:
        verify_checksum(weights_path, required=path is None)
        _loaded[key] = (changed_ns, _read_cloner(weights_path))
    cloner = _loaded[key][1]
    (audio or AudioConfig()).require_same(cloner.config.audio, what=f"The weights file {weights_path}")
    return cloner


def read_card(path: str | Path | None = None) -> dict[str, Any]:
    """Return what was written on the card of a weights file (without loading Keras)."""
    weights_path = Path(path) if path is not None else shipped_folder() / "cloner.npz"
    return dict(read_arrays(weights_path)[1]["card"])


def write_checksums(folder: str | Path, *, names: tuple[str, ...] = ("cloner.npz", "voices.npz")) -> Path:
    """Write the folder's ``SHA256SUMS``, in the format of ``sha256sum``."""
    lines = [f"{sha256(Path(folder) / name)}  {name}\n" for name in names]
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


def import_cloner_module() -> Any:
    """Import `tinyclone.cloner`, and with it Keras, without TensorFlow's messages about the machine."""
    if "tinyclone.cloner" not in sys.modules:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        with _native_messages_hidden():
            import keras

            # The first operation looks for a GPU, and TensorFlow tells what it found.
            keras.ops.zeros(1)
    from tinyclone import cloner

    return cloner


@contextmanager
def _native_messages_hidden() -> Iterator[None]:
    """Keep what C++ code writes to standard error, and show it only if the block raises.

    While it is imported, TensorFlow 2.21 heeds no setting of its own.
    """
    with tempfile.TemporaryFile() as messages:
        sys.stderr.flush()
        terminal = os.dup(2)
        os.dup2(messages.fileno(), 2)
        try:
            yield
        except BaseException:
            messages.seek(0)
            os.write(terminal, messages.read())
            raise
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)


def _read_cloner(path: Path) -> Cloner:
    from tinyclone.text import SYMBOLS

    arrays, header = read_arrays(path)
    if header.get("symbols") != list(SYMBOLS):
        raise CheckpointError(
            f"{path} was trained with {len(header.get('symbols', []))} symbols that are not this version's "
            f"{len(SYMBOLS)}: token ids would mean other sounds. Use weights of this version, or train again."
        )
    module = import_cloner_module()
    try:
        config = module.ClonerConfig.from_dict(header["config"])
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path} has a config that this version cannot use: {error}") from error
    cloner = module.Cloner(config).build_all()
    assign_weights(cloner, arrays, path=path)
    cloner.fingerprint = header.get("fingerprint", "")
    return cloner


def weight_arrays(model: keras.Model, *, dtype: str) -> dict[str, np.ndarray]:
    """Return every weight of a built model under its number and path."""
    return {
        f"{index:03d}:{variable.path}": _shrink(np.asarray(variable), dtype=dtype)
        for index, variable in enumerate(model.weights)
    }


def assign_weights(model: keras.Model, arrays: Mapping[str, np.ndarray], *, path: Path) -> None:
    """Give a built model the weights of `weight_arrays`; `CheckpointError` if they do not fit."""
    variables, names = list(model.weights), sorted(arrays)
    if len(names) != len(variables):
        raise CheckpointError(
            f"{path} holds {len(names)} arrays, but its config makes a model of {len(variables)}. "
            "Use the version of tinyclone that wrote it, or train again."
        )
    for name, variable in zip(names, variables, strict=True):
        # Keras numbers its layers per process (dense, dense_1), so only the last part of a path is stable.
        same_name = name.rsplit("/", 1)[-1].split(":")[-1] == variable.path.rsplit("/", 1)[-1]
        if not same_name or arrays[name].shape != tuple(variable.shape):
            raise CheckpointError(
                f"{path} holds {name} {arrays[name].shape} where the model has {variable.path} "
                f"{tuple(variable.shape)}. Use the version of tinyclone that wrote it, or train again."
            )
    for name, variable in zip(names, variables, strict=True):
        variable.assign(arrays[name].astype(str(variable.dtype)))


def _shrink(values: np.ndarray, *, dtype: str) -> np.ndarray:
    if not np.issubdtype(values.dtype, np.floating):
        return values
    if not np.isfinite(values).all():
        raise CheckpointError("The model holds NaN or infinite weights: train it again from an earlier save.")
    too_large = dtype == "float16" and np.abs(values).max(initial=0.0) > FLOAT16_LARGEST
    return values.astype("float32" if too_large else dtype)


def fingerprint_of(arrays: Mapping[str, np.ndarray]) -> str:
    """Return sixteen digits that change with any weight."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(arrays[name].tobytes())
    return digest.hexdigest()[:16]
