"""The two phone models against scipy, against formulas written out, and on problems with a known answer."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.special
import scipy.stats

from tinyclone.phone_models import (
    LETTER_CLASSES,
    PHONE_CLASSES,
    ConvolutionScorer,
    GaussianScorer,
    cepstra,
    level,
    phone_class,
)
from tinyclone.text import CONSONANTS, LETTERS, PAUSES, SYMBOLS, VOWELS

N_CLASSES = len(PHONE_CLASSES)


# --- classes


def test_every_symbol_but_the_padding_has_a_class():
    classes = {symbol: phone_class(symbol) for symbol in SYMBOLS[1:]}
    assert all(classes[symbol] == 0 for symbol in PAUSES)
    for phone in CONSONANTS:
        assert PHONE_CLASSES[classes[phone]] == phone
    for vowel in VOWELS:
        assert {PHONE_CLASSES[classes[f"{vowel}{stress}"]] for stress in range(3)} == {vowel}
    assert set(classes.values()) == set(range(N_CLASSES)) and N_CLASSES == 40
    with pytest.raises(ValueError):
        phone_class("_")


def test_every_letter_sounds_like_a_phone_and_the_apostrophe_like_nothing():
    assert set(LETTER_CLASSES) == set(LETTERS) - {"'"}
    assert all(PHONE_CLASSES[phone_class(letter)] == phone for letter, phone in LETTER_CLASSES.items())
    assert all(phone_class(letter) > 0 for letter in LETTER_CLASSES)
    assert phone_class("'") == 0


# --- what the models look at


def speechlike_mel(*, frames: int = 200, seed: int = 0) -> np.ndarray:
    steps = np.random.default_rng(seed).standard_normal((frames, 80))
    return np.cumsum(steps, axis=0) * 0.3 - 6


def test_cepstra_have_mean_zero_and_variance_one():
    values = cepstra(speechlike_mel())
    assert values.shape == (200, 42)
    np.testing.assert_allclose(values.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(values.std(axis=0), 1, atol=0.05)


def test_cepstra_equal_the_formula_written_out():
    mel = speechlike_mel(frames=40)
    band = np.arange(80)
    rows = [np.cos(np.pi * number * (2 * band + 1) / 160) for number in range(14)]
    static = mel @ (np.array(rows) * np.sqrt(np.where(np.arange(14) == 0, 1, 2) / 80)[:, None]).T

    def slopes(values: np.ndarray) -> np.ndarray:
        extended = np.concatenate([values[:1], values[:1], values, values[-1:], values[-1:]])
        return np.stack([np.polyfit(np.arange(5), extended[t : t + 5], 1)[0] for t in range(len(values))])

    expected = np.concatenate([static, slopes(static), slopes(slopes(static))], axis=1)
    expected = (expected - expected.mean(axis=0)) / (expected.std(axis=0) + 1e-3)
    np.testing.assert_allclose(cepstra(mel), expected, atol=1e-3)


def test_neither_loudness_nor_the_microphone_changes_what_the_models_see():
    mel = speechlike_mel()
    coloured = mel + np.linspace(-2, 3, 80)  # a factor for each band of the spectrum
    np.testing.assert_allclose(cepstra(coloured), cepstra(mel), atol=1e-3)
    np.testing.assert_allclose(level(coloured), level(mel), atol=1e-4)
    np.testing.assert_allclose(level(mel).mean(axis=0), 0, atol=1e-4)
    assert level(mel).std() == pytest.approx(1, abs=1e-2)


def test_a_constant_mel_gives_zeros_instead_of_a_division_by_zero():
    constant = np.full((5, 80), -11.5, np.float16)
    np.testing.assert_allclose(cepstra(constant), 0, atol=0.02)
    np.testing.assert_allclose(level(constant), 0, atol=0.02)


# --- Gaussians


def labelled_clouds(*, seed: int = 0) -> tuple[list[np.ndarray], list[np.ndarray], np.ndarray, np.ndarray]:
    """Return frames and labels of five classes with known means and standard deviations."""
    random = np.random.default_rng(seed)
    mean, deviation = random.normal(size=(5, 42)), random.uniform(0.5, 1.5, size=(5, 42))
    labels = [random.integers(0, 5, 4000), random.integers(0, 5, 6000)]
    frames = [mean[label] + deviation[label] * random.standard_normal((len(label), 42)) for label in labels]
    return frames, labels, mean, deviation


def test_gaussians_find_the_means_and_variances_that_the_frames_came_from():
    frames, labels, mean, deviation = labelled_clouds()
    scorer = GaussianScorer()
    scorer.fit(frames, labels)
    np.testing.assert_allclose(scorer.mean[:5], mean, atol=0.15)
    np.testing.assert_allclose(scorer.variance[:5], deviation**2, rtol=0.2, atol=0.05)


def test_gaussian_scores_are_scipys_log_densities():
    frames, labels, _, _ = labelled_clouds()
    scorer = GaussianScorer()
    scorer.fit(frames, labels)
    scored = scorer.score(frames)
    for frame in (0, 17):
        expected = scipy.stats.norm.logpdf(frames[1][frame], scorer.mean, np.sqrt(scorer.variance)).sum(
            axis=1
        )
        np.testing.assert_allclose(scored[1][frame], expected, rtol=1e-4, atol=1e-3)
    guesses = np.concatenate([score.argmax(axis=1) for score in scored])
    assert np.mean(guesses == np.concatenate(labels)) > 0.99


def test_a_class_without_frames_sounds_like_the_average_and_no_variance_collapses():
    frames = [np.random.default_rng(0).standard_normal((500, 42)), np.zeros((500, 42))]
    labels = [np.full(500, 3), np.full(500, 4)]
    scorer = GaussianScorer()
    scorer.fit(frames, labels)
    stacked = np.concatenate(frames)
    np.testing.assert_allclose(scorer.mean[7], stacked.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(scorer.variance[7], stacked.var(axis=0), rtol=1e-3)
    assert scorer.variance.shape == (N_CLASSES, 42) and scorer.variance.min() >= 0.05
    np.testing.assert_allclose(scorer.variance[4], 0.05, atol=1e-6)


# --- the network


def coloured_clip(random: np.random.Generator, *, frames: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a clip whose class, one of 0 to 3 in stretches of eight frames, shows in two of its 8 bands."""
    label = np.repeat(random.integers(0, 4, -(-frames // 8)), 8)[:frames]
    clip = 0.4 * random.standard_normal((frames, 8))
    clip[np.arange(frames), 2 * label] += 1.5
    clip[np.arange(frames), 2 * label + 1] -= 1.5
    return clip.astype(np.float32), label


@pytest.fixture(scope="module")
def trained() -> ConvolutionScorer:
    random = np.random.default_rng(0)
    clips = [coloured_clip(random, frames=150) for _ in range(20)]
    scorer = ConvolutionScorer(n_mels=8, channels=32)
    scorer.fit([clip for clip, _ in clips], [label for _, label in clips], steps=150)
    return scorer


def test_the_network_learns_a_problem_that_can_be_learned(trained):
    clips = [coloured_clip(np.random.default_rng(seed), frames=120) for seed in (1, 2)]
    scores = trained.score([clip for clip, _ in clips])
    for score, (clip, label) in zip(scores, clips):
        assert score.shape == (len(clip), N_CLASSES)
        # As on a text's own path: only the classes that occur in it are compared.
        assert np.mean(score[:, :4].argmax(axis=1) == label) > 0.95


def test_scores_are_posteriors_divided_by_a_share_of_the_prior(trained):
    assert np.exp(trained.log_prior).sum() == pytest.approx(1, abs=1e-4)
    assert trained.log_prior[:4].min() > np.log(0.15) and trained.log_prior[4:].max() < np.log(1e-3)
    (score,) = trained.score([coloured_clip(np.random.default_rng(3), frames=60)[0]])
    log_posterior = score + trained.prior_weight * trained.log_prior
    np.testing.assert_allclose(scipy.special.logsumexp(log_posterior, axis=1), 0, atol=1e-4)


def test_scores_of_a_clip_depend_neither_on_its_neighbours_nor_on_how_it_is_cut(trained):
    random = np.random.default_rng(4)
    clips = [coloured_clip(random, frames=frames)[0] for frames in (30, 2100, 70)]
    together = trained.score(clips)
    silence = np.zeros((trained.context, 8), np.float32)
    for clip, score in zip(clips, together):
        logits = np.asarray(trained.model(np.concatenate([silence, clip, silence])[None]))[0]
        posterior = scipy.special.log_softmax(logits[trained.context : -trained.context], axis=1)
        np.testing.assert_allclose(score, posterior - trained.prior_weight * trained.log_prior, atol=1e-3)
        np.testing.assert_allclose(trained.score([clip])[0], score, atol=1e-4)


def test_the_same_seed_trains_the_same_network():
    clips = [coloured_clip(np.random.default_rng(5), frames=100)]
    scores = []
    for _ in range(2):
        scorer = ConvolutionScorer(n_mels=8, channels=4, seed=7)
        scorer.fit([clips[0][0]], [clips[0][1]], steps=3)  # shorter than a window, too
        scores.append(scorer.score([clips[0][0]])[0])
    np.testing.assert_allclose(scores[0], scores[1], atol=1e-5)
