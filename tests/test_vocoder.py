"""The vocoder: shapes, padding, pitch, bad input, size, and the same wave on TensorFlow and JAX."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from made_recordings import made_recordings, small_vocoder, small_vocoder_config
from two_backends import assert_backends_agree

from tinyclone.errors import AudioError, CheckpointError
from tinyclone.mel import log_mel
from tinyclone.pulses import sound_source


@pytest.fixture(scope="module")
def vocoder():
    return small_vocoder()


def made_inputs(n_frames: int = 24, *, seed: int = 0) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    log_pitch = 5 + 0.2 * np.sin(np.arange(n_frames) / 5).astype(np.float32)
    return {
        "mel": random.normal(-5, 1, size=(1, n_frames, 80)).astype(np.float32),
        "mask": np.ones((1, n_frames), np.float32),
        "log_pitch": log_pitch[None],
        "source": sound_source(log_pitch, random=random)[None].astype(np.float32),
    }


def padded(inputs: dict[str, np.ndarray], n_frames: int) -> dict[str, np.ndarray]:
    """Add frames that hold anything but what speech holds."""
    more = n_frames - inputs["mask"].shape[1]
    wide = {"mel": (0, 0), "source": (0, 0)}
    size = {"source": more * 256}
    return {
        name: np.pad(
            value,
            [(0, 0), (0, size.get(name, more)), *([wide[name]] if name in wide else [])],
            constant_values=0 if name == "mask" else 3,
        )
        for name, value in inputs.items()
    }


def test_the_whole_model_is_small_enough():
    from tinyclone.vocoder import Vocoder

    assert 1.2e6 < Vocoder().build_all().count_params() <= 1.5e6


def test_shapes(vocoder):
    outputs = vocoder(made_inputs())
    assert outputs["wav"].shape == (1, 23 * 256)
    assert outputs["pitch_scores"].shape == (1, 24, 65)


def test_padding_changes_nothing(vocoder):
    inputs = made_inputs()
    alone, longer = vocoder(inputs), vocoder(padded(inputs, 40))
    n_samples = alone["wav"].shape[1]
    difference = np.asarray(alone["wav"])[0] - np.asarray(longer["wav"])[0, :n_samples]
    assert np.abs(difference).max() < 1e-5 * np.abs(np.asarray(alone["wav"])).max()
    scores = np.asarray(longer["pitch_scores"])[:, :24]
    np.testing.assert_allclose(scores, np.asarray(alone["pitch_scores"]), atol=1e-5)


def test_speaking_is_what_training_hears(vocoder):
    mel = made_inputs(n_frames=50)["mel"][0]
    pitch_hz = np.full(50, 140.0)
    spoken = vocoder.speak(mel, pitch_hz=pitch_hz, seed=3)
    log_pitch = np.log(pitch_hz).astype(np.float32)
    source = sound_source(log_pitch, random=np.random.default_rng(3)).astype(np.float32)
    inputs = {
        "mel": mel[None],
        "mask": np.ones((1, 50)),
        "log_pitch": log_pitch[None],
        "source": source[None],
    }
    trained = np.asarray(vocoder({name: value.astype(np.float32) for name, value in inputs.items()})["wav"])
    assert spoken.shape == (49 * 256,)
    np.testing.assert_allclose(spoken, np.clip(trained[0], -1, 1), atol=2e-5)


def test_the_seed_decides_the_noise_and_the_pitch_the_pulses(vocoder):
    mel = made_inputs(n_frames=30)["mel"][0]
    wav = vocoder.speak(mel)
    np.testing.assert_array_equal(wav, vocoder.speak(mel))
    assert np.abs(wav - vocoder.speak(mel, seed=1)).max() > 1e-3
    low, high = (vocoder.speak(mel, pitch_hz=np.full(30, pitch_hz)) for pitch_hz in (90.0, 180.0))
    assert np.abs(low - high).max() > 1e-3


def test_an_untrained_vocoder_already_follows_the_mel():
    recordings = made_recordings()
    mel = log_mel(recordings.wav(0, hop_length=256))
    vocoder = small_vocoder()
    for reader in (vocoder.shape_reader, vocoder.pitch_reader):
        reader.exit.kernel.assign(np.zeros(reader.exit.kernel.shape))
    for offset in (0.0, -2.0):
        wav = vocoder.speak(mel[:90] + offset, pitch_hz=np.full(90, 110.0))
        again = log_mel(wav)[4:-4]
        error = again - (mel[4 : 4 + len(again)] + offset)
        assert np.abs(error[:, 8:]).mean() < 0.9
        assert abs(error[:, 8:].mean() - 0.35) < 0.35  # pulses and noise both say all of it


def test_the_shortest_mel_speaks_and_any_length_has_its_samples(vocoder):
    for n_frames in (2, 127, 128, 129):
        assert vocoder.speak(np.full((n_frames, 80), -6.0)).shape == ((n_frames - 1) * 256,)


@pytest.mark.parametrize("looks", [1, 4])
def test_other_numbers_of_looks_work_too(looks):
    vocoder = small_vocoder(looks_per_frame=looks)
    assert vocoder.config.look.n_fft == 1024 // looks
    inputs = made_inputs()
    alone, longer = (np.asarray(vocoder(one)["wav"]) for one in (inputs, padded(inputs, 32)))
    assert alone.shape == (1, 23 * 256)
    assert np.abs(alone - longer[:, : alone.shape[1]]).max() < 1e-5 * np.abs(alone).max()


@pytest.mark.parametrize(
    "mel, message",
    [
        (np.zeros((80, 300)), r"shape \(80, 300\); expected \(frames, 80\)"),
        (np.zeros((0, 80)), r"shape \(0, 80\)"),
        (np.zeros((1, 80)), "two frames or more"),
        (np.zeros(80), r"shape \(80,\)"),
        (np.full((9, 80), np.nan), "NaN or infinite"),
        (np.full((9, 80), -np.inf), "NaN or infinite"),
    ],
)
def test_what_is_no_mel_is_refused(vocoder, mel, message):
    with pytest.raises(AudioError, match=message):
        vocoder.speak(mel)


def test_a_pitch_of_another_length_is_refused(vocoder):
    with pytest.raises(AudioError, match=r"shape \(8,\); expected \(9,\)"):
        vocoder.speak(np.full((9, 80), -5.0), pitch_hz=np.full(8, 100.0))


def test_a_config_survives_json_and_a_strange_one_is_refused():
    import json

    from tinyclone.config import VocoderConfig

    config = small_vocoder_config(looks_per_frame=4)
    values = json.loads(json.dumps(config.to_dict()))
    assert VocoderConfig.from_dict(values) == config
    with pytest.raises(CheckpointError, match="chanels"):
        VocoderConfig.from_dict({**values, "chanels": 3})
    with pytest.raises(CheckpointError, match="n_ftt"):
        VocoderConfig.from_dict({**values, "audio": {**values["audio"], "n_ftt": 3}})


def test_a_block_is_a_depthwise_convolution():
    import keras

    from tinyclone.convnext import ConvNeXtBlock

    random = np.random.default_rng(0)
    x = random.normal(size=(2, 15, 6)).astype(np.float32)
    mask = np.ones((2, 15, 1), np.float32)
    block = ConvNeXtBlock(6, 12, kernel_size=7)
    block(x, mask)
    taps = random.normal(size=(7, 6)).astype(np.float32)
    block.taps.assign(taps)
    reference = keras.layers.DepthwiseConv1D(7, padding="same", use_bias=False)
    reference.build(x.shape)
    reference.kernel.assign(taps.reshape(reference.kernel.shape))
    h = block.normalisation(reference(x))
    expected = x + np.asarray(block.narrow(keras.ops.silu(block.widen(h))))
    np.testing.assert_allclose(np.asarray(block(x, mask)), expected, atol=1e-5)


STEP = """
import sys
import numpy as np
import keras
sys.path.insert(0, {tests!r})
from made_recordings import made_recordings, small_vocoder, small_vocoder_config
from tinyclone.vocoder_batches import VocoderBatches
from tinyclone.vocoder_training import VocoderTrainer

