"""The shipped models run by onnxruntime: the same sound as with Keras, without the seconds that it loads.

Graphs and weights are kept apart, see `tinyclone.onnx_export`. Nothing here imports Keras.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tinyclone import shipped
from tinyclone.array_files import read_arrays
from tinyclone.config import ClonerConfig, VocoderConfig
from tinyclone.errors import CheckpointError
from tinyclone.mel_speaker import MelSpeaker
from tinyclone.wave_speaker import WaveSpeaker

if TYPE_CHECKING:
    import onnxruntime


# For models as small as these, sending every sentence to a GPU and back costs more than it saves.
PROVIDERS = ["CPUExecutionProvider"]


class OtherSizes(CheckpointError):
    """The graphs were made for a model of other sizes."""


class Graphs:
    """The networks of one model, ready to run.

    Parameters
    ----------
    path : Path
        What `tinyclone.onnx_export.save_graphs` wrote.
    weights : mapping from name to np.ndarray
        All weights of the model, sorted by name.
    config : dict
        Of the weights; the graphs must have been made for the same.

    Raises
    ------
    OtherSizes
        If the graphs were made for another config, or for another number of weights.

    Notes
    -----
    Lesson: lessons/08_your_own_voice.ipynb
    """

    def __init__(self, path: Path, weights: Mapping[str, np.ndarray], *, config: dict[str, Any]) -> None:
        self.arrays, header = read_arrays(path)
        self.tensors, self.sessions = header["tensors"], {}
        zero = np.zeros(1, np.float32)
        self.weights = np.concatenate([zero, *(weights[name].ravel() for name in sorted(weights))])
        if header["config"] != config or header["n_weights"] != len(self.weights) - 1:
            raise OtherSizes(
                f"The graphs in {path} were made for a model of other sizes than the weights have "
                f"({len(self.weights) - 1} weights; expected {header['n_weights']}). Load them with Keras."
            )

    def run(self, part: str, *inputs: np.ndarray) -> list[np.ndarray]:
        """Run one network on its inputs, in their order."""
        if part not in self.sessions:
            self.sessions[part] = self._session(part)
        session = self.sessions[part]
        names = [one.name for one in session.get_inputs()]
        return session.run(None, dict(zip(names, inputs, strict=True)))

    def _session(self, part: str) -> onnxruntime.InferenceSession:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = os.cpu_count() or 1
        options.log_severity_level = 3
        values = self.weights[np.cumsum(self.arrays[f"{part}:sources"], dtype=np.int64)]
        names, tensors, start = [], [], 0
        for name, shape in self.tensors[part]:
            size = int(np.prod(shape))
            names.append(name)
            tensors.append(values[start : start + size].reshape(shape))
            start += size
        ort_values = [onnxruntime.OrtValue.ortvalue_from_numpy(one) for one in tensors]
        options.add_external_initializers(names, ort_values)
        graph = self.arrays[f"{part}:graph"].tobytes()
        return onnxruntime.InferenceSession(graph, options, providers=PROVIDERS)


class OnnxCloner(MelSpeaker):
    """The cloner, as `tinyclone.cloner.Cloner` with the same weights but without Keras.

    Parameters
    ----------
    config : ClonerConfig
    graphs : Graphs
    fingerprint : str
        Of the weights.

    Notes
    -----
    Lesson: lessons/08_your_own_voice.ipynb
    """

    # Any shape runs as it is.
    token_step, frame_step = 1, 1

    def __init__(self, config: ClonerConfig, graphs: Graphs, *, fingerprint: str) -> None:
        self.config, self.graphs, self.fingerprint = config, graphs, fingerprint

    def hear_looks(self, looks: np.ndarray) -> np.ndarray:
        """Return what the reference encoder says of natural-log mels. (n, R, M) -> (n, V)"""
        return self.graphs.run("hear", looks.astype(np.float32))[0]

    def read_tokens(self, tokens: np.ndarray, encoded: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return states (T, C) and variances (T, 4) of padded tokens (T,) and an encoded voice (V,)."""
        states, variances = self.graphs.run("read", tokens[None], encoded[None])
        return states[0], variances[0]

    def draw_mel(
        self,
        states: np.ndarray,
        prosody: np.ndarray,
        encoded: np.ndarray,
        layout: dict[str, np.ndarray],
    ) -> np.ndarray:
        """Return the normalised mel (F, M) of states (T, C), prosody (T, 3), a voice (V,) and a layout."""
        frames = (layout[name] for name in ("frame_tokens", "frame_positions", "frame_mask", "pitch_row"))
        inputs = (one[None] for one in (states, prosody, encoded, *frames))
        return self.graphs.run("draw", *inputs)[0][0]


class OnnxVocoder(WaveSpeaker):
    """The vocoder, as `tinyclone.vocoder.Vocoder` with the same weights but without Keras.

    Parameters
    ----------
    config : VocoderConfig
    graphs : Graphs

    Notes
    -----
    Lesson: lessons/08_your_own_voice.ipynb
    """

    frame_step = 1

    def __init__(self, config: VocoderConfig, graphs: Graphs) -> None:
        self.config, self.graphs = config, graphs

    def shape_sound(
        self, mel: np.ndarray, log_pitch: np.ndarray, mask: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the gains of pulses, real and imaginary, and of noise. (F, M), (F,), (F, 1) -> (L, K)"""
        return tuple(one[0] for one in self.graphs.run("shape", mel[None], log_pitch[None], mask[None]))

    def score_pitch(self, mel: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """Return what `tinyclone.pulses.pitch_from_scores` reads. (F, M), (F, 1) -> (F, classes + 1)"""
        return self.graphs.run("pitch", mel[None], mask[None])[0][0]


def graphs_of(
    model: str, weights: Mapping[str, np.ndarray], *, config: ClonerConfig | VocoderConfig
) -> Graphs | None:
    """Return the shipped graphs of a model, or None if they or onnxruntime cannot run these weights."""
    name = f"{model}_graphs.npz"
    if not has_onnxruntime() or not (shipped.shipped_folder() / name).is_file():
        return None
    try:
        return Graphs(shipped.shipped_file(name), weights, config=config.to_dict())
    except OtherSizes:
        return None


def has_onnxruntime() -> bool:
    """Return whether onnxruntime is installed."""
    return find_spec("onnxruntime") is not None
