"""WaveNet: its equations, what it may hear, drawing samples with and without a memory, and its weights."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from two_backends import assert_backends_agree

from tinyclone.config import AudioConfig
from tinyclone.errors import AudioError, CheckpointError

HOP = 64  # short frames, for short tests


def small_config(**changes):
    from tinyclone.papers.wavenet import WaveNetConfig

    sizes = {
        "audio": dataclasses.replace(AudioConfig(), hop_length=HOP),
        "dilations": (1, 2, 4, 1, 2),
        "channels": 6,
        "skip_channels": 10,
        "hidden_channels": 12,
        "mel_channels": 8,
    }
    return WaveNetConfig(**{**sizes, **changes})


def small_wavenet(**changes):
    """Return a WaveNet whose weights are all random, biases too, so that nothing cancels out."""
    from tinyclone.papers.wavenet import WaveNet

    wavenet = WaveNet(small_config(**changes)).build_all()
    random = np.random.default_rng(1)
    for variable in wavenet.weights:
        variable.assign(random.normal(size=variable.shape) * 0.3)
    return wavenet


@pytest.fixture(scope="module")
def wavenet():
    return small_wavenet()


def made_mel(n_frames: int = 4, *, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(-5, 2, size=(n_frames, 80)).astype(np.float32)


def made_wav(n_frames: int = 4, *, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.3, 0.3, n_frames * HOP).astype(np.float32)


def scores_of(wavenet, wav: np.ndarray, mel: np.ndarray) -> np.ndarray:
    return np.asarray(wavenet({"wav": wav[None], "mel": mel[None]})["scores"])[0]


def gradient(function, x: np.ndarray) -> np.ndarray:
    """Return the gradient of a scalar function of a tensor, on either backend."""
    import keras

    if keras.backend.backend() == "jax":
        import jax

        return np.asarray(jax.grad(function)(x))
    import tensorflow

    tensor = tensorflow.constant(x)
    with tensorflow.GradientTape() as tape:
        tape.watch(tensor)
        value = function(tensor)
    return np.asarray(tape.gradient(value, tensor))


# ---------------------------------------------------------------------------------------------- mu-law


def test_mu_law_has_these_levels():
    from tinyclone.papers.mu_law import mu_law_encode

    numbers = np.asarray(mu_law_encode(np.array([-9.0, -1.0, -0.1, -0.001, 0.0, 0.001, 0.1, 1.0, 9.0])))
    assert numbers.dtype == np.int32
    assert numbers.tolist() == [0, 0, 52, 122, 128, 133, 203, 255, 255]


def test_every_level_is_its_own_nearest_and_quiet_levels_lie_closer():
    from tinyclone.papers.mu_law import mu_law_decode, mu_law_encode

    for levels in (256, 16):
        wav = mu_law_decode(np.arange(levels), levels=levels)
        np.testing.assert_array_equal(np.asarray(mu_law_encode(wav, levels=levels)), np.arange(levels))
        assert wav[0] == -1 and wav[-1] == 1 and wav.dtype == np.float32
        steps = np.diff(wav)
        assert np.all(np.diff(steps[levels // 2 :]) > 0) and np.all(np.diff(steps[: levels // 2]) < 0)
    assert steps[0] > 10 * steps[len(steps) // 2]


def test_a_wave_survives_its_levels(wavenet):
    wav = np.sin(np.arange(512) / 9).astype(np.float32) * 0.2
    numbers = np.asarray(wavenet.numbers_of(wav[None]))[0]
    again = wavenet.wav_of(numbers)
    noise = np.sqrt(np.mean((again - wav) ** 2) / np.mean(wav**2))
    assert noise < 0.05
    assert again.dtype == np.float32


def test_high_frequencies_are_raised_and_lowered_again():
    from tinyclone.papers.mu_law import lower_high_frequencies

    wav = made_wav()
    raised = wav - 0.9 * np.concatenate([[0], wav[:-1]])
    np.testing.assert_allclose(lower_high_frequencies(raised, emphasis=0.9), wav, atol=1e-6)


# ------------------------------------------------------------------------------------------- the network


def test_the_network_is_what_the_equations_say(wavenet):
    config, mel = wavenet.config, made_mel(2)
    heard = np.random.default_rng(3).uniform(-1, 1, 2 * HOP).astype(np.float32)
    said = [np.asarray(one) for one in wavenet.read_mel(mel[None])]
    got = np.asarray(wavenet.scores_of(heard[None], wavenet.read_mel(mel[None])))[0]

    def dense(layer, x):
        return x @ np.asarray(layer.kernel) + np.asarray(layer.bias)

    x = dense(wavenet.first, heard[:, None])
    total = 0.0
    for layer, dilation, frames in zip(wavenet.gated, config.dilations, said):
        kernel, bias = np.asarray(layer.convolution.kernel), np.asarray(layer.convolution.bias)
        seen = np.zeros((len(heard), 2 * config.channels))
        for n in range(len(heard)):
            frame, share = n // HOP, (n % HOP) / HOP
            seen[n] = bias + (1 - share) * frames[0, frame] + share * frames[0, frame + 1]
            for back in range(3):
                if n - back * dilation >= 0:
                    seen[n] += x[n - back * dilation] @ kernel[2 - back]
        content, gate = seen[:, : config.channels], seen[:, config.channels :]
        passed = np.tanh(content) / (1 + np.exp(-gate))
        total = total + dense(layer.skip, passed)
        if layer.residual is not None:
            x = x + dense(layer.residual, passed)
    expected = dense(wavenet.scores, np.maximum(dense(wavenet.hidden, np.maximum(total, 0)), 0))
    np.testing.assert_allclose(got, expected, rtol=1e-3, atol=1e-4)


def test_the_receptive_fields_of_the_papers():
    from tinyclone.papers.wavenet import WaveNetConfig

    assert WaveNetConfig().receptive_field == 253  # Tacotron 2's 12 layers
    assert WaveNetConfig(dilations=(1,) * 30).receptive_field == 61  # its 30 layers without dilation
    assert WaveNetConfig(dilations=tuple(2**one for one in range(10)), kernel_size=2).receptive_field == 1024


@pytest.mark.parametrize(
    "changes", [{}, {"kernel_size": 2}, {"dilations": (1, 2, 4, 8)}, {"dilations": (1, 4), "kernel_size": 4}]
)
def test_the_receptive_field_is_the_one_computed(changes):
    from keras import ops

    wavenet, n = small_wavenet(**changes), 3 * HOP
    said = wavenet.read_mel(made_mel()[None])
    weights = np.random.default_rng(5).normal(size=256).astype(np.float32)
    heard = np.random.default_rng(4).uniform(-1, 1, (1, 4 * HOP)).astype(np.float32)
    slope = gradient(lambda one: ops.sum(wavenet.scores_of(one, said)[0, n] * weights), heard)[0]
    measured = np.flatnonzero(slope)
    assert measured[-1] == n  # `heard` has moved on by one: this is the sample before
    assert len(measured) == n - measured[0] + 1 == wavenet.config.receptive_field


def test_no_output_depends_on_a_later_input(wavenet):
    from keras import ops

    said = wavenet.read_mel(made_mel(1)[None])
    heard = np.random.default_rng(4).uniform(-1, 1, (1, HOP)).astype(np.float32)
    weights = np.random.default_rng(5).normal(size=256).astype(np.float32)
    for n in range(0, HOP, 7):
        slope = gradient(lambda one: ops.sum(wavenet.scores_of(one, said)[0, n] * weights), heard)[0]
        assert np.all(slope[n + 1 :] == 0) and slope[n] != 0


def test_a_sample_is_predicted_from_those_before_it_alone(wavenet):
    wav, mel = made_wav(), made_mel()
    changed = wav.copy()
    changed[100:] = -changed[100:]
    before, after = scores_of(wavenet, wav, mel), scores_of(wavenet, changed, mel)
    np.testing.assert_array_equal(before[:101], after[:101])
    assert np.abs(before[101] - after[101]).max() > 1e-3


def test_a_sample_hears_its_frame_and_the_next_with_their_neighbours(wavenet):
    wav, mel = made_wav(12), made_mel(12)
    changed = mel.copy()
    changed[6] += 1.0
    moved = np.abs(scores_of(wavenet, wav, mel) - scores_of(wavenet, wav, changed)).max(axis=1)
    # Frame 6 colours what is read at frames 5 to 7; a straight line from 4 to 5 begins to feel it.
    assert np.all(moved[: 4 * HOP + 1] == 0) and np.all(moved[4 * HOP + 2 : 7 * HOP] > 0)
    reach = wavenet.config.receptive_field
    assert np.all(moved[8 * HOP + reach :] == 0)


def test_padding_changes_nothing(wavenet):
    wav, mel = made_wav(), made_mel()
    longer_mel = np.concatenate([mel, np.repeat(mel[-1:], 3, axis=0)])
    longer = scores_of(wavenet, np.concatenate([wav, made_wav(3, seed=9)]), longer_mel)
    np.testing.assert_allclose(longer[: len(wav)], scores_of(wavenet, wav, mel), rtol=1e-4, atol=1e-5)


def test_the_rows_of_a_batch_do_not_hear_each_other(wavenet):
    wavs, mels = (np.stack([make(seed=one) for one in (0, 1)]) for make in (made_wav, made_mel))
    both = np.asarray(wavenet({"wav": wavs, "mel": mels})["scores"])
    for row in (0, 1):
        np.testing.assert_allclose(both[row], scores_of(wavenet, wavs[row], mels[row]), rtol=1e-4, atol=1e-5)


def test_the_loss_is_the_surprise_of_the_recorded_samples(wavenet):
    wav, mel = made_wav(), made_mel()
    scores = scores_of(wavenet, wav, mel).astype(np.float64)
    raised = np.clip(2.0 * (wav - 0.9 * np.concatenate([[0], wav[:-1]])), -1, 1)
    companded = np.sign(raised) * np.log(1 + 255 * np.abs(raised)) / np.log(256)
    numbers = np.floor((companded + 1) / 2 * 255 + 0.5).astype(int)
    likely = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    expected = -np.log(likely[np.arange(len(wav)), numbers]).mean()
    inputs = {"wav": wav[None], "mel": mel[None]}
    loss = wavenet.compute_loss(inputs, {"wav": wav[None]}, wavenet(inputs))
    assert float(loss) == pytest.approx(expected, rel=1e-4)


# ------------------------------------------------------------------------------------------ drawing samples


def naive_numbers(wavenet, mel: np.ndarray, *, n_samples: int, seed: int, temperature: float) -> np.ndarray:
    """Run the whole network again for every sample."""
    from tinyclone.papers.sample_by_sample import choose

    said = wavenet.read_mel(mel[None])
    chances = np.random.default_rng(seed).random(len(mel) * HOP)
    numbers = np.zeros((1, len(mel) * HOP), np.int64)
    for n in range(n_samples):
        scores = np.asarray(wavenet.scores_of(wavenet.heard_before(numbers), said))[0, n]
        numbers[0, n] = choose(scores, chances[n], temperature=temperature)
    return numbers[0, :n_samples]


@pytest.mark.parametrize("changes, temperature", [({}, 1.0), ({"kernel_size": 2, "levels": 32}, 0.7)])
def test_the_memory_changes_no_sample(changes, temperature):
    wavenet, mel = small_wavenet(**changes), made_mel(2)
    numbers = naive_numbers(wavenet, mel, n_samples=100, seed=7, temperature=temperature)
    fast = wavenet.speak(mel, seed=7, temperature=temperature)
    assert fast.shape == (2 * HOP,)
    assert len(np.unique(numbers)) > 10
    np.testing.assert_array_equal(fast[:100], wavenet.wav_of(numbers))


def test_what_was_drawn_is_as_likely_as_training_says(wavenet):
    mel = made_mel(6)
    wav = wavenet.speak(mel, seed=2)
    scores = scores_of(wavenet, wav, mel).astype(np.float64)
    likely = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    numbers = np.asarray(wavenet.numbers_of(wav[None]))[0]
    found = np.log(likely[np.arange(len(wav)), numbers]).mean()
    expected = (likely * np.log(likely)).sum(axis=1).mean()
    assert found == pytest.approx(expected, abs=0.2)


def test_choosing_follows_the_probabilities():
    from tinyclone.papers.sample_by_sample import choose

    scores = np.log([0.2, 0.5, 0.3])
    chances = (np.arange(1000) + 0.5) / 1000
    drawn = np.bincount([choose(scores, one) for one in chances])
    assert drawn.tolist() == [200, 500, 300]
    colder = np.bincount([choose(scores, one, temperature=0.5) for one in chances])
    np.testing.assert_allclose(colder / 1000, np.array([0.04, 0.25, 0.09]) / 0.38, atol=1e-3)


def test_the_seed_decides_what_is_drawn_and_a_cold_wavenet_draws_the_likeliest(wavenet):
    mel = made_mel()
    np.testing.assert_array_equal(wavenet.speak(mel), wavenet.speak(mel))
    assert not np.array_equal(wavenet.speak(mel), wavenet.speak(mel, seed=1))
    cold = wavenet.speak(mel, temperature=1e-4)
    np.testing.assert_array_equal(cold, wavenet.speak(mel, temperature=1e-4, seed=1))
    numbers = np.asarray(wavenet.numbers_of(cold[None]))[0]
    np.testing.assert_array_equal(scores_of(wavenet, cold, mel).argmax(axis=1), numbers)


def test_any_number_of_frames_has_its_samples(wavenet):
    for n_frames in (1, 63, 64, 65):
        wav = wavenet.speak(made_mel(n_frames))
        assert wav.shape == (n_frames * HOP,) and wav.dtype == np.float32 and np.abs(wav).max() <= 1


# ----------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    "mel, message",
    [
        (np.zeros((80, 300)), r"shape \(80, 300\); expected \(frames, 80\)"),
        (np.zeros((0, 80)), "one frame or more"),
        (np.zeros(80), r"shape \(80,\)"),
        (np.full((9, 80), np.nan), "NaN or infinite"),
        (np.full((9, 80), -np.inf), "NaN or infinite"),
    ],
)
def test_what_is_no_mel_is_refused(wavenet, mel, message):
    with pytest.raises(AudioError, match=message):
        wavenet.speak(mel)


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan")])
def test_a_temperature_that_is_none_is_refused(wavenet, temperature):
    with pytest.raises(AudioError, match="expected a number above 0"):
        wavenet.speak(made_mel(), temperature=temperature)


def test_a_wave_of_another_length_is_refused(wavenet):
    with pytest.raises(AudioError, match="200 samples and the mel 4 frames; expected 256"):
        wavenet({"wav": made_wav()[None, :200], "mel": made_mel()[None]})


def test_a_config_survives_json_and_a_strange_one_is_refused():
    import json

    config = small_config(emphasis=0.5)
    values = json.loads(json.dumps(config.to_dict()))
    assert type(config).from_dict(values) == config
    with pytest.raises(CheckpointError, match="dilation"):
        type(config).from_dict({**values, "dilation": 3})


# ------------------------------------------------------------------------------------ files and training


def test_a_wavenet_survives_its_file(tmp_path):
    from tinyclone.paper_training import load_paper, save_paper

    wavenet, mel = small_wavenet(audio=AudioConfig()), made_mel(2)
    path = save_paper(tmp_path / "wavenet.npz", wavenet, card={"minutes": 1}, dtype="float32")
    again = load_paper("wavenet", path)
    assert again.config == wavenet.config
    np.testing.assert_array_equal(again.speak(mel), wavenet.speak(mel))
    with pytest.raises(CheckpointError, match="holds 'wavenet', expected 'tacotron'"):
        load_paper("tacotron", path)


STEP = """
import sys
import numpy as np
import keras
sys.path.insert(0, {tests!r})
from test_papers_wavenet import made_mel, made_wav, small_wavenet

