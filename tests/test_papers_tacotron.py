"""Tacotron: attention, the loop over steps, padding, stopping, its batches, and both backends."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
import pytest
from two_backends import assert_backends_agree

from tinyclone.config import AudioConfig
from tinyclone.errors import CheckpointError, CorpusError, TextError
from tinyclone.mel import mel_filterbank
from tinyclone.papers.attention_decoding import Prenet, Spoken, follow_teacher, run_freely
from tinyclone.papers.characters import encode_characters
from tinyclone.papers.one_voice import Sentence, read_one_voice
from tinyclone.papers.tacotron import Tacotron, TacotronConfig
from tinyclone.spectrogram_batches import SpectrogramBatches, log_magnitude

TINY = {
    "embedding": 12,
    "prenet": (12, 8),
    "widest_kernel": 3,
    "bank_channels": 6,
    "highway_layers": 2,
    "encoder_cells": 6,
    "attention_units": 8,
    "attention_cells": 10,
    "decoder_cells": 12,
    "post_widest_kernel": 2,
    "post_channels": 6,
    "post_cells": 5,
    "reduction_factor": 3,
    "silent_steps": 2,
}


def tiny_tacotron(**changes) -> Tacotron:
    keras.utils.set_random_seed(0)
    return Tacotron(TacotronConfig(**{**TINY, **changes})).build_all()


@pytest.fixture(scope="module")
def model() -> Tacotron:
    return tiny_tacotron()


def made_inputs(*frames: int, n_characters: int = 9, longest: int = 18) -> dict[str, np.ndarray]:
    chance = np.random.default_rng(0)
    characters = chance.integers(1, 37, size=(len(frames), n_characters)).astype(np.int32)
    mel = chance.normal(-5, 2, size=(len(frames), longest, 80)).astype(np.float32)
    for row, length in enumerate(frames):
        mel[row, length:] = np.log(1e-5)
    return {"characters": characters, "mel": mel, "frames": np.array(frames, np.int32)}


def arrays(outputs) -> dict[str, np.ndarray]:
    return {name: np.asarray(value) for name, value in outputs.items()}


# --- what both Tacotrons share


def test_a_prenet_is_dense_layers_and_its_dropout_can_be_drawn_before():
    prenet = Prenet((6, 4), dropout=0.5)
    frames = np.random.default_rng(0).normal(size=(2, 5, 3)).astype(np.float32)
    at_once = np.asarray(prenet(frames))
    by_hand = frames
    for dense in prenet.denses:
        by_hand = np.maximum(by_hand @ np.asarray(dense.kernel) + np.asarray(dense.bias), 0)
    np.testing.assert_allclose(at_once, by_hand, atol=1e-5)
    whole = [mask[0] for mask in prenet.draw_masks(1, seed=None)]
    np.testing.assert_allclose(prenet.with_masks(frames[:, 2], whole), at_once[:, 2], atol=1e-6)
    masks = prenet.draw_masks(400, seed=3)
    assert [mask.shape for mask in masks] == [(400, 6), (400, 4)]
    assert set(np.unique(masks[0])) == {0.0, 2.0} and 0.45 < np.mean(masks[0] == 0) < 0.55
    np.testing.assert_array_equal(masks[1], prenet.draw_masks(400, seed=3)[1])
    assert np.any(masks[1] != prenet.draw_masks(400, seed=4)[1])


def running_sum(state, x):
    total = state[0] + x
    return [total], {"frames": total, "double": 2 * x[:, :1]}


def test_a_teacher_is_followed_step_by_step_and_outputs_may_have_any_shape():
    inputs = np.random.default_rng(0).normal(size=(2, 7, 4)).astype(np.float32)
    outputs = arrays(follow_teacher(running_sum, [np.zeros((2, 4), np.float32)], inputs))
    np.testing.assert_allclose(outputs["frames"], np.cumsum(inputs, axis=1), atol=1e-5)
    np.testing.assert_allclose(outputs["double"], 2 * inputs[:, :, :1], atol=1e-6)


def test_without_a_teacher_it_hears_itself_until_it_stops_or_has_to():
    prenet = Prenet((2,), dropout=0.0)
    prenet.build((None, 2))
    prenet.denses[0].kernel.assign(2 * np.eye(2))
    settings = {
        "prenet": prenet,
        "first_frame": np.ones((1, 2), np.float32),
        "next_frame": lambda outputs: outputs["frames"],
        "max_steps": 4,
        "seed": None,
    }

    def step(state, x):
        return state, {"frames": x}

    outputs, stopped = run_freely(step, [], is_last=lambda one: one["frames"][0] >= 8, **settings)
    np.testing.assert_array_equal(outputs["frames"][:, 0], [2, 4, 8])
    assert stopped
    outputs, stopped = run_freely(step, [], is_last=lambda one: False, **settings)
    assert len(outputs["frames"]) == 4 and not stopped


def test_sharpened_magnitudes_are_as_loud_as_before():
    sentence = read_one_voice()[0][0]
    spoken = Spoken("a", sentence.mel, np.eye(4), True, AudioConfig(), log_magnitude(sentence))
    plain, sharp = (dataclasses.replace(spoken, sharpening=power).to_wav(n_iter=8) for power in (1.0, 1.3))
    assert len(plain) == len(sharp) == 256 * (len(sentence.mel) - 1)
    assert np.std(sharp) == pytest.approx(np.std(plain), rel=0.15)
    assert np.abs(sharp - plain).max() > 0.01
    of_mel = dataclasses.replace(spoken, log_magnitude=None).to_wav(n_iter=8)
    assert len(of_mel) == len(plain) and spoken.report.is_diagonal


# --- the model


def test_the_whole_model_has_the_size_of_its_card():
    assert 1.9e6 < Tacotron().build_all().count_params() < 2.2e6


def test_shapes_and_attention(model):
    outputs = arrays(model(made_inputs(18, 10)))
    assert outputs["mel"].shape == (2, 18, 80)
    assert outputs["linear"].shape == (2, 18, 513)
    assert outputs["alignment"].shape == (2, 6, 9)
    np.testing.assert_allclose(outputs["alignment"].sum(axis=-1), 1, atol=1e-5)


def test_attention_compares_by_content(model):
    chance = np.random.default_rng(0)
    query = chance.normal(size=(2, 10)).astype(np.float32)
    keys = chance.normal(size=(2, 5, 8)).astype(np.float32)
    mask = np.array([[True] * 5, [True] * 3 + [False] * 2])
    found = np.asarray(model.attend(query, keys, mask))
    weight, bias = (np.asarray(one) for one in model.query.weights)
    scores = np.tanh(keys + (query @ weight + bias)[:, None]) @ np.asarray(model.score.kernel)[:, 0]
    scores[~mask] = -np.inf
    expected = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    # The place of a character is nothing to it: characters that change places change weights.
    turned = np.asarray(model.attend(query, keys[:, ::-1], mask[:, ::-1]))
    np.testing.assert_allclose(turned, found[:, ::-1], atol=1e-6)


def test_a_step_knows_only_the_frames_before_it(model):
    inputs = made_inputs(18)
    changed = {**inputs, "mel": inputs["mel"].copy()}
    changed["mel"][:, 8] += 5  # the last frame of step 2
    before, after = arrays(model(inputs)), arrays(model(changed))
    for name, first in (("mel", 9), ("alignment", 3)):
        np.testing.assert_array_equal(before[name][:, :first], after[name][:, :first])
        assert np.abs(before[name][:, first:] - after[name][:, first:]).max() > 1e-6


def test_only_the_last_frame_of_a_step_is_told(model):
    inputs = made_inputs(18)
    changed = {**inputs, "mel": inputs["mel"].copy()}
    changed["mel"][:, [6, 7]] += 5
    before, after = arrays(model(inputs)), arrays(model(changed))
    np.testing.assert_array_equal(before["mel"], after["mel"])


def test_padding_changes_nothing(model):
    inputs = made_inputs(9)
    inputs["mel"] = inputs["mel"][:, :15]
    longer = {
        "characters": np.pad(inputs["characters"], ((0, 0), (0, 5))),
        "mel": np.pad(inputs["mel"], ((0, 0), (0, 9), (0, 0)), constant_values=3),
        "frames": inputs["frames"],
    }
    for training in (False, True):  # batch statistics must leave padding out, too
        keras.utils.set_random_seed(0)
        made = tiny_tacotron(dropout=0.0)
        alone, padded = (arrays(made(one, training=training)) for one in (inputs, longer))
        np.testing.assert_allclose(padded["mel"][:, :15], alone["mel"], atol=2e-5)
        np.testing.assert_allclose(padded["linear"][:, :15], alone["linear"], atol=2e-5)
        np.testing.assert_allclose(padded["alignment"][:, :5, :9], alone["alignment"], atol=1e-5)
        assert np.all(padded["alignment"][:, :, 9:] == 0)


def test_a_cut_gives_the_second_cbhg_those_frames_alone(model):
    inputs = made_inputs(18, 10)
    whole = arrays(model(inputs))
    cut = np.stack([np.arange(3, 11), np.arange(8, 16)]).astype(np.int32)
    outputs = arrays(model({**inputs, "cut": cut}))
    np.testing.assert_allclose(outputs["mel"], whole["mel"], atol=1e-5)
    for row, (first, last) in enumerate([(3, 11), (8, 16)]):
        # 10 frames are 4 steps, and 2 of silence: 18 frames count in both sentences
        mask = np.ones((1, 8), bool)
        alone = np.asarray(model.linear_of(whole["mel"][row : row + 1, first:last], mask))
        np.testing.assert_allclose(outputs["linear"][row], alone[0], atol=1e-5)
    every = {**inputs, "cut": np.repeat(np.arange(18, dtype=np.int32)[None], 2, axis=0)}
    np.testing.assert_allclose(arrays(model(every))["linear"], whole["linear"], atol=1e-5)
    targets = {"mel": inputs["mel"], "linear": np.zeros((2, 18, 513), np.float32)}
    losses = [float(model.compute_loss(one, targets, model(one))) for one in (inputs, every)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_the_loss_of_a_cut_leaves_out_what_lies_behind_the_silence(model):
    inputs = {**made_inputs(7, longest=24), "cut": np.arange(12, 20, dtype=np.int32)[None]}  # 15 frames count
    outputs = model(inputs)
    errors = []
    for place in (0, 2, 3, 7):
        linear = np.full((1, 8, 513), -3.0, np.float32)
        plain = float(model.compute_loss(inputs, {"mel": inputs["mel"], "linear": linear}, outputs))
        linear[:, place] = 400.0
        changed = float(model.compute_loss(inputs, {"mel": inputs["mel"], "linear": linear}, outputs))
        errors.append(changed - plain > 1e-3)
    assert errors == [True, True, False, False]


def loss_of(model, inputs, linear=0.0) -> float:
    shape = (*inputs["mel"].shape[:2], 513)
    targets = {"mel": inputs["mel"], "linear": np.full(shape, linear, np.float32)}
    return float(model.compute_loss(inputs, targets, model(inputs)))


def test_the_loss_hears_the_silence_after_a_sentence_and_nothing_behind_it(model):
    inputs = made_inputs(7, longest=24)
    errors = []
    for frame in (5, 10, 14, 15, 23):  # 7 frames are 3 steps, and 2 of silence: 15 frames
        outputs = model(inputs)
        linear = np.full((1, 24, 513), -3.0, np.float32)
        plain = float(model.compute_loss(inputs, {"mel": inputs["mel"], "linear": linear}, outputs))
        linear[:, frame] = 400.0
        changed = float(model.compute_loss(inputs, {"mel": inputs["mel"], "linear": linear}, outputs))
        errors.append(changed - plain > 1e-3)
    assert errors == [True, True, True, False, False]


def test_guided_attention_is_an_option():
    inputs = made_inputs(16, 9)
    without, guided = (tiny_tacotron(guided_attention_weight=weight) for weight in (0.0, 3.0))
    difference = loss_of(guided, inputs) - loss_of(without, inputs)
    assert difference == pytest.approx(3 * float(guided.parts["guided_attention"].result()), rel=1e-4)
    assert difference > 0.1


# --- speaking


def test_speaking_is_what_a_teacher_hears_who_repeats_it(model):
    spoken = model.speak("Two cats.", seed=None, max_steps=7)
    characters = encode_characters("Two cats.")[None]
    inputs = {"characters": characters, "mel": spoken.mel[None], "frames": np.array([15], np.int32)}
    outputs = arrays(model(inputs))
    assert spoken.text == "two cats." and spoken.mel.shape == (21, 80)
    np.testing.assert_allclose(outputs["mel"][0] * 2.1 - 5.4, spoken.mel, atol=1e-4)
    np.testing.assert_allclose(outputs["linear"][0] * 2.9 - 3.7, spoken.log_magnitude, atol=1e-4)
    np.testing.assert_allclose(outputs["alignment"][0], spoken.alignment, atol=1e-5)


def test_the_seed_decides_the_dropout(model):
    one, again, other = (model.speak("a cat", seed=seed, max_steps=5).mel for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).max() > 1e-4


def silent_tacotron(level: float) -> Tacotron:
    model = tiny_tacotron(longest_frames_per_character=3)
    model.frames_of_step.kernel.assign(np.zeros(model.frames_of_step.kernel.shape))
    model.frames_of_step.bias.assign(np.full(240, (level + 5.4) / 2.1))
    model.score.kernel.assign(np.zeros(model.score.kernel.shape))  # it looks at all characters alike
    return model


def test_it_stops_where_silence_and_the_end_of_the_text_meet():
    silent, loud = silent_tacotron(-11.4), silent_tacotron(-9.0)
    spoken = silent.speak("a")  # this text has nothing but an end
    assert spoken.stopped and spoken.mel.shape == (3, 80)
    assert not loud.speak("a", max_steps=3).stopped
    lost = silent.speak("a long cat")
    assert not lost.stopped
    assert len(lost.mel) == 3 * len(encode_characters("a long cat"))
    assert len(silent.speak("a long cat", max_steps=5).mel) == 15


@pytest.mark.parametrize("text", ["", "...", "東京"])
def test_a_text_without_a_word_is_refused(model, text):
    with pytest.raises(TextError, match="can be spoken"):
        model.speak(text)


def test_no_steps_are_refused(model):
    with pytest.raises(ValueError, match="max_steps = 0"):
        model.speak("a cat", max_steps=0)


@pytest.mark.parametrize("shape", [(1, 18, 60), (1, 17, 80)])
def test_mels_of_another_shape_are_refused(model, shape):
    inputs = {**made_inputs(10), "mel": np.zeros(shape, np.float32)}
    with pytest.raises(ValueError, match=r"a multiple of 3"):
        model(inputs)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"reduction_factor": 0}, "start at 1"),
        ({"widest_kernel": 0}, "start at 1"),
        ({"dropout": 1.0}, "dropout = 1.0"),
        ({"guided_attention_weight": -1.0}, "guided_attention_weight = -1.0"),
    ],
)
def test_sizes_that_cannot_be_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        TacotronConfig(**change)


def test_a_config_survives_json_and_a_strange_one_is_refused():
    import json

    config = TacotronConfig(**TINY)
    values = json.loads(json.dumps(config.to_dict()))
    assert TacotronConfig.from_dict(values) == config
    with pytest.raises(CheckpointError, match="prenets"):
        TacotronConfig.from_dict({**values, "prenets": 3})


# --- its batches


def test_a_linear_spectrogram_lies_under_its_mel():
    training, _ = read_one_voice()
    batches = SpectrogramBatches(training[:4], steps=1, clips=2, reduction_factor=4, silent_steps=2)
    inputs, targets = batches[0]
    assert targets["linear"].shape == (*targets["mel"].shape[:2], 513)
    assert targets["mel"].shape[1] % 4 == 0
    for mel, linear, frames in zip(targets["mel"], targets["linear"], inputs["frames"]):
        again = np.log(np.maximum(np.exp(linear[: frames - 3]) @ mel_filterbank().T, 1e-5))
        assert np.abs(again - mel[: frames - 3]).mean() < 0.02  # the last frames see beyond the cut
        assert np.all(linear[frames:] == np.float32(np.log(1e-5)))
        assert len(mel) >= -(-frames // 4) * 4 + 8  # room for the steps of silence


def test_cuts_are_frames_of_the_sentence_and_of_the_silence_after_it():
    training, _ = read_one_voice()
    settings = {"steps": 30, "clips": 2, "reduction_factor": 4, "silent_steps": 2}
    batches = SpectrogramBatches(training[:3], cut_frames=64, **settings)
    reached = 0
    for inputs, targets in (batches[index] for index in range(30)):
        assert targets["linear"].shape == (2, 64, 513) and inputs["cut"].dtype == np.int32
        for cut, mel, linear, frames in zip(
            inputs["cut"], targets["mel"], targets["linear"], inputs["frames"]
        ):
            assert np.all(np.diff(cut) == 1) and 0 <= cut[0] and cut[-1] < frames + 8
            one = next(one for one in training[:3] if np.array_equal(one.mel, mel[:frames]))
            expected = np.pad(log_magnitude(one), ((0, 8), (0, 0)), constant_values=np.log(1e-5))
            np.testing.assert_allclose(linear, expected[cut], atol=0.01)
            reached += cut[-1] >= frames
    assert reached > 0
    again = SpectrogramBatches(training[:3], cut_frames=64, **settings)[7][0]["cut"]
    np.testing.assert_array_equal(again, batches[7][0]["cut"])


@pytest.mark.parametrize("cut_frames", [0, 5000])
def test_cuts_that_do_not_fit_are_refused(cut_frames):
    settings = {"steps": 1, "reduction_factor": 4, "silent_steps": 2}
    with pytest.raises(CorpusError, match=f"cuts of {cut_frames} frames"):
        SpectrogramBatches(read_one_voice()[0][:3], cut_frames=cut_frames, **settings)


def test_batches_of_other_spectrograms_are_other_batches():
    sentences = read_one_voice()[0][:3]
    settings = {"steps": 1, "reduction_factor": 4, "silent_steps": 1}
    one, again = (SpectrogramBatches(sentences, **settings).fingerprint for _ in range(2))
    assert one == again
    for change in (
        {"reduction_factor": 5},
        {"silent_steps": 3},
        {"cut_frames": 16},
        {"audio": AudioConfig(log_floor=1e-4)},
    ):
        assert SpectrogramBatches(sentences, **{**settings, **change}).fingerprint != one


def test_no_sentences_are_refused():
    with pytest.raises(CorpusError, match="no sentences"):
        SpectrogramBatches([], steps=1, reduction_factor=4, silent_steps=2)


# --- files, backends, learning


def test_what_is_saved_speaks_the_same_when_it_is_loaded(model, tmp_path):
    from tinyclone.paper_training import load_paper, save_paper

    path = save_paper(tmp_path / "tacotron.npz", model, dtype="float32")
    loaded = load_paper("tacotron", path)
    assert loaded.config == model.config
    one, other = (each.speak("a cat", max_steps=4) for each in (model, loaded))
    np.testing.assert_allclose(one.log_magnitude, other.log_magnitude, atol=1e-5)
    with pytest.raises(CheckpointError, match="holds 'tacotron', expected 'wavenet'"):
        load_paper("wavenet", path)


STEP = """
import sys
import numpy as np
import keras
sys.path.insert(0, {tests!r})
from test_papers_tacotron import TINY, made_inputs
from tinyclone.papers.tacotron import Tacotron, TacotronConfig

