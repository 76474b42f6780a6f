"""The models on onnxruntime: as with Keras, without Keras, from weights that are stored once."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import numpy as np
import pytest
from made_corpus import SMALL
from made_recordings import small_vocoder

from tinyclone import onnx_models, pretrained, shipped
from tinyclone.errors import CheckpointError
from tinyclone.model_weights import weight_arrays
from tinyclone.text import encode

TOLERANCE = 1e-4


def made_reference(n_frames: int = 150) -> np.ndarray:
    """Something like a log mel."""
    return np.random.default_rng(5).normal(-5, 1.5, (n_frames, 80)).astype(np.float32)


def require_tensorflow() -> None:
    import keras

    if keras.backend.backend() != "tensorflow":
        pytest.skip("graphs are exported with TensorFlow as the backend")


# --- what comes with the package


def test_shipped_cloner_speaks_as_with_keras():
    fast, with_keras = pretrained.load_speaker(), pretrained.load_cloner()
    assert isinstance(fast, onnx_models.OnnxCloner) and fast.fingerprint == with_keras.fingerprint
    voices = [speaker.voiceprint(made_reference()) for speaker in (fast, with_keras)]
    np.testing.assert_allclose(*voices, atol=TOLERANCE)
    for text in ("Yes.", "The quick brown fox jumps over the lazy dog, and then it rests for a long while."):
        one, other = (speaker.predict_mel(encode(text), voices[0]) for speaker in (fast, with_keras))
        np.testing.assert_array_equal(one.durations, other.durations)
        np.testing.assert_allclose(one.mel, other.mel, atol=TOLERANCE)
        np.testing.assert_allclose(one.pitch_hz, other.pitch_hz, rtol=TOLERANCE)


def test_cloning_does_not_load_keras(tmp_path):
    program = """
import sys
from tinyclone.synthesis import clone
from tinyclone.voice import Voice
clone("Good morning.", Voice.named("kathleen")).save(sys.argv[1])
slow = {"keras", "tensorflow", "jax", "librosa", "matplotlib", "numba"} & set(sys.modules)
assert not slow, slow
"""
    wav = tmp_path / "morning.wav"
    subprocess.run([sys.executable, "-c", program, str(wav)], check=True)
    assert wav.stat().st_size > 10_000


# --- any other weights


@pytest.mark.slow
def test_exported_cloner_speaks_as_with_keras_and_keeps_its_weights(tmp_path):
    require_tensorflow()
    import keras

    from tinyclone.cloner import Cloner
    from tinyclone.onnx_export import save_graphs

    keras.utils.set_random_seed(2)
    cloner = Cloner(SMALL).build_all()
    before = cloner.get_weights()
    path = save_graphs(cloner, tmp_path / "graphs.npz")
    for one, other in zip(before, cloner.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    # Graphs are for any weights of their sizes, not only for those that were there at the export.
    for variable in cloner.weights:
        variable.assign(np.random.default_rng(1).normal(size=variable.shape) * 0.1)
    weights = weight_arrays(cloner, dtype="float32")
    graphs = onnx_models.Graphs(path, weights, config=SMALL.to_dict())
    fast = onnx_models.OnnxCloner(SMALL, graphs, fingerprint="")
    voices = [speaker.voiceprint(made_reference()) for speaker in (fast, cloner)]
    np.testing.assert_allclose(*voices, atol=TOLERANCE)
    one, other = (speaker.predict_mel(encode("Dogs run far."), voices[0]) for speaker in (fast, cloner))
    np.testing.assert_array_equal(one.durations, other.durations)
    np.testing.assert_allclose(one.mel, other.mel, atol=TOLERANCE)
    with pytest.raises(onnx_models.OtherSizes, match="other sizes"):
        onnx_models.Graphs(path, weights, config={**SMALL.to_dict(), "kernel_size": 7})
    with pytest.raises(onnx_models.OtherSizes, match="expected"):
        onnx_models.Graphs(path, dict(list(weights.items())[1:]), config=SMALL.to_dict())


@pytest.mark.slow
def test_exported_vocoder_speaks_as_with_keras(tmp_path):
    require_tensorflow()
    from tinyclone.onnx_export import save_graphs

    vocoder = small_vocoder()
    path = save_graphs(vocoder, tmp_path / "graphs.npz")
    weights = weight_arrays(vocoder, dtype="float32")
    graphs = onnx_models.Graphs(path, weights, config=vocoder.config.to_dict())
    fast = onnx_models.OnnxVocoder(vocoder.config, graphs)
    for n_frames in (5, 150):
        mel = made_reference(n_frames)
        np.testing.assert_allclose(fast.read_pitch(mel), vocoder.read_pitch(mel), rtol=1e-3)
        pitch_hz = np.full(n_frames, 120.0)
        one, other = (speaker.speak(mel, pitch_hz=pitch_hz) for speaker in (fast, vocoder))
        np.testing.assert_allclose(one, other, atol=TOLERANCE)


def test_weights_that_graphs_cannot_hold_are_refused(monkeypatch):
    from tinyclone import onnx_export

    monkeypatch.setattr(onnx_export, "MOST_WEIGHTS", 10)
    with pytest.raises(CheckpointError, match="at most 10"):
        onnx_export.save_graphs(small_vocoder(), "nowhere.npz")


# --- where onnxruntime cannot help


def test_weights_of_other_sizes_are_run_by_keras(tmp_path):
    from tinyclone.cloner import Cloner

    cloner = Cloner(dataclasses.replace(SMALL, decoder_channels=24)).build_all()
    path = pretrained.save_cloner(tmp_path / "small.npz", cloner)
    assert isinstance(pretrained.load_speaker(path), Cloner)


def test_without_onnxruntime_keras_speaks(monkeypatch, tmp_path):
    from tinyclone.cloner import Cloner

    monkeypatch.setattr(onnx_models, "has_onnxruntime", lambda: False)
    path = tmp_path / "copy.npz"
    path.write_bytes((shipped.shipped_folder() / "cloner.npz").read_bytes())
    assert isinstance(pretrained.load_speaker(path), Cloner)


def test_graphs_that_were_changed_are_refused(monkeypatch, tmp_path):
    for name in ("cloner.npz", "cloner_graphs.npz", "SHA256SUMS"):
        (tmp_path / name).write_bytes((shipped.shipped_folder() / name).read_bytes())
    with open(tmp_path / "cloner_graphs.npz", "ab") as graphs:
        graphs.write(b"more")
    monkeypatch.setattr(shipped, "shipped_folder", lambda: tmp_path)
    with pytest.raises(CheckpointError, match="SHA-256"):
        pretrained.load_speaker(tmp_path / "cloner.npz")
