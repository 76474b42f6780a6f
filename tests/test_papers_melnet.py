"""MelNet: what each element may see, tiers, mixtures, drawing, padding, files, and two backends."""

from __future__ import annotations

import numpy as np
import pytest
from two_backends import assert_backends_agree

from tinyclone.config import AudioConfig
from tinyclone.errors import AudioError, CheckpointError, CorpusError, TextError
from tinyclone.papers.one_voice import Sentence

N_TIERS, N_BANDS = 3, 8


def small_config(**changes):
    from tinyclone.papers.melnet import MelNetConfig

    sizes = {
        "audio": AudioConfig(n_mels=N_BANDS),
        "channels": (12, 8, 8),
        "layers": (2, 1, 1),
        "n_gaussians": 3,
        "n_bumps": 2,
    }
    return MelNetConfig(**{**sizes, **changes})


def small_melnet(**changes):
    """Return a small model whose weights are large enough for everything to matter."""
    from tinyclone.papers.melnet import MelNet

    model, chance = MelNet(small_config(**changes)).build_all(), np.random.default_rng(1)
    for variable in model.trainable_variables:
        variable.assign(chance.normal(size=variable.shape) * 0.4)
    return model


@pytest.fixture(scope="module")
def melnet():
    return small_melnet()


def made_inputs(n_frames: int = 8, *, clips: int = 2, n_characters: int = 9) -> dict[str, np.ndarray]:
    chance = np.random.default_rng(0)
    return {
        "characters": chance.integers(1, 30, size=(clips, n_characters)).astype(np.int32),
        "mel": chance.normal(-5, 2, size=(clips, n_frames, N_BANDS)).astype(np.float32),
        "frames": np.full(clips, n_frames, np.int32),
    }


def order_of_elements(n_frames: int) -> np.ndarray:
    """Return when each element of a spectrogram is drawn: by tier, then frame, then band."""
    from tinyclone.papers.multiscale import tiers_of

    places = np.arange(n_frames * N_BANDS).reshape(1, n_frames, N_BANDS)
    drawn = np.concatenate([tier.reshape(-1) for tier in tiers_of(places, N_TIERS)])
    order = np.empty(n_frames * N_BANDS, int)
    order[drawn] = np.arange(len(drawn))
    return order


def test_each_element_depends_on_those_before_it_and_on_no_other(melnet):
    tf = pytest.importorskip("tensorflow")
    n_elements = 4 * N_BANDS
    inputs = made_inputs(4, clips=1)
    # One copy of the clip for each element: the gradient of copy n is that of element n.
    copies = {name: np.repeat(value, n_elements, axis=0) for name, value in inputs.items()}
    mel = tf.constant(copies["mel"])
    with tf.GradientTape() as tape:
        tape.watch(mel)
        outputs = melnet({**copies, "mel": mel})
        # Squares, so that no two parts of a mixture cancel each other out.
        tiers = [tf.reduce_sum(outputs[f"tier_{tier + 1}"] ** 2, axis=-1) for tier in range(N_TIERS)]
        drawn = tf.concat([tf.reshape(one, [n_elements, -1]) for one in tiers], axis=1)
        own = tf.linalg.trace(drawn)
    gradient = tape.gradient(own, mel).numpy().reshape(n_elements, n_elements)
    seen = np.zeros_like(gradient)
    seen[:, order_of_elements(4)] = gradient  # both axes in the order of drawing
    assert np.all(seen[np.triu_indices(n_elements)] == 0), "an element sees itself or a later one"
    earlier = seen[np.tril_indices(n_elements, -1)]
    assert np.mean(earlier != 0) > 0.99, "an element does not see all that was drawn before it"


def test_tiers_are_split_off_and_put_back_exactly():
    from tinyclone.papers.multiscale import spectrogram_of, tiers_of

    x = np.random.default_rng(0).normal(size=(2, 12, 16)).astype(np.float32)
    tiers = tiers_of(x, 5)
    assert [one.shape[1:] for one in tiers] == [(3, 4), (3, 4), (3, 8), (6, 8), (6, 16)]
    np.testing.assert_array_equal(np.asarray(spectrogram_of(tiers)), x)
    np.testing.assert_array_equal(tiers[0], x[:, ::4, ::4])
    np.testing.assert_array_equal(tiers[1], x[:, ::4, 2::4])
    np.testing.assert_array_equal(tiers[4], x[:, 1::2])
    np.testing.assert_array_equal(np.asarray(spectrogram_of(tiers[:3])), x[:, ::2, ::2])


