"""The cloning model: padding, backends, shapes and what each input changes."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from made_corpus import SMALL, made_corpus
from two_backends import assert_backends_agree

from tinyclone.config import ClonerConfig
from tinyclone.errors import CheckpointError
from tinyclone.framing import frame_layout, reference_crops
from tinyclone.text import PAUSES, SYMBOLS, decode, encode


@pytest.fixture(scope="module")
def cloner():
    import keras

    from tinyclone.cloner import Cloner

    keras.utils.set_random_seed(3)
    return Cloner(SMALL).build_all()


def made_inputs(random: np.random.Generator, *, tokens: int = 9, frames: int = 30) -> dict[str, np.ndarray]:
    durations = np.full(tokens, frames // tokens)
    durations[0] += frames - durations.sum()
    layout = frame_layout(durations, n_frames=frames)
    return {
        "tokens": random.integers(1, 107, (1, tokens)).astype(np.int32),
        "prosody": random.normal(size=(1, tokens, 3)).astype(np.float32),
        "reference": random.normal(-5, 2, (1, 64, 80)).astype(np.float32),
        "pitch_row": random.integers(100, 400, (1, frames)).astype(np.int32),
        **{name: value[None] for name, value in layout.items()},
    }


def test_the_config_knows_how_many_symbols_there_are():
    assert ClonerConfig().n_symbols == len(SYMBOLS)


def test_the_model_has_two_to_four_million_parameters():
    from tinyclone.cloner import Cloner

    assert 2e6 < Cloner(ClonerConfig()).build_all().count_params() < 4e6


def test_config_survives_json_and_unknown_entries_are_named():
    import json

    config = dataclasses.replace(SMALL, dropout=0.25)
    assert ClonerConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    with pytest.raises(CheckpointError, match="colour"):
        ClonerConfig.from_dict({**config.to_dict(), "colour": "red"})


def test_padding_changes_nothing(cloner):
    inputs = made_inputs(np.random.default_rng(0))
    padded = dict(inputs)
    for name, extra in (("tokens", 7), ("prosody", 7)):
        padded[name] = np.pad(inputs[name], [(0, 0), (0, extra)] + [(0, 0)] * (inputs[name].ndim - 2))
    for name in ("frame_tokens", "frame_positions", "frame_mask", "pitch_row"):
        padded[name] = np.pad(inputs[name], [(0, 0), (0, 21)] + [(0, 0)] * (inputs[name].ndim - 2))
    plain, longer = (
        {name: np.asarray(value) for name, value in cloner(one).items()} for one in (inputs, padded)
    )
    np.testing.assert_allclose(longer["mel"][:, :30], plain["mel"], atol=2e-5)
    np.testing.assert_allclose(longer["variances"][:, :9], plain["variances"], atol=2e-5)
    assert np.all(longer["mel"][:, 30:] == 0)


def test_every_input_is_heard(cloner):
    random = np.random.default_rng(1)
    inputs = made_inputs(random)
    mel = np.asarray(cloner(inputs)["mel"])
    changes = {
        "tokens": (inputs["tokens"] % 106 + 1).astype(np.int32),
        "reference": inputs["reference"][:, ::-1] + random.normal(size=80).astype(np.float32),
        "prosody": inputs["prosody"] + 1,
        "frame_positions": inputs["frame_positions"] * 2,
        "pitch_row": inputs["pitch_row"] + 40,
    }
    for name, value in changes.items():
        changed = np.asarray(cloner({**inputs, name: value})["mel"])
        assert np.abs(changed - mel).mean() > 1e-3, f"{name} has no effect on the mel"


def test_prediction_has_a_duration_for_each_token_and_a_frame_for_each_duration(cloner):
    tokens = encode("Hello there, my friend.")
    prediction = cloner.predict_mel(tokens, cloner.voiceprint(np.full((70, 80), -5.0)))
    assert prediction.durations.shape == prediction.pitch_hz.shape == tokens.shape
    assert prediction.mel.shape == (prediction.durations.sum(), 80)
    spoken = [symbol not in PAUSES for symbol in decode(tokens)]
    assert (prediction.durations[spoken] >= 2).all()
    again = cloner.predict_mel(tokens, cloner.voiceprint(np.full((70, 80), -5.0)))
    np.testing.assert_array_equal(prediction.durations, again.durations)
    np.testing.assert_allclose(prediction.mel, again.mel, atol=1e-5)


def test_speed_and_pitch_shift_do_what_they_say():
    from tinyclone.cloner import Cloner
    from tinyclone.mel_speaker import DURATION_CORRECTION

    cloner = Cloner(SMALL).build_all()
    # Every token 8 frames, voiced, at the mean pitch.
    cloner.variance_adaptor.values.kernel.assign(np.zeros((16, 4)))
    cloner.variance_adaptor.values.bias.assign([np.log1p(8 / DURATION_CORRECTION), 0.0, 5.0, 0.0])
    tokens, voiceprint = encode("Hello there."), np.repeat([0, 1, 0], [8, 80, 80]).astype(np.float32)
    normal = cloner.predict_mel(tokens, voiceprint)
    fast = cloner.predict_mel(tokens, voiceprint, speed=2.0)
    high = cloner.predict_mel(tokens, voiceprint, pitch_shift_semitones=12)
    assert (normal.durations == 8).all() and (fast.durations == 4).all()
    np.testing.assert_allclose(normal.pitch_hz, np.exp(SMALL.pitch_mean), rtol=1e-4)
    np.testing.assert_allclose(high.pitch_hz, 2 * np.exp(SMALL.pitch_mean), rtol=1e-4)
    assert np.abs(high.mel - normal.mel).max() > 1e-4


def test_voiceprint_is_the_mean_over_looks(cloner):
    mel = np.random.default_rng(2).normal(-5, 2, (128, 80)).astype(np.float32)
    crops = [mel[:64], mel[32:96], mel[64:]]
    expected = np.mean([cloner.voiceprint(crop)[:8] for crop in crops], axis=0)
    np.testing.assert_allclose(cloner.voiceprint(mel)[:8], expected, atol=1e-5)


def test_a_voice_speaks_with_the_spectrum_of_its_recording():
    from tinyclone.cloner import Cloner
    from tinyclone.equaliser import SENTENCES, speech_frames

    cloner = Cloner(SMALL).build_all()
    # A spectrum as smooth as that of speech.
    cloner.decoder.envelope.kernel.assign(
        np.random.default_rng(0).normal(size=(16, 1)) * np.full((1, 80), 0.1)
    )
    cloner.decoder.depth.kernel.assign(np.zeros((16, 80)))
    random = np.random.default_rng(5)
    colour = np.sin(np.arange(80) / 12) - 5
    mel = (colour + random.normal(size=(300, 80)) * 0.5 + random.normal(size=(300, 1))).astype(np.float32)
    voiceprint = cloner.voiceprint(mel)
    spoken = [cloner.predict_mel(encode(sentence), voiceprint).mel for sentence in SENTENCES]
    mean = np.concatenate([speech_frames(one) for one in spoken]).mean(axis=0)
    plain = np.concatenate([voiceprint[:8], np.ones(80), np.zeros(80)]).astype(np.float32)
    before = np.concatenate([speech_frames(cloner.predict_mel(encode(one), plain).mel) for one in SENTENCES])
    heard = speech_frames(mel).mean(axis=0)
    assert np.abs(mean - heard).mean() < 0.3 * np.abs(before.mean(axis=0) - heard).mean()


def test_frame_layout_by_hand():
    layout = frame_layout(np.array([2, 0, 3]), n_frames=7)
    assert layout["frame_tokens"].tolist() == [0, 0, 2, 2, 2, 0, 0]
    assert layout["frame_mask"].tolist() == [1, 1, 1, 1, 1, 0, 0]
    expected = [[0.25, 0, 0.1], [0.75, 0.1, 0], [1 / 6, 0, 0.2], [0.5, 0.1, 0.1], [5 / 6, 0.2, 0]]
    np.testing.assert_allclose(layout["frame_positions"][:5], expected, rtol=1e-6)


@pytest.mark.parametrize("frames, crops", [(1, 1), (63, 1), (64, 1), (65, 2), (96, 2), (97, 3), (128, 3)])
def test_reference_crops_cover_the_recording(frames, crops):
    mel = np.arange(frames)[:, None] * np.ones((1, 80), np.float32)
    cut = reference_crops(mel, length=64)
    assert cut.shape == (crops, 64, 80)
    assert set(np.unique(cut)) == set(range(frames))


STEP = """
import sys
import numpy as np
import keras
sys.path.insert(0, {tests!r})
from made_corpus import SMALL, made_corpus
from tinyclone.batching import BatchSequence
from tinyclone.cloner import Cloner
from tinyclone.trainer import ClonerTrainer
import dataclasses

