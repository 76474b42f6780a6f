"""The best path against brute force, and alignments against boundaries that are known."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from tinyclone.alignment import _states, align_clip, align_corpus, best_path, flat_start
from tinyclone.audio import load_audio, normalise_loudness, trim_silence
from tinyclone.config import AudioConfig
from tinyclone.corpora import tinyvoices
from tinyclone.durations import CorpusAlignment
from tinyclone.features import Features
from tinyclone.mel import log_mel
from tinyclone.phone_models import PHONE_CLASSES, ConvolutionScorer, phone_class
from tinyclone.pitch import pitch_track
from tinyclone.text import LETTERS, PAUSES, Word, parse, word_symbols

HOP = AudioConfig().hop_length
TEXT = "The cat, whose name was Zbrnk, slept on a mat."


# --- the best path


def allowed_paths(n_frames: int, optional: np.ndarray, repeatable: np.ndarray):
    """Yield every path that the rules allow, written down from their wording."""
    n_states = len(optional)
    for path in itertools.combinations_with_replacement(range(n_states), n_frames):
        visited = set(path)
        if any(not optional[state] and state not in visited for state in range(n_states)):
            continue
        if any(path.count(state) > 1 and not repeatable[state] for state in visited):
            continue
        yield path


@pytest.mark.parametrize("seed", range(60))
def test_no_allowed_path_is_better_than_the_best_path(seed):
    random = np.random.default_rng(seed)
    n_frames, n_states = random.integers(1, 8), random.integers(1, 6)
    scores = random.normal(size=(n_frames, n_states)).astype(np.float32) * 3
    optional, repeatable = random.random(n_states) < 0.4, random.random(n_states) < 0.6
    totals = {
        path: scores[np.arange(n_frames), list(path)].sum(dtype=np.float64)
        for path in allowed_paths(n_frames, optional, repeatable)
    }
    found = best_path(scores, optional, repeatable)
    if totals:
        assert tuple(found) == max(totals, key=totals.get)
    else:
        np.testing.assert_array_equal(found, -1)


def test_the_brute_force_cases_cover_what_can_happen():
    kinds = set()
    for seed in range(60):
        random = np.random.default_rng(seed)
        n_frames, n_states = random.integers(1, 8), random.integers(1, 6)
        random.normal(size=(n_frames, n_states))
        optional, repeatable = random.random(n_states) < 0.4, random.random(n_states) < 0.6
        possible = any(True for _ in allowed_paths(n_frames, optional, repeatable))
        too_few = n_frames < (~optional).sum()
        kinds.add((possible, bool(too_few), bool(optional.any()), bool(repeatable.all())))
    assert {(False, True), (False, False), (True, False)} == {kind[:2] for kind in kinds}
    assert {kind[2:] for kind in kinds if kind[0]} == set(itertools.product((False, True), repeat=2))


def test_too_few_frames_have_no_path_and_just_enough_have_one():
    certain, once = np.zeros(5, bool), np.zeros(5, bool)
    np.testing.assert_array_equal(best_path(np.zeros((4, 5), np.float32), certain, ~once), [-1] * 4)
    np.testing.assert_array_equal(best_path(np.zeros((5, 5), np.float32), certain, once), range(5))
    np.testing.assert_array_equal(best_path(np.zeros((6, 5), np.float32), certain, once), [-1] * 6)


def test_a_long_clip_keeps_its_precision():
    truth = np.repeat(np.arange(600), 5)
    scores = np.full((3000, 600), -50.0, np.float32)
    scores[np.arange(3000), truth] = -49.9
    path = best_path(scores, np.zeros(600, bool), np.ones(600, bool))
    np.testing.assert_array_equal(path, truth)


# --- one clip


def shortest(symbols: list[str]) -> np.ndarray:
    """Return the fewest frames of each token: two for a phone, one for a letter, none for a pause."""
    return np.array([0 if phone_class(symbol) == 0 else 1 if symbol in LETTERS else 2 for symbol in symbols])


@pytest.mark.parametrize("seed", range(10))
def test_durations_fill_the_clip_and_give_every_token_its_share(seed):
    words = parse(TEXT)
    symbols = word_symbols(words)
    assert not words[5].known and words[0].known
    random = np.random.default_rng(seed)
    n_frames = int(shortest(symbols).sum()) + int(random.integers(0, 100))
    scores = random.normal(size=(n_frames, 40)).astype(np.float32)
    alignment = align_clip(scores, words)
    assert alignment.durations.dtype == np.int32 and alignment.durations.shape == (len(symbols),)
    assert alignment.durations.sum() == n_frames
    assert (alignment.durations >= shortest(symbols)).all()
    classes = np.repeat([phone_class(symbol) for symbol in symbols], alignment.durations)
    assert alignment.score == pytest.approx(scores[np.arange(n_frames), classes].mean(), abs=1e-5)


def test_a_clip_that_is_too_short_is_not_aligned():
    words = parse(TEXT)
    needed = int(shortest(word_symbols(words)).sum())
    assert align_clip(np.zeros((needed - 1, 40), np.float32), words) is None
    exact = align_clip(np.zeros((needed, 40), np.float32), words)
    np.testing.assert_array_equal(exact.durations, shortest(word_symbols(words)))


def test_planted_durations_are_found():
    words = parse(TEXT)
    symbols = word_symbols(words)
    classes = np.array([phone_class(symbol) for symbol in symbols])
    assert (classes[1:] != classes[:-1])[:-1].all()  # only "." and "$" sound the same
    random = np.random.default_rng(0)
    durations = shortest(symbols) + random.integers(0, 6, len(symbols))
    durations[-1] = 0
    labels = np.repeat(classes, durations)
    scores = random.uniform(-9, -6, size=(len(labels), 40)).astype(np.float32)
    scores[np.arange(len(labels)), labels] = -1.0
    alignment = align_clip(scores, words)
    pauses = durations[-2] + durations[-1]
    np.testing.assert_array_equal(alignment.durations[:-2], durations[:-2])
    assert alignment.durations[-2:].sum() == pauses
    assert alignment.score == pytest.approx(-1.0)


def test_a_phone_has_two_states_and_everything_else_one():
    words = [Word("a", ("AH0",), True, " "), Word("zbr", ("z", "b", "r"), False, ".")]
    states = _states(words)
    names = [PHONE_CLASSES[index] for index in states.classes]
    assert names == ["pause", "AH", "AH", "pause", "Z", "B", "R", "pause", "pause"]
    np.testing.assert_array_equal(states.tokens, [0, 1, 1, 2, 3, 4, 5, 6, 7])
    np.testing.assert_array_equal(np.flatnonzero(states.optional), [0, 3, 7, 8])
    np.testing.assert_array_equal(np.flatnonzero(~states.repeatable), [1])


def test_the_flat_start_gives_the_quiet_to_pauses_and_shares_out_the_rest():
    mel = np.full((90, 80), -10.0)
    mel[10:40] = mel[50:80] = -3.0
    classes = flat_start(mel, parse("The cat."))
    phones = [PHONE_CLASSES.index(phone) for phone in ("DH", "AH", "K", "AE", "T")]
    counts = np.bincount(classes, minlength=len(PHONE_CLASSES))
    assert counts[0] == 30 and [counts[phone] for phone in phones] == [12] * 5
    spoken = classes[classes > 0]
    np.testing.assert_array_equal(spoken, np.repeat(phones, 12))
    assert (classes[:10] == 0).all() and (classes[40:50] == 0).all() and (classes[80:] == 0).all()


def test_the_flat_start_survives_a_clip_without_any_contrast():
    np.testing.assert_array_equal(flat_start(np.full((20, 80), -5.0), parse("The cat.")), np.zeros(20))


# --- a corpus

SENTENCES = (
    "The cat sat on a mat.", "Dogs run far, fish swim deep.", "We like tea more than milk.",
    "Rain fell here, then the sun shone.", "She sells good cheese.", "My father bought a boy this toy.",
    "How now, brown cow?", "Put the book by the judge.", "Young men sing long songs.", "Five thin vans.",
)  # fmt: skip


def made_clip(
    number: int, text: str, spoken: str, random: np.random.Generator
) -> tuple[Features, np.ndarray]:
    """Return a clip in which every phone has its own spectrum, and the true durations of `spoken`."""
    spectra = np.random.default_rng(99).normal(size=(len(PHONE_CLASSES), 80))
    spectra[0] = -4.0
    symbols = word_symbols(parse(spoken))
    durations = np.array([
        0 if symbol == "$" else int(random.integers(0, 9)) if symbol in PAUSES else int(random.integers(2, 9))
        for symbol in symbols
    ])  # fmt: skip
    mel = spectra[np.repeat([phone_class(symbol) for symbol in symbols], durations)]
    mel = mel + 0.5 * random.standard_normal(mel.shape)
    words = tuple(parse(text))
    features = Features(f"clip {number}", "ann", "made", text, words, mel, np.zeros(len(mel)))
    return features, durations


def made_corpus(*, clips: int) -> tuple[list[Features], list[np.ndarray]]:
    random = np.random.default_rng(0)
    texts = [SENTENCES[number % len(SENTENCES)] for number in range(clips)]
    made = [made_clip(number, text, text, random) for number, text in enumerate(texts)]
    return [features for features, _ in made], [durations for _, durations in made]


def test_a_corpus_of_clear_phones_is_aligned_from_a_flat_start():
    features, truth = made_corpus(clips=40)
    result = align_corpus(features, classifier_rounds=0)
    assert not result.rejected and len(result.alignments) == 40
    errors = np.concatenate([
        np.abs(np.cumsum(result.alignments[one.id, "ann"].durations) - np.cumsum(durations))[:-2]
        for one, durations in zip(features, truth)
    ])  # fmt: skip
    assert np.median(errors) == 0 and np.mean(errors <= 1) > 0.95
    assert len(result.changed) == 6 and result.changed[0] > 0.3 and result.changed[-1] < 0.05


def test_a_wrong_text_and_noise_are_rejected_and_nothing_else(monkeypatch):
    monkeypatch.setattr(ConvolutionScorer, "batch_size", 8)
    features, _ = made_corpus(clips=40)
    random = np.random.default_rng(1)
    wrong, _ = made_clip(40, "Young men sing long songs.", "She sells good cheese, then tea.", random)
    noise = Features(
        "clip 41",
        "ann",
        "made",
        SENTENCES[0],
        tuple(parse(SENTENCES[0])),
        random.normal(size=(120, 80)),
        np.zeros(120),
    )
    short = Features("clip 42", "ann", "made", SENTENCES[0], noise.words, noise.mel[:20], np.zeros(20))
    result = align_corpus(
        [short, wrong, *features, noise], gaussian_rounds=4, classifier_rounds=2, classifier_steps=30
    )
    assert set(result.rejected) == {(f"clip {number}", "ann") for number in (40, 41, 42)}
    assert len(result.alignments) == 40
    assert "wrong text or noise" in result.rejected["clip 40", "ann"]
    assert "20 frames are fewer than the 28 frames" in result.rejected["clip 42", "ann"]
    assert len(result.changed) == 6


def test_a_corpus_of_clips_that_are_all_too_short_is_rejected_whole():
    features, _ = made_corpus(clips=2)
    cut = [Features(**{**vars(one), "mel": one.mel[:5]}) for one in features]
    result = align_corpus(cut)
    assert len(result.rejected) == 2 and not result.alignments
    assert align_corpus([]).alignments == {}


# --- the truth: boundaries that are known because we put them there


def clip_features(name: str, speaker: str, text: str, wav: np.ndarray) -> Features:
    wav = normalise_loudness(wav)
    words = tuple(parse(text))
    return Features(name, speaker, "tinyvoices", text, words, log_mel(wav), pitch_track(wav))


def joined_clip(name: str, clips: list, *, gap_sec: float) -> tuple[Features, list[tuple[int, float, float]]]:
    """Join recordings; return the words before each gap and the two ends of the gap in frames."""
    wavs = [trim_silence(load_audio(clip.path), margin_sec=0.0) for clip in clips]
    gap = np.zeros(round(gap_sec * AudioConfig().sample_rate_hz), np.float32)
    parts, joins, n_words, position = [], [], 0, 0
    for clip, wav in zip(clips, wavs):
        if parts:
            joins.append((n_words, position / HOP, (position + len(gap)) / HOP))
            parts.append(gap)
            position += len(gap)
        parts.append(wav)
        position += len(wav)
        n_words += len(parse(clip.text))
    text = " ".join(clip.text for clip in clips)
    return clip_features(name, clips[0].speaker, text, np.concatenate(parts)), joins


@pytest.fixture(scope="module")
def truth() -> tuple[CorpusAlignment, dict[str, Features], dict[str, list]]:
    """Align 10 joined and 10 plain clips of each of two voices, with two bad clips among them."""
    features, joins = {}, {}
    for voice in ("slt", "m8"):
        clips = [clip for clip in tinyvoices() if clip.speaker == voice]
        for number in range(10):
            name = f"{voice} joined {number}"
            triple = clips[3 * number : 3 * number + 3]
            features[name], joins[name] = joined_clip(name, triple, gap_sec=0.3 * (number % 2))
        for clip in clips[30:]:
            features[clip.id], _ = joined_clip(clip.id, [clip], gap_sec=0.0)
    clips = [clip for clip in tinyvoices() if clip.speaker == "slt"]
    features["wrong"] = clip_features("wrong", "slt", clips[3].text, load_audio(clips[17].path))
    noise = 0.1 * np.random.default_rng(0).standard_normal(50000).astype(np.float32)
    features["noise"] = clip_features("noise", "slt", clips[5].text, noise)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ConvolutionScorer, "batch_size", 24)
        # Two minutes of each voice are few: even a wrong text is half learned by heart, hence the higher bar.
        result = align_corpus(
            list(features.values()), classifier_rounds=2, classifier_steps=100, lowest_score=1.5
        )
    return result, features, joins


@pytest.mark.slow
def test_known_boundaries_are_found_within_three_frames(truth):
    result, features, joins = truth
    errors = {"start of the gap": [], "end of the gap": []}
    for name, known in joins.items():
        one = features[name]
        durations = result.alignments[name, one.speaker].durations
        ends = np.cumsum(durations)
        boundary_tokens = np.cumsum([len(word.symbols) + bool(word.boundary) for word in one.words])
        for n_words, gap_start, gap_end in known:
            token = boundary_tokens[n_words - 1]
            errors["start of the gap"].append(abs(ends[token] - durations[token] - gap_start))
            errors["end of the gap"].append(abs(ends[token] - gap_end))
    for name, values in errors.items():
        print(f"{name}: median {np.median(values):.1f}, 90 % within {np.percentile(values, 90):.1f} frames")
        assert len(values) == 40
        assert np.median(values) <= 3 and np.percentile(values, 90) <= 10


@pytest.mark.slow
def test_vowels_are_voiced_and_hissing_consonants_are_not(truth):
    """The pitch track knows nothing of the text, so it can judge the boundaries inside words."""
    result, features, _ = truth
    voiced_share = {}
    for kind in (
        ("AA", "AE", "AH", "AO", "EH", "IH", "IY", "OW", "M", "N", "L"),
        ("S", "SH", "CH", "F", "K"),
    ):
        voiced = []
        for one in features.values():
            alignment = result.alignments.get((one.id, one.speaker))
            if alignment is not None:
                symbols = np.repeat(word_symbols(one.words), alignment.durations)
                classes = np.char.rstrip(symbols, "012")
                voiced.extend(one.pitch_hz[np.isin(classes, kind)] > 0)
        voiced_share[kind[0]] = np.mean(voiced)
        assert len(voiced) > 500
    print(f"voiced: {voiced_share['AA']:.0%} of the vowels, {voiced_share['S']:.0%} of the hisses")
    assert voiced_share["AA"] > 0.9 and voiced_share["S"] < 0.4


@pytest.mark.slow
def test_real_clips_are_aligned_whole_and_bad_ones_rejected(truth):
    result, features, _ = truth
    assert set(result.rejected) == {("wrong", "slt"), ("noise", "slt")}
    scores = [alignment.score for alignment in result.alignments.values()]
    print(f"scores from {min(scores):.2f} to {max(scores):.2f}; {result.rejected}")
    assert len(scores) == 40
    for (name, _), alignment in result.alignments.items():
        one = features[name]
        assert alignment.durations.sum() == len(one.mel)
        assert (alignment.durations >= shortest(word_symbols(one.words))).all()
    assert result.changed[-1] < 0.05