def test_real_frames_are_shared_out_like_the_frames_themselves():
    from tinyclone.papers.multiscale import frames_of_tiers, tiers_of

    for n_frames in range(1, 17):
        real = np.zeros((1, 16, 8))
        real[:, :n_frames] = 1
        counted = [int(tier[0, :, 0].sum()) for tier in tiers_of(real, 5)]
        assert [finer for finer, _ in frames_of_tiers(n_frames, 5)] == counted


def test_the_likelihood_is_that_of_a_mixture_of_gaussians():
    from tinyclone.papers.gaussian_mixtures import negative_log_likelihood, read_mixture

    chance = np.random.default_rng(0)
    raw, value = chance.normal(size=(5, 7, 12)).astype(np.float32), chance.normal(size=(5, 7)) * 3
    mixture = read_mixture(raw, smallest_std=0.1)
    found = np.asarray(negative_log_likelihood(value.astype(np.float32), mixture))
    means, log_stds, logits = np.split(raw.astype(np.float64), 3, axis=-1)
    weights = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    stds = 0.1 + np.exp(log_stds)
    density = np.exp(-0.5 * ((value[..., None] - means) / stds) ** 2) / (stds * np.sqrt(2 * np.pi))
    np.testing.assert_allclose(found, -np.log((weights * density).sum(axis=-1)), rtol=1e-4, atol=1e-5)


def test_a_density_adds_up_to_one_and_far_values_stay_finite():
    from tinyclone.papers.gaussian_mixtures import negative_log_likelihood, read_mixture

    raw = np.random.default_rng(1).normal(size=12).astype(np.float32)
    mixture = read_mixture(raw, smallest_std=0.1)
    grid = np.linspace(-30, 30, 60001).astype(np.float32)
    density = np.exp(-np.asarray(negative_log_likelihood(grid, mixture)))
    assert abs(density.sum() * 0.001 - 1) < 1e-3
    assert np.isfinite(np.asarray(negative_log_likelihood(np.float32([1e4]), mixture))).all()


def test_drawn_values_have_the_mixture_s_mean_and_spread():
    from tinyclone.papers.gaussian_mixtures import draw

    raw = np.array([-2.0, 3.0, np.log(0.5), np.log(0.2), np.log(0.75), np.log(0.25)])
    chance = np.random.default_rng(0)
    drawn = np.array([draw(raw, smallest_std=0.1, temperature=1.0, chance=chance) for _ in range(8000)])
    low = drawn < 1
    assert abs(low.mean() - 0.75) < 0.02
    assert abs(drawn[low].mean() + 2) < 0.05 and abs(drawn[low].std() - 0.6) < 0.03
    assert abs(drawn[~low].mean() - 3) < 0.05 and abs(drawn[~low].std() - 0.3) < 0.03
    assert draw(raw, smallest_std=0.1, temperature=0, chance=chance) == -2
    cold = np.array([draw(raw, smallest_std=0.1, temperature=0.5, chance=chance) for _ in range(4000)])
    assert abs((cold < 1).mean() - 0.9) < 0.02 and abs(cold[cold < 1].std() - 0.3) < 0.03