config = dataclasses.replace(SMALL, dropout=0.0)
features, alignments = made_corpus()
batches = BatchSequence(features, alignments, config=config, speakers=["ann", "ben"], steps=1)
inputs, targets = batches[0]
trainer = ClonerTrainer(Cloner(config), n_speakers=2)
trainer(inputs)
random = np.random.default_rng(0)
for variable in trainer.trainable_variables:
    variable.assign(random.normal(size=variable.shape) * 0.1)
trainer.compile(optimizer=keras.optimizers.SGD(0.1, clipnorm=1.0))
before = [np.array(variable) for variable in trainer.trainable_variables]
results = {{name: np.asarray(value) for name, value in trainer.predict_on_batch(inputs).items()}}
results["loss"] = np.asarray(trainer.train_on_batch(inputs, targets))
for index, variable in enumerate(trainer.trainable_variables):
    results[f"step_{{index:03d}}"] = np.asarray(variable) - before[index]
np.savez({out!r}, **results)
print(keras.backend.backend())
"""


@pytest.mark.slow
def test_tensorflow_and_jax_give_the_same_forward_pass_and_training_step(tmp_path):
    assert_backends_agree(STEP, tmp_path)


@pytest.mark.slow
def test_it_learns_one_clip_by_heart():
    import keras

    from tinyclone.batching import BatchSequence
    from tinyclone.cloner import Cloner
    from tinyclone.trainer import ClonerTrainer

    keras.utils.set_random_seed(0)
    config = dataclasses.replace(SMALL, dropout=0.0, text_channels=32, decoder_channels=32)
    features, alignments = made_corpus(speakers=("ann",))
    batches = BatchSequence(features[:2], alignments, config=config, speakers=["ann"], steps=1)
    inputs, targets = batches[0]
    trainer = ClonerTrainer(Cloner(config), n_speakers=1)
    trainer.compile(optimizer=keras.optimizers.Adam(5e-3))
    for _ in range(150):
        losses = trainer.train_on_batch(inputs, targets, return_dict=True)
        trainer.reset_metrics()
    assert losses["mel_mae"] < 0.25 and losses["duration"] < 0.02
