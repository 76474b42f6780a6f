"""Tacotron 2: padding, location features by hand, losses, window, stopping, bad input, two backends."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from two_backends import assert_backends_agree

from tinyclone.errors import CheckpointError, TextError
from tinyclone.paper_batches import padded_batch
from tinyclone.papers.one_voice import Sentence

SMALL = {
    "encoder_channels": 16,
    "encoder_units": 8,
    "attention_units": 16,
    "location_filters": 4,
    "location_kernel": 7,
    "prenet_units": 16,
    "decoder_units": 24,
    "postnet_channels": 12,
}


def small_config(**changes):
    from tinyclone.papers.tacotron2 import Tacotron2Config

    return Tacotron2Config(**{**SMALL, **changes})


def small_model(**changes):
    import keras

    from tinyclone.papers.tacotron2 import Tacotron2

    keras.utils.set_random_seed(0)
    return Tacotron2(small_config(**changes)).build_all()


def made_sentences(*frames: int) -> list[Sentence]:
    chance = np.random.default_rng(0)
    return [
        Sentence(
            text="abcdefghij klmnopqrst uvwxyz"[: n_frames // 2] + ".",
            wav=np.zeros(n_frames * 256, np.float32),
            mel=chance.normal(-5, 2, size=(n_frames, 80)).astype(np.float32),
        )
        for n_frames in frames
    ]


@pytest.fixture(scope="module")
def model():
    # Without dropout, a call with a teacher says the same each time.
    return small_model(prenet_dropout=0.0)


def outputs_of(model, inputs, **settings) -> dict[str, np.ndarray]:
    return {name: np.asarray(one) for name, one in model(inputs, **settings).items()}


def test_the_whole_model_is_small_enough():
    from tinyclone.papers.tacotron2 import Tacotron2

    assert 1.2e6 < Tacotron2().build_all().count_params() < 1.6e6


def test_shapes(model):
    inputs, _ = padded_batch(made_sentences(20, 30), n_frames=32)
    outputs = outputs_of(model, inputs)
    assert outputs["before"].shape == outputs["after"].shape == (2, 32, 80)
    assert outputs["stop"].shape == (2, 16)
    assert outputs["attention"].shape == (2, 16, inputs["characters"].shape[1])
    np.testing.assert_allclose(outputs["attention"].sum(axis=-1), 1, atol=1e-5)


def test_padding_changes_nothing(model):
    sentences = made_sentences(21, 40)
    alone, targets = padded_batch(sentences[:1], n_frames=22)
    both, both_targets = padded_batch(sentences[:1] * 2, n_frames=48, n_characters=40)
    both["mel"][:, 22:] = both_targets["mel"][:, 22:] = 3.0
    short, long = outputs_of(model, alone), outputs_of(model, both)
    n_characters = alone["characters"].shape[1]
    for name in ("before", "after", "stop"):
        n_there = short[name].shape[1]
        np.testing.assert_allclose(long[name][:1, :n_there], short[name], atol=2e-5, err_msg=name)
    np.testing.assert_allclose(long["attention"][:1, :11, :n_characters], short["attention"], atol=1e-5)
    assert np.abs(long["attention"][..., n_characters:]).max() == 0
    losses = [
        float(model.compute_loss(x=x, y=y, y_pred=model(x)))
        for x, y in ((alone, targets), (both, both_targets))
    ]
    np.testing.assert_allclose(*losses, rtol=1e-4)


def test_a_step_sees_only_frames_before_it(model):
    inputs, _ = padded_batch(made_sentences(20))
    changed = {**inputs, "mel": inputs["mel"].copy()}
    changed["mel"][:, 10:] += 2.0  # frames of steps 5 and later
    one, other = outputs_of(model, inputs), outputs_of(model, changed)
    np.testing.assert_array_equal(one["before"][:, :12], other["before"][:, :12])  # step 5 hears frame 9
    assert np.abs(one["before"][:, 12:] - other["before"][:, 12:]).max() > 1e-4


def test_only_the_last_frame_of_a_step_is_heard(model):
    inputs, _ = padded_batch(made_sentences(20))
    changed = {**inputs, "mel": inputs["mel"].copy()}
    changed["mel"][:, ::2] += 2.0
    np.testing.assert_array_equal(outputs_of(model, inputs)["stop"], outputs_of(model, changed)["stop"])


def test_location_features_are_a_convolution_and_a_dense_layer():
    import keras

    from tinyclone.papers.location_attention import LocationSensitiveAttention

    attention = LocationSensitiveAttention(6, n_filters=3, n_taps=5)
    attention.build((None, None, 8), 4)
    looked_at = np.random.default_rng(0).random((2, 9)).astype(np.float32)
    convolution = keras.layers.Conv1D(3, 5, padding="same", use_bias=False)
    convolution.build((None, None, 1))
    convolution.kernel.assign(np.asarray(attention.filters)[:, None])
    expected = np.asarray(convolution(looked_at[..., None])) @ np.asarray(attention.from_filters)
    np.testing.assert_allclose(np.asarray(attention.location_features(looked_at)), expected, atol=1e-6)


def test_one_look_by_hand():
    from tinyclone.papers.location_attention import LocationSensitiveAttention

    attention = LocationSensitiveAttention(6, n_filters=0, n_taps=5)
    attention.build((None, None, 8), 4)
    chance = np.random.default_rng(0)
    memory, query = chance.normal(size=(1, 5, 8)).astype(np.float32), np.ones((1, 4), np.float32)
    hidden = np.array([[0, 0, 0, 0, -1e9]], np.float32)
    keys = np.asarray(attention.key(memory))
    context, weights = attention.look(memory, keys, hidden, query, np.zeros((1, 5), np.float32))
    energy = np.tanh(keys[0] + query[0] @ np.asarray(attention.query.kernel)) @ np.asarray(
        attention.score.kernel
    )
    expected = np.exp(energy[:4, 0]) / np.exp(energy[:4, 0]).sum()
    np.testing.assert_allclose(np.asarray(weights)[0], [*expected, 0], atol=1e-5)
    np.testing.assert_allclose(np.asarray(context)[0], expected @ memory[0, :4], atol=1e-5)


def test_the_losses_by_hand(model):
    config = model.config
    inputs, targets = padded_batch(made_sentences(19, 10), n_frames=24)
    outputs = outputs_of(model, inputs)
    for metric in model.parts.values():
        metric.reset_state()
    total = float(model.compute_loss(x=inputs, y=targets, y_pred=outputs))
    squares, surprise, n_frames, n_steps = {"before": 0.0, "after": 0.0}, 0.0, 20 + 10, 10 + 5
    for row, steps in enumerate((10, 5)):
        for name in squares:
            error = (outputs[name][row] - targets["mel"][row])[: 2 * steps] / config.mel_std
            squares[name] += np.sum(error**2) / 80 / n_frames
        chance_to_stop = 1 / (1 + np.exp(-outputs["stop"][row].astype(np.float64)))
        surprise -= config.stop_weight * np.log(chance_to_stop[steps - 1])
        surprise -= np.sum(np.log(1 - chance_to_stop[: steps - 1]))
    parts = {name: float(metric.result()) for name, metric in model.parts.items()}
    np.testing.assert_allclose(parts["mel_before"], squares["before"], rtol=1e-4)
    np.testing.assert_allclose(parts["mel_after"], squares["after"], rtol=1e-4)
    np.testing.assert_allclose(parts["stop"], surprise / n_steps, rtol=1e-4)
    np.testing.assert_allclose(total, sum(parts.values()), rtol=1e-5)


def test_the_weight_of_guided_attention_counts():
    inputs, targets = padded_batch(made_sentences(20))
    model = small_model(guided_weight=3.0)
    total = float(model.compute_loss(x=inputs, y=targets, y_pred=model(inputs)))
    parts = {name: float(metric.result()) for name, metric in model.parts.items()}
    assert parts["guided"] > 0.05
    np.testing.assert_allclose(total, sum(parts.values()) + 2 * parts["guided"], rtol=1e-5)


def test_without_a_teacher_each_step_hears_what_it_said(model):
    spoken = model.speak("ab cd.", seed=None, longest_sec=0.2, stop_at=1.0, patience=None)
    assert not spoken.stopped
    from tinyclone.papers.characters import encode_characters

    inputs = {
        "characters": encode_characters("ab cd.")[None],
        "mel": np.zeros((1, 12, 80), np.float32),
        "frames": np.array([12]),
    }
    for _ in range(6):  # the teacher repeats what was said, step by step
        inputs["mel"] = outputs_of(model, inputs)["before"]
    outputs = outputs_of(model, inputs)
    np.testing.assert_allclose(spoken.mel, outputs["after"][0], atol=1e-3)
    np.testing.assert_allclose(spoken.alignment, outputs["attention"][0], atol=1e-4)


def test_it_stops_where_its_stop_token_says(model):
    bias = model.decoder.stop.bias
    before = np.array(bias)
    try:
        bias.assign(before + 50)
        spoken = model.speak("ab.")
        assert spoken.stopped and spoken.mel.shape == (2, 80) and spoken.alignment.shape == (1, 4)
        bias.assign(before - 50)
        spoken = model.speak("ab.", longest_sec=0.4, patience=None)
        assert not spoken.stopped and spoken.mel.shape == (24, 80)
        assert spoken.text == "ab." and spoken.mel.dtype == np.float32
    finally:
        bias.assign(before)


def test_it_loses_patience_at_the_end_mark(model):
    bias = model.decoder.stop.bias
    before = np.array(bias)
    bias.assign(before - 50)
    looked_at = model.speak("ab.", longest_sec=1, patience=None).alignment.argmax(axis=1) == 3
    runs = [looked_at[max(0, end - 2) : end + 1].sum() for end in range(len(looked_at))]
    expected = runs.index(3) + 1 if 3 in runs else len(looked_at)
    spoken = model.speak("ab.", longest_sec=1, patience=3)
    bias.assign(before)
    assert len(spoken.alignment) == expected and spoken.stopped == (3 in runs)


def test_the_seed_decides_the_dropout():
    model = small_model()
    one, again, other = (
        model.speak("ab.", seed=seed, longest_sec=0.1, stop_at=1.0, patience=None) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one.mel, again.mel)
    assert np.abs(one.mel - other.mel).max() > 1e-3


def test_a_window_keeps_attention_near():
    model = small_model()
    model.decoder.attention.score.kernel.assign(40 * np.asarray(model.decoder.attention.score.kernel))
    text = "the quick brown fox jumps over the lazy dog."
    spoken = model.speak(text, longest_sec=0.8, stop_at=1.0, patience=None, window=2)
    place = spoken.alignment.argmax(axis=1)
    assert place[0] <= 2
    assert set(np.diff(place)) <= {-1, 0, 1, 2}
    for before, weights in zip(place, spoken.alignment[1:]):
        assert weights[max(0, before - 1) : before + 3].sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    "settings", [{"longest_sec": 0.0}, {"longest_sec": -1.0}, {"window": 0}, {"patience": 0}]
)
def test_settings_out_of_range_are_refused(model, settings):
    with pytest.raises(ValueError, match=f"{[*settings][0]} = {[*settings.values()][0]}"):
        model.speak("ab.", **settings)


@pytest.mark.parametrize("text", ["", "...", "東京"])
def test_a_text_without_a_word_is_refused(model, text):
    with pytest.raises(TextError, match="can be spoken"):
        model.speak(text)


def test_frames_that_make_no_whole_steps_are_refused(model):
    inputs, _ = padded_batch(made_sentences(21))
    with pytest.raises(ValueError, match="21 frames.*frames_multiple=2"):
        model(inputs)


def test_a_config_survives_json_and_a_strange_one_is_refused():
    config = small_config(reduction_factor=3)
    values = json.loads(json.dumps(config.to_dict()))
    assert type(config).from_dict(values) == config
    with pytest.raises(CheckpointError, match="atention"):
        type(config).from_dict({**values, "atention": 3})


@pytest.mark.parametrize("change", [{"reduction_factor": 0}, {"prenet_dropout": 1.0}, {"location_kernel": 0}])
def test_a_config_that_makes_no_model_is_refused(change):
    with pytest.raises(ValueError, match=f"{[*change][0]} = "):
        small_config(**change)


def test_a_model_survives_its_file(tmp_path):
    from tinyclone.paper_training import load_paper, save_paper

    model = small_model(mel_mean=-6.0)
    path = save_paper(tmp_path / "model.npz", model, card={"minutes": 1}, dtype="float32")
    again = load_paper("tacotron2", path)
    assert again.config == model.config
    one, other = (
        each.speak("ab cd.", longest_sec=0.1, stop_at=1.0, patience=None) for each in (model, again)
    )
    np.testing.assert_array_equal(one.mel, other.mel)
    half = load_paper("tacotron2", save_paper(tmp_path / "half.npz", model))
    other = half.speak("ab cd.", longest_sec=0.1)
    assert np.abs(other.mel - one.mel).max() < 0.05
    with pytest.raises(CheckpointError, match="config that this version cannot use|hop_length"):
        changed = small_model(audio=dataclasses.replace(model.config.audio, hop_length=200))
        load_paper("tacotron2", save_paper(tmp_path / "other.npz", changed))


STEP = """
import sys
import numpy as np
import keras
sys.path.insert(0, {tests!r})
from test_papers_tacotron2 import made_sentences, small_model
from tinyclone.paper_batches import padded_batch