def test_drawing_step_by_step_is_the_whole_model_at_once(melnet):
    from tinyclone.papers.melnet_sampling import TierSampler, read_text
    from tinyclone.papers.multiscale import spectrogram_of, tiers_of

    inputs = made_inputs(8)
    inputs["characters"][1, 5:] = 0
    outputs = melnet(inputs)
    tiers = [np.asarray(one)[1] for one in tiers_of(np.asarray(melnet.normalised(inputs["mel"])), N_TIERS)]
    samplers = [TierSampler(melnet.tiers[0], memory=read_text(melnet.reader, inputs["characters"][1, :5]))]
    for number in range(2, N_TIERS + 1):
        coarser = np.asarray(spectrogram_of([one[None] for one in tiers[: number - 1]]))[0]
        samplers.append(TierSampler(melnet.tiers[number - 1], coarser=coarser))
    for number, (sampler, tier) in enumerate(zip(samplers, tiers), start=1):
        raw = np.zeros((*tier.shape, 9), np.float32)

        def choose(said, frame, band, raw=raw, tier=tier):
            raw[frame, band] = said
            return tier[frame, band]

        sampler.sample(len(tier), choose)
        np.testing.assert_allclose(raw, np.asarray(outputs[f"tier_{number}"])[1], atol=1e-5)
    alignment = np.asarray(outputs["alignment"])[1, :, :5]
    np.testing.assert_allclose(samplers[0].window.looked_at, alignment, atol=1e-5)


def test_padding_changes_nothing(melnet):
    inputs = made_inputs(8)
    inputs["frames"][1], inputs["characters"][1, 6:] = 5, 0
    longer = {
        "characters": np.pad(inputs["characters"], ((0, 0), (0, 3))),
        "mel": np.pad(inputs["mel"], ((0, 0), (0, 6), (0, 0)), constant_values=3),
        "frames": inputs["frames"],
    }
    longer["mel"][1, 5:] = -9
    outputs = [melnet(one) for one in (inputs, longer)]
    pairs = [melnet.surprises(one, said) for one, said in zip((inputs, longer), outputs)]
    for (alone, real), (padded, still_real) in zip(*pairs):
        n_frames = alone.shape[1]
        np.testing.assert_array_equal(np.asarray(still_real)[:, :n_frames], np.asarray(real))
        assert np.asarray(still_real)[:, n_frames:].sum() == 0 < np.asarray(real)[1].sum() < n_frames
        np.testing.assert_allclose(
            np.asarray(padded * still_real)[:, :n_frames], np.asarray(alone * real), atol=1e-5
        )
    losses = [float(melnet.compute_loss(one, None, said)) for one, said in zip((inputs, longer), outputs)]
    np.testing.assert_allclose(*losses, rtol=1e-5)


def test_the_loss_is_the_mean_surprise_of_each_tier_and_what_guides_the_window(melnet):
    from tinyclone.papers.multiscale import tiers_of

    inputs = made_inputs(7)
    inputs["frames"][1] = 5
    surprise = melnet.surprise(inputs)
    assert surprise.shape == (2, 7, N_BANDS)
    assert np.isnan(surprise[1, 5:]).all() and np.isfinite(surprise[1, :5]).all()
    padded = {**inputs, "mel": np.pad(inputs["mel"], ((0, 0), (0, 1), (0, 0)))}
    tiers = tiers_of(np.pad(surprise, ((0, 0), (0, 1), (0, 0)), constant_values=np.nan), N_TIERS)
    outputs = melnet(padded)
    melnet.reset_metrics()
    loss = float(melnet.compute_loss(padded, None, outputs))
    for part, tier in zip(melnet.parts, tiers):
        np.testing.assert_allclose(float(part.result()), np.nanmean(tier), rtol=1e-5)
    guided = melnet.config.guidance * float(melnet.guided.result())
    np.testing.assert_allclose(loss, sum(np.nanmean(one) for one in tiers) + guided, rtol=1e-5)


def test_finer_tiers_can_learn_from_a_cut(melnet):
    inputs = made_inputs(8)
    cut = inputs["mel"][:, 2:6]
    outputs = melnet({**inputs, "cut": cut})
    of_cut = melnet({**inputs, "mel": cut, "frames": np.int32([4, 4])})
    assert outputs["tier_1"].shape == (2, 4, 4, 9)
    for name in ("tier_2", "tier_3"):
        np.testing.assert_allclose(np.asarray(outputs[name]), np.asarray(of_cut[name]), atol=1e-6)