wavenet = small_wavenet()
inputs = {{
    "wav": np.stack([made_wav(seed=one) for one in (0, 1)]),
    "mel": np.stack([made_mel(seed=one) for one in (0, 1)]),
}}
wavenet.compile(optimizer=keras.optimizers.SGD(0.1, clipnorm=1.0))
before = [np.array(variable) for variable in wavenet.trainable_variables]
results = {{"scores": np.asarray(wavenet.predict_on_batch(inputs)["scores"])}}
results["loss"] = np.asarray(wavenet.train_on_batch(inputs, {{"wav": inputs["wav"]}}))
for index, variable in enumerate(wavenet.trainable_variables):
    results[f"step_{{index:03d}}"] = np.asarray(variable) - before[index]
np.savez({out!r}, **results)
print(keras.backend.backend())
"""


@pytest.mark.slow
def test_tensorflow_and_jax_give_the_same_scores_and_training_step(tmp_path):
    assert_backends_agree(STEP, tmp_path)


@pytest.mark.slow
def test_one_clip_can_be_learned_by_heart():
    import keras

    from tinyclone.papers.wavenet import WaveNet

    keras.utils.set_random_seed(0)
    wavenet = WaveNet(small_config(channels=24, skip_channels=32, hidden_channels=48)).build_all()
    n_frames = 8
    phase = 2 * np.pi * np.cumsum(np.linspace(120, 260, n_frames * HOP)) / 16000
    wav = (0.2 * np.sin(phase) + 0.1 * np.sin(3 * phase)).astype(np.float32)
    inputs = {"wav": wav[None], "mel": made_mel(n_frames)[None]}
    wavenet.compile(optimizer=keras.optimizers.Adam(5e-3, clipnorm=1.0))
    first = float(wavenet.train_on_batch(inputs, {"wav": inputs["wav"]}))
    for _ in range(250):
        loss = float(wavenet.train_on_batch(inputs, {"wav": inputs["wav"]}))
    assert first == pytest.approx(np.log(256), abs=0.5)
    assert loss < 0.8


def test_the_shipped_wavenet_copies_a_sentence_that_it_never_heard():
    from tinyclone.mel import log_mel
    from tinyclone.paper_batches import WaveBatches
    from tinyclone.paper_training import load_paper
    from tinyclone.papers.one_voice import read_one_voice
    from tinyclone.pretrained import read_card
    from tinyclone.shipped import shipped_file

    path = shipped_file("papers/wavenet.npz")
    assert path.stat().st_size < 1e6 and read_card(path)["minutes"] == 111
    wavenet, held_out = load_paper("wavenet"), read_one_voice()[1]
    inputs, targets = WaveBatches(held_out, steps=1, clips=8, frames=8, seed=3)[0]
    assert float(wavenet.compute_loss(inputs, targets, wavenet(inputs))) < 3.5
    mel = held_out[0].mel[:60]
    copy = log_mel(wavenet.speak(mel))[:59]
    assert np.abs(copy - mel[:59]).mean() < 0.7
    assert np.corrcoef(copy.mean(axis=1), mel[:59].mean(axis=1))[0, 1] > 0.9
