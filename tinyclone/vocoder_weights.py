"""The vocoder's weights in one file, and back."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tinyclone.array_files import read_arrays
from tinyclone.config import AudioConfig, VocoderConfig
from tinyclone.errors import CheckpointError
from tinyclone.model_weights import assign_weights, save_model
from tinyclone.pretrained import import_cloner_module, load_once, read_config

if TYPE_CHECKING:
    from tinyclone.vocoder import Vocoder
    from tinyclone.wave_speaker import WaveSpeaker


def save_vocoder(
    path: str | Path, vocoder: Vocoder, *, card: Mapping[str, Any] | None = None, dtype: str = "float16"
) -> Path:
    """Save a vocoder's weights and its config in one ``.npz`` file.

    Parameters
    ----------
    path : str or Path
        File to write; it appears whole or not at all.
    vocoder : Vocoder
        The model to save.
    card : mapping, optional
        What JSON can hold and a later reader should know: corpora, minutes, measured quality.
    dtype : {"float16", "float32"}

    Returns
    -------
    Path

    Notes
    -----
    Lesson: lessons/07_neural_vocoder.ipynb
    """
    return save_model(path, vocoder, header={"vocoder": vocoder.config.to_dict()}, card=card, dtype=dtype)


def load_vocoder(path: str | Path | None = None, *, audio: AudioConfig | None = None) -> Vocoder:
    """Load a vocoder saved by `save_vocoder`; without a path, the one that comes with the package.

    Parameters
    ----------
    path : str or Path, optional
        A ``SHA256SUMS`` beside it that names it must agree with it.
    audio : AudioConfig, optional
        The config of the mels that it will read; the package's default one if not given.

    Returns
    -------
    Vocoder
        Ready to speak. It stays in memory: the second call with the same file returns the same object.

    Raises
    ------
    CheckpointError
        If the file is missing, damaged, holds no vocoder, differs from its checksum, or was made for
        another config.

    Notes
    -----
    Lesson: lessons/07_neural_vocoder.ipynb
    """
    return load_once(path, name="vocoder.npz", read=_read_vocoder, audio=audio)


def load_wave_speaker(path: str | Path | None = None) -> WaveSpeaker:
    """Load what makes waves fastest: with onnxruntime if it is there and has graphs, or Keras.

    As `tinyclone.pretrained.load_speaker`, of a vocoder's weights.

    Notes
    -----
    Lesson: lessons/07_neural_vocoder.ipynb
    """
    return load_once(path, name="vocoder.npz", read=_read_wave_speaker)


def _read_vocoder(path: Path) -> Vocoder:
    arrays, config = _vocoder_file(path)
    import_cloner_module()
    from tinyclone.vocoder import Vocoder

    vocoder = Vocoder(config).build_all()
    assign_weights(vocoder, arrays, path=path)
    return vocoder


def _read_wave_speaker(path: Path) -> WaveSpeaker:
    from tinyclone.onnx_models import OnnxVocoder, graphs_of

    arrays, config = _vocoder_file(path)
    graphs = graphs_of("vocoder", arrays, config=config)
    return load_vocoder(path, audio=config.audio) if graphs is None else OnnxVocoder(config, graphs)


def _vocoder_file(path: Path) -> tuple[dict[str, np.ndarray], VocoderConfig]:
    arrays, header = read_arrays(path)
    if "vocoder" not in header:
        raise CheckpointError(
            f"{path} holds no vocoder (its header has {sorted(header)}). Give a file that save_vocoder wrote."
        )
    return arrays, read_config(VocoderConfig, header, "vocoder", path=path)