model = Tacotron(TacotronConfig(**TINY, dropout=0.0)).build_all()
random = np.random.default_rng(0)
for variable in model.trainable_variables:
    variable.assign(random.normal(size=variable.shape) * 0.3)
inputs = {{**made_inputs(12, 7, longest=15), "cut": np.array([[3, 4, 5, 6], [11, 12, 13, 14]], np.int32)}}
targets = {{"mel": inputs["mel"], "linear": random.normal(-4, 2, (2, 4, 513)).astype(np.float32)}}
graph = keras.backend.backend() == "jax"  # TensorFlow runs such a small step sooner than it compiles it
model.compile(optimizer=keras.optimizers.SGD(0.1, clipnorm=1.0), jit_compile=graph)
before = [np.array(variable) for variable in model.trainable_variables]
results = {{name: np.asarray(value) for name, value in model.predict_on_batch(inputs).items()}}
results["spoken"] = model.speak("a cat", max_steps=4).log_magnitude
for name, value in model.train_on_batch(inputs, targets, return_dict=True).items():
    results[name] = np.asarray(value)
for index, variable in enumerate(model.trainable_variables):
    results[f"step {{index}}"] = np.asarray(variable) - before[index]
np.savez({out!r}, **results)
print(keras.backend.backend())
"""


def test_both_backends_make_the_same_frames_and_the_same_step(tmp_path):
    assert_backends_agree(STEP, tmp_path)


@pytest.mark.slow
def test_one_sentence_is_learned_by_heart():
    keras.utils.set_random_seed(0)
    whole = read_one_voice()[0][0]
    sentence = Sentence(whole.text[:12], whole.wav[: 45 * 256], whole.mel[:45])
    changes = {"decoder_cells": 64, "attention_cells": 64, "dropout": 0.0, "guided_attention_weight": 3.0}
    model = Tacotron(TacotronConfig(**{**TINY, **changes}))
    inputs, targets = SpectrogramBatches([sentence], steps=1, clips=1, reduction_factor=3, silent_steps=2)[0]
    model(inputs)
    model.compile(optimizer=keras.optimizers.Adam(5e-3, clipnorm=1.0), jit_compile=False)
    first = model.train_on_batch(inputs, targets, return_dict=True)
    for _ in range(120):
        model.reset_metrics()
        last = model.train_on_batch(inputs, targets, return_dict=True)
    assert float(last["mel_error"]) < 0.4 * float(first["mel_error"])
    assert float(last["guided_attention"]) < 0.5 * float(first["guided_attention"])