def test_text_decides_what_the_first_tier_expects_and_nothing_else(melnet):
    inputs = made_inputs(8, clips=1)
    other = {**inputs, "characters": inputs["characters"][:, ::-1]}
    first, second = melnet(inputs), melnet(other)
    assert np.abs(np.asarray(first["tier_1"]) - np.asarray(second["tier_1"])).max() > 1e-3
    np.testing.assert_array_equal(np.asarray(first["tier_2"]), np.asarray(second["tier_2"]))


def test_the_window_only_walks_forward_and_stays_a_distribution(melnet):
    alignment = np.asarray(melnet(made_inputs(40))["alignment"])
    assert alignment.min() >= 0 and alignment.sum(axis=-1).max() <= 1 + 1e-5
    centre = (alignment * np.arange(9)).sum(axis=-1) / np.maximum(alignment.sum(axis=-1), 1e-6)
    behind = 1 - alignment.cumsum(axis=-1)  # what lies behind each character only grows
    before = behind[:, :, :1]
    assert centre[0, 0] < centre[0, 3] and before.min() >= -1e-5


def test_it_speaks_dreams_and_refines(melnet):
    spoken = melnet.speak("Hello, my friend.", max_seconds=1.5, seed=1)
    assert spoken.mel.shape[1] == N_BANDS and spoken.mel.shape[0] == 2 * len(spoken.alignment)
    assert spoken.alignment.shape[1] == 18
    again = melnet.speak("Hello, my friend.", max_seconds=1.5, seed=1)
    np.testing.assert_array_equal(spoken.mel, again.mel)
    assert len(spoken.to_wav(n_iter=2)) == (len(spoken.mel) - 1) * 256
    dreamt = melnet.dream(0.5)
    assert dreamt.mel.shape == (32, N_BANDS) and dreamt.alignment.shape == (16, 0)
    assert dreamt.mel.min() >= np.log(1e-5) - 1e-3
    assert np.abs(dreamt.mel - melnet.dream(0.5, seed=1).mel).max() > 0.1


def test_what_is_refined_keeps_the_coarse_spectrogram(melnet):
    mel = made_inputs(8)["mel"][0]
    finer = melnet.refine(mel[::2, ::2])
    assert finer.shape == mel.shape
    np.testing.assert_allclose(finer[::2, ::2], mel[::2, ::2], atol=1e-5)
    last = melnet.refine(mel[::2], tier=3)
    np.testing.assert_allclose(last[::2], mel[::2], atol=1e-5)


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda one: one.refine(np.zeros((4, 8))), AudioError, r"shape \(4, 8\); expected \(frames, 4\)"),
        (lambda one: one.refine(np.zeros((0, 4))), AudioError, r"shape \(0, 4\)"),
        (lambda one: one.refine(np.full((4, 4), np.nan)), AudioError, "NaN or infinite"),
        (lambda one: one.refine(np.zeros((4, 4)), tier=1), ValueError, "no tier 1.*2 to 3"),
        (lambda one: one.dream(0.2, temperature=-1), ValueError, "temperature of -1"),
        (lambda one: one.speak("..."), TextError, "can be spoken"),
    ],
)
def test_what_cannot_be_drawn_is_refused(melnet, call, error, message):
    with pytest.raises(error, match=message):
        call(melnet)


def test_sizes_that_do_not_fit_are_refused():
    from tinyclone.papers.melnet import MelNet

    with pytest.raises(ValueError, match="multiple of 2 bands"):
        MelNet(small_config(audio=AudioConfig(n_mels=7)))
    with pytest.raises(ValueError, match="channels for each tier"):
        MelNet(small_config(channels=(8, 8)))


