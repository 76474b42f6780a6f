"""From Keras to ONNX: the graphs of the networks, without their weights, which are stored only once.

A graph is exported with weights that are whole numbers, each of them once. Where such numbers turn up among
its constants, they tell which weights belong there; `tinyclone.onnx_models` puts the true ones back.
Needs TensorFlow as the backend of Keras, tf2onnx and onnx.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import keras
import numpy as np

from tinyclone.array_files import write_arrays
from tinyclone.cloner import Cloner
from tinyclone.errors import CheckpointError
from tinyclone.vocoder import Vocoder

if TYPE_CHECKING:
    import onnx

# No constant of a network is as large, and up to 2**24 single precision has room for each whole number.
FIRST_NUMBER = 2**22
MOST_WEIGHTS = 2**24 - FIRST_NUMBER
WEIGHTS = "weights"


@dataclass(frozen=True)
class _Part:
    """One network of a model: a function of tensors, and the shape and kind of each of them."""

    function: Callable
    inputs: Sequence[tuple[str, tuple[int | None, ...], str]]


def save_graphs(model: Cloner | Vocoder, path: str | Path) -> Path:
    """Write the graphs of a model's networks, which serve any weights of the same config.

    Parameters
    ----------
    model : Cloner or Vocoder
        A built model. Its weights are put back when its graphs are written.
    path : str or Path
        A ``.npz`` file, which appears whole or not at all.

    Returns
    -------
    Path

    Raises
    ------
    CheckpointError
        If the model has too many weights.

    Notes
    -----
    Lesson: lessons/08_your_own_voice.ipynb
    """
    parts = _cloner_parts(model) if isinstance(model, Cloner) else _vocoder_parts(model)
    n_weights = sum(int(np.prod(variable.shape)) for variable in model.weights)
    if n_weights > MOST_WEIGHTS:
        raise CheckpointError(f"The model has {n_weights} weights; graphs take at most {MOST_WEIGHTS}.")
    arrays, tensors = {}, {}
    for name, part in parts.items():
        graph, sources = _weightless(model, part)
        arrays[f"{name}:graph"] = np.frombuffer(graph.SerializeToString(), np.uint8)
        places = [indices.ravel() for _, indices in sources]
        # Neighbours mostly come from neighbours, so that differences are packed into almost nothing.
        arrays[f"{name}:sources"] = np.diff(np.concatenate(places), prepend=0).astype(np.int32)
        tensors[name] = [[tensor, list(indices.shape)] for tensor, indices in sources]
    header = {"config": model.config.to_dict(), "tensors": tensors, "n_weights": n_weights}
    return write_arrays(path, arrays, header=header)


def _cloner_parts(cloner: Cloner) -> dict[str, _Part]:
    config = cloner.config
    voiceprint = ("voiceprint", (1, config.voiceprint_size), "float32")
    n_mels, channels = config.audio.n_mels, config.text_channels

    def draw(states, prosody, voiceprint, frame_tokens, frame_positions, frame_mask, pitch_row):
        layout = {
            "frame_tokens": frame_tokens,
            "frame_positions": frame_positions,
            "frame_mask": frame_mask,
            "pitch_row": pitch_row,
        }
        return cloner._speak(cloner.variance_adaptor.add(states, prosody), voiceprint, layout)

    return {
        "hear": _Part(
            lambda looks: cloner.reference_encoder(cloner._normalise(looks)),
            [("looks", (None, config.reference_frames, n_mels), "float32")],
        ),
        "read": _Part(
            lambda tokens, encoded: cloner._reader((tokens, encoded)),
            [("tokens", (1, None), "int32"), voiceprint],
        ),
        "draw": _Part(
            draw,
            [
                ("states", (1, None, channels), "float32"),
                ("prosody", (1, None, 3), "float32"),
                voiceprint,
                ("frame_tokens", (1, None), "int32"),
                ("frame_positions", (1, None, 3), "float32"),
                ("frame_mask", (1, None), "float32"),
                ("pitch_row", (1, None), "int32"),
            ],
        ),
    }


def _vocoder_parts(vocoder: Vocoder) -> dict[str, _Part]:
    mel = ("mel", (1, None, vocoder.config.audio.n_mels), "float32")
    mask = ("mask", (1, None, 1), "float32")
    return {
        "shape": _Part(vocoder.gains, [mel, ("log_pitch", (1, None), "float32"), mask]),
        "pitch": _Part(vocoder.pitch_scores, [mel, mask]),
    }


class PartModel(keras.Model):
    """A part as a model of its own, which Keras can export."""

    def __init__(self, owner: keras.Model, part: _Part) -> None:
        super().__init__(name="part")
        self.owner, self.function = owner, part.function

    def call(self, inputs):
        return self.function(*inputs)


def _weightless(model: keras.Model, part: _Part) -> tuple[onnx.ModelProto, list[tuple[str, np.ndarray]]]:
    """Return a graph without weights, and for each tensor that is missing the weights that it is made of.

    Weight 0 is the number 0; the others are counted from 1 through all variables of the model.
    """
    from onnx import numpy_helper

    kept = [np.array(variable) for variable in model.weights]
    try:
        exported = _exported(model, part)
    finally:
        for variable, values in zip(model.weights, kept):
            variable.assign(values)
    sources = []
    for tensor in _tensors(exported.graph):
        values = numpy_helper.to_array(tensor)
        numbers = (values > FIRST_NUMBER) & (values <= FIRST_NUMBER + MOST_WEIGHTS)
        if values.dtype != np.float32 or not numbers.any():
            continue
        whole = np.where(values == 0, 0, values.astype(np.float64) - FIRST_NUMBER)
        indices = whole.astype(np.int64)
        if not (np.array_equal(indices, whole) and indices.min() >= 0):
            raise CheckpointError(f"The tensor {tensor.name} is made of mixed weights: change the export.")
        sources.append((tensor.name, indices))
        _empty(tensor, n_bytes=values.nbytes)
    return exported, sources


def _exported(model: keras.Model, part: _Part) -> onnx.ModelProto:
    """Export a part of a model whose weights are the whole numbers after `FIRST_NUMBER`."""
    import onnx

    start = FIRST_NUMBER + 1
    for variable in model.weights:
        size = int(np.prod(variable.shape))
        variable.assign(np.arange(start, start + size, dtype=np.float32).reshape(variable.shape))
        start += size
    exported = PartModel(model, part)
    exported([np.zeros([size or 64 for size in shape], kind) for _, shape, kind in part.inputs])
    signature = [keras.InputSpec(shape=shape, dtype=kind, name=name) for name, shape, kind in part.inputs]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "part.onnx"
        exported.export(path, format="onnx", input_signature=[signature], verbose=False)
        return onnx.load(path)


def _tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    """Yield every constant of a graph and of the graphs inside it."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            if attribute.HasField("g"):
                yield from _tensors(attribute.g)


def _empty(tensor: onnx.TensorProto, *, n_bytes: int) -> None:
    """Say of a tensor that it is kept outside of the graph."""
    tensor.ClearField("raw_data")
    tensor.ClearField("float_data")
    tensor.data_location = type(tensor).EXTERNAL
    for key, value in (("location", WEIGHTS), ("offset", 0), ("length", n_bytes)):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, str(value)
