"""Weights on disk: saving a cloner in one file, loading it back, and the set that comes with the package."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tinyclone import shipped
from tinyclone.array_files import read_arrays, require_file
from tinyclone.config import AudioConfig, ClonerConfig
from tinyclone.errors import CheckpointError
from tinyclone.model_weights import assign_weights, save_model

if TYPE_CHECKING:
    from tinyclone.cloner import Cloner
    from tinyclone.mel_speaker import MelSpeaker


_loaded: dict[tuple[Callable, Path], tuple[int, Any]] = {}


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

    header = {"config": cloner.config.to_dict(), "symbols": list(SYMBOLS)}
    return save_model(path, cloner, header=header, card=card, dtype=dtype)


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
    return load_once(path, name="cloner.npz", read=_read_cloner, audio=audio)


def load_speaker(path: str | Path | None = None) -> MelSpeaker:
    """Load what speaks fastest: with onnxruntime if it is there and has graphs for the weights, or Keras.

    Parameters
    ----------
    path : str or Path, optional
        A weights file; the one that comes with the package if not given.

    Returns
    -------
    MelSpeaker
        An `tinyclone.onnx_models.OnnxCloner`, or what `load_cloner` returns. Both speak alike.

    Raises
    ------
    CheckpointError
        As `load_cloner`.

    Notes
    -----
    Lesson: lessons/08_your_own_voice.ipynb
    """
    return load_once(path, name="cloner.npz", read=_read_speaker)


def load_once(
    path: str | Path | None, *, name: str, read: Callable[[Path], Any], audio: AudioConfig | None = None
) -> Any:
    """Read a model from a file, or return the one that was read from it before.

    Parameters
    ----------
    path : str or Path, optional
        A weights file. A ``SHA256SUMS`` beside it that names it must agree with it.
    name : str
        Name of the file of the package that is read if no path is given.
    read : callable
        Makes a model with a `config` of a path.
    audio : AudioConfig, optional
        The config the weights must have been made for; the package's default one if not given.

    Raises
    ------
    CheckpointError
        If the file is missing, differs from its checksum, or was made for another audio config.

    Notes
    -----
    Lesson: lessons/00_hear_it_first.ipynb
    """
    weights_path = Path(path) if path is not None else shipped.shipped_folder() / name
    require_file(weights_path)
    key, changed_ns = (read, weights_path.resolve()), weights_path.stat().st_mtime_ns
    if key not in _loaded or _loaded[key][0] != changed_ns:
        shipped.verify_checksum(weights_path, required=path is None)
        _loaded[key] = (changed_ns, read(weights_path))
    model = _loaded[key][1]
    (audio or AudioConfig()).require_same(model.config.audio, what=f"The weights file {weights_path}")
    return model


def read_card(path: str | Path | None = None) -> dict[str, Any]:
    """Return what was written on the card of a weights file (without loading Keras)."""
    weights_path = Path(path) if path is not None else shipped.shipped_folder() / "cloner.npz"
    return dict(read_arrays(weights_path)[1]["card"])


def import_cloner_module() -> Any:
    """Import `tinyclone.cloner`, and with it Keras, without TensorFlow's messages about the machine."""
    if "tinyclone.cloner" not in sys.modules:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        with _native_messages_hidden():
            import keras

            # The first operation looks for a GPU, and TensorFlow tells what it found.
            keras.ops.zeros(1)
        # It also warns that a function is compiled for another shape: one for each length is what is wanted.
        logging.getLogger("tensorflow").setLevel(logging.ERROR)
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
    arrays, config, fingerprint = _cloner_file(path)
    cloner = import_cloner_module().Cloner(config).build_all()
    assign_weights(cloner, arrays, path=path)
    cloner.fingerprint = fingerprint
    return cloner


def _read_speaker(path: Path) -> MelSpeaker:
    from tinyclone.onnx_models import OnnxCloner, graphs_of

    arrays, config, fingerprint = _cloner_file(path)
    graphs = graphs_of("cloner", arrays, config=config)
    if graphs is None:
        return load_cloner(path, audio=config.audio)
    return OnnxCloner(config, graphs, fingerprint=fingerprint)


def _cloner_file(path: Path) -> tuple[dict[str, np.ndarray], ClonerConfig, str]:
    """Return the arrays in a cloner's file, its config and its fingerprint."""
    from tinyclone.text import SYMBOLS

    arrays, header = read_arrays(path)
    if header.get("symbols") != list(SYMBOLS):
        raise CheckpointError(
            f"{path} was trained with {len(header.get('symbols', []))} symbols that are not this version's "
            f"{len(SYMBOLS)}: token ids would mean other sounds. Use weights of this version, or train again."
        )
    return arrays, read_config(ClonerConfig, header, "config", path=path), header.get("fingerprint", "")


def read_config(kind: type, header: Mapping[str, Any], name: str, *, path: Path) -> Any:
    """Return the config in a file's header; `CheckpointError` if this version cannot use it."""
    try:
        return kind.from_dict(header[name])
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path} has a config that this version cannot use: {error}") from error