def made_sentences(*frames: int) -> list[Sentence]:
    chance = np.random.default_rng(0)
    return [
        Sentence(
            text="ab " * (n_frames // 10) + "c.",
            wav=np.zeros(n_frames * 256, np.float32),
            mel=chance.normal(-5, 2, size=(n_frames, N_BANDS)).astype(np.float32),
        )
        for n_frames in frames
    ]


def test_batches_hold_whole_sentences_their_cuts_and_some_without_text():
    from tinyclone.melnet_batches import MelNetBatches

    sentences = made_sentences(30, 41, 50, 60, 71)
    batches = MelNetBatches(sentences, steps=40, clips=4, cut_frames=12, without_text=0.3)
    silent, shapes = 0, set()
    for inputs, _ in (batches[index] for index in range(len(batches))):
        shapes.add(inputs["mel"].shape)
        assert inputs["cut"].shape == (4, 12, N_BANDS) and inputs["mel"].shape[1] % 4 == 0
        for mel, cut, frames in zip(inputs["mel"], inputs["cut"], inputs["frames"]):
            windows = np.lib.stride_tricks.sliding_window_view(mel[:frames], 12, axis=0).swapaxes(1, 2)
            assert (windows == cut).all(axis=(1, 2)).sum() == 1
        silent += (inputs["characters"].max(axis=1) == 0).sum()
    assert len(shapes) == 2 and 30 < silent < 66
    again = MelNetBatches(sentences, steps=40, clips=4, cut_frames=12, without_text=0.3)
    again.first_step = 39
    np.testing.assert_array_equal(again[0][0]["cut"], batches[39][0]["cut"])
    other = MelNetBatches(sentences, steps=40, clips=4, cut_frames=16, without_text=0.3)
    assert other.fingerprint != batches.fingerprint


@pytest.mark.parametrize("cut_frames", [32, 10])
def test_cuts_that_do_not_fit_are_refused(cut_frames):
    from tinyclone.melnet_batches import MelNetBatches

    with pytest.raises(CorpusError, match=f"cuts of {cut_frames} frames and a sentence of 30"):
        MelNetBatches(made_sentences(30), steps=1, cut_frames=cut_frames)


def test_it_survives_its_file(tmp_path):
    from tinyclone.paper_training import load_paper, save_paper

    melnet = small_melnet(audio=AudioConfig(n_mels=32))
    path = save_paper(tmp_path / "melnet.npz", melnet, dtype="float32")
    again = load_paper("melnet", path)
    assert again.config == melnet.config
    np.testing.assert_array_equal(again.dream(0.2).mel, melnet.dream(0.2).mel)
    with pytest.raises(CheckpointError, match="holds 'melnet', expected 'wavenet'"):
        load_paper("wavenet", path)


STEP = """
import sys
import numpy as np
import keras
sys.path.insert(0, {tests!r})
from test_papers_melnet import made_inputs, small_melnet

model, inputs = small_melnet(), made_inputs(8)
inputs["cut"] = inputs["mel"][:, 2:6]
on_jax = keras.backend.backend() == "jax"  # elsewhere, compiling takes longer than a step
model.compile(optimizer=keras.optimizers.SGD(0.1, clipnorm=1.0), jit_compile=on_jax)
before = [np.array(variable) for variable in model.trainable_variables]
results = {{name: np.asarray(value) for name, value in model.predict_on_batch(inputs).items()}}
for name, value in model.train_on_batch(inputs, {{"mel": inputs["mel"]}}, return_dict=True).items():
    results["loss_" + name] = np.asarray(value)
for index, variable in enumerate(model.trainable_variables):
    results[f"step_{{index:03d}}"] = np.asarray(variable) - before[index]
np.savez({out!r}, **results)
print(keras.backend.backend())
"""


@pytest.mark.slow
def test_tensorflow_and_jax_give_the_same_mixtures_and_training_step(tmp_path):
    assert_backends_agree(STEP, tmp_path)


@pytest.mark.slow
def test_one_clip_can_be_learned_by_heart():
    import keras

    from tinyclone.papers.melnet import MelNet

    keras.utils.set_random_seed(0)
    model, inputs = MelNet(small_config()).build_all(), made_inputs(16, clips=1)
    on_jax = keras.backend.backend() == "jax"
    model.compile(optimizer=keras.optimizers.Adam(1e-2, clipnorm=1.0), jit_compile=on_jax)
    losses = [float(model.train_on_batch(inputs, {"mel": inputs["mel"]})[0]) for _ in range(150)]
    # 2.1 nats for an element are what one Gaussian of the right mean and spread pays.
    assert losses[0] > 6 and losses[-1] < 3 * 0.9