model = small_model(prenet_dropout=0.0, convolution_dropout=0.0)
inputs, targets = padded_batch(made_sentences(21, 40), n_frames=40)
random = np.random.default_rng(0)
for variable in model.trainable_variables:
    variable.assign(random.normal(size=variable.shape) * 0.2)
model.compile(optimizer=keras.optimizers.SGD(0.1, clipnorm=1.0))
before = [np.array(variable) for variable in model.trainable_variables]
results = {{name: np.asarray(value) for name, value in model.predict_on_batch(inputs).items()}}
spoken = model.speak("ab cd.", seed=3, longest_sec=0.4, stop_at=1.0, patience=None)
results |= {{"spoken": spoken.mel, "spoken_alignment": spoken.alignment}}
for name, value in model.train_on_batch(inputs, targets, return_dict=True).items():
    results["loss_" + name] = np.asarray(value)
for index, variable in enumerate(model.trainable_variables):
    results[f"step_{{index:03d}}"] = np.asarray(variable) - before[index]
np.savez({out!r}, **results)
print(keras.backend.backend())
"""


@pytest.mark.slow
def test_tensorflow_and_jax_give_the_same_mel_and_training_step(tmp_path):
    assert_backends_agree(STEP, tmp_path)


@pytest.mark.slow
def test_one_sentence_is_learned_and_spoken_to_its_end():
    """Of a made sentence, each character is one frame pattern: attention must find it to say it."""
    import keras

    chance = np.random.default_rng(0)
    text = "abcdefgh."
    patterns = np.repeat(chance.normal(-5.4, 2, size=(10, 80)), 4, axis=0).astype(np.float32)
    sentence = Sentence(text=text, wav=np.zeros(40 * 256, np.float32), mel=patterns)
    model = small_model(decoder_units=48, convolution_dropout=0.0)
    inputs, targets = padded_batch([sentence] * 4)
    model.compile(optimizer=keras.optimizers.Adam(5e-3, clipnorm=1.0))
    for _ in range(300):
        losses = model.train_on_batch(inputs, targets, return_dict=True)
    assert losses["mel_after"] < 0.1
    spoken = model.speak(text, longest_sec=3)
    assert spoken.stopped and abs(len(spoken.mel) - 40) <= 4
    assert spoken.report.backward_steps == 0 and spoken.report.at_end