config = small_vocoder_config()
batches = VocoderBatches(made_recordings(), config=config, steps=1, clips=2, frames=33)
inputs, targets = batches[0]
trainer = VocoderTrainer(small_vocoder(), adversarial_weight=0.3)
trainer(inputs)
random = np.random.default_rng(0)
for variable in trainer.trainable_variables:
    variable.assign(random.normal(size=variable.shape) * 0.05)
trainer.compile(optimizer=keras.optimizers.SGD(0.1, clipnorm=1.0))
before = [np.array(variable) for variable in trainer.trainable_variables]
results = {{name: np.asarray(value) for name, value in trainer.predict_on_batch(inputs).items()}}
for name, value in trainer.train_on_batch(inputs, targets, return_dict=True).items():
    results["loss_" + name] = np.asarray(value)
for index, variable in enumerate(trainer.trainable_variables):
    results[f"step_{{index:03d}}"] = np.asarray(variable) - before[index]
np.savez({out!r}, **results)
print(keras.backend.backend())
"""


@pytest.mark.slow
def test_tensorflow_and_jax_give_the_same_wave_and_training_step(tmp_path):
    assert_backends_agree(STEP, tmp_path)


def test_a_vocoder_survives_its_file(tmp_path, vocoder):
    from tinyclone.vocoder_weights import load_vocoder, save_vocoder

    path = save_vocoder(tmp_path / "vocoder.npz", vocoder, card={"minutes": 3}, dtype="float32")
    again = load_vocoder(path)
    assert again.config == vocoder.config
    mel = made_inputs(n_frames=20)["mel"][0]
    np.testing.assert_array_equal(again.speak(mel), vocoder.speak(mel))
    assert load_vocoder(path) is again
    half = load_vocoder(save_vocoder(tmp_path / "half.npz", vocoder))
    assert (tmp_path / "half.npz").stat().st_size < 0.7 * path.stat().st_size
    for one, other in zip(half.weights, vocoder.weights):
        np.testing.assert_allclose(np.asarray(one), np.asarray(other), rtol=1e-3, atol=1e-6)


def test_files_that_hold_no_fitting_vocoder_are_refused(tmp_path, vocoder):
    from tinyclone.array_files import read_arrays, write_arrays
    from tinyclone.config import AudioConfig
    from tinyclone.vocoder_weights import load_vocoder, save_vocoder

    path = save_vocoder(tmp_path / "vocoder.npz", vocoder)
    arrays, header = read_arrays(path)
    with pytest.raises(CheckpointError, match=r"hop_length = 256 \(expected 200\)"):
        load_vocoder(path, audio=dataclasses.replace(AudioConfig(), hop_length=200))
    with pytest.raises(CheckpointError, match="does not exist"):
        load_vocoder(tmp_path / "none.npz")
    write_arrays(tmp_path / "cloner.npz", arrays, header={"config": header["vocoder"]})
    with pytest.raises(CheckpointError, match="holds no vocoder"):
        load_vocoder(tmp_path / "cloner.npz")
    wider = {**header["vocoder"], "channels": 24}
    write_arrays(tmp_path / "wider.npz", arrays, header={**header, "vocoder": wider})
    with pytest.raises(CheckpointError, match="where the model has"):
        load_vocoder(tmp_path / "wider.npz")
    write_arrays(tmp_path / "strange.npz", arrays, header={**header, "vocoder": {"channels": 3}})
    with pytest.raises(CheckpointError, match="config that this version cannot use"):
        load_vocoder(tmp_path / "strange.npz")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckpointError, match="truncated"):
        load_vocoder(path)
