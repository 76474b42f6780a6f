"""The features of a clip are what the recording says; what is no recording of speech is refused."""

from __future__ import annotations

from pathlib import Path

import librosa
import numpy as np
import pytest
from made_clips import RATE_HZ, tone, write_clip

from tinyclone.audio import load_audio, normalise_loudness, trim_silence
from tinyclone.clip_features import extract, pseudo_speaker_rates, short_reason
from tinyclone.errors import AudioError, TextError
from tinyclone.mel import log_mel
from tinyclone.pitch import pitch_track
from tinyclone.text import parse


def test_features_are_those_of_the_trimmed_clip_at_the_standard_loudness(tmp_path):
    silence = np.zeros(RATE_HZ)
    clip = write_clip(tmp_path, "clip", np.concatenate([silence, 0.1 * tone(pitch_hz=150), silence]))
    one = extract(clip)
    wav = normalise_loudness(trim_silence(load_audio(clip.path)))
    assert (one.id, one.speaker, one.corpus, one.text) == ("clip", "ann", "made", "A cat.")
    assert one.words == tuple(parse("A cat."))
    assert one.mel.dtype == one.pitch_hz.dtype == np.float16
    np.testing.assert_array_equal(one.mel, log_mel(wav).astype(np.float16))
    np.testing.assert_array_equal(one.pitch_hz, pitch_track(wav).astype(np.float16))
    assert len(one.mel) == len(one.pitch_hz) < 60
    np.testing.assert_allclose(np.median(one.pitch_hz[one.pitch_hz > 0]), 150, rtol=0.02)


def test_a_quieter_recording_gives_the_same_features(tmp_path):
    loud = extract(write_clip(tmp_path, "loud", tone(pitch_hz=150)))
    quiet = extract(write_clip(tmp_path, "quiet", 0.05 * tone(pitch_hz=150)))
    audible = loud.mel > -6
    assert audible.sum() > 500
    np.testing.assert_allclose(quiet.mel[audible], loud.mel[audible], atol=0.05)


@pytest.mark.parametrize("rate", [0.84, 0.937, 1.07, 1.19])
def test_a_perturbed_copy_is_shorter_and_higher_by_its_rate(tmp_path, rate):
    clip = write_clip(tmp_path, "clip", tone(pitch_hz=150, seconds=1.0))
    plain, copy = extract(clip), extract(clip, rate=rate)
    assert copy.speaker == f"ann@{rate:.3f}" and copy.id == plain.id and copy.words == plain.words
    assert abs(len(copy.mel) - (1 + RATE_HZ / rate // 256)) <= 1
    np.testing.assert_allclose(np.median(copy.pitch_hz[3:-3]), 150 * rate, rtol=0.02)


def test_a_perturbed_copy_has_its_formants_moved_too(tmp_path):
    time = np.arange(RATE_HZ) / RATE_HZ
    clip = write_clip(tmp_path, "clip", 0.3 * np.sin(2 * np.pi * 2000 * time))
    centres_hz = librosa.mel_frequencies(n_mels=82, fmin=0.0, fmax=8000.0)[1:-1]
    for rate in (0.84, 1.0, 1.19):
        loudest_band = int(np.median(np.argmax(extract(clip, rate=rate).mel, axis=1)))
        assert abs(centres_hz[loudest_band] / (2000 * rate) - 1) < 0.03


def test_an_unusable_clip_is_refused(tmp_path):
    with pytest.raises(AudioError):
        extract(write_clip(tmp_path, "silent", np.zeros(RATE_HZ)))
    with pytest.raises(TextError):
        extract(write_clip(tmp_path, "no words", tone(pitch_hz=150), text="?!"))


# --- pseudo-speakers


def test_pseudo_speaker_rates_are_the_same_for_ever():
    # A change of these would make every cached copy, and every training on copies, stale.
    assert pseudo_speaker_rates("slt", copies=2) == [0.845, 1.105]
    assert pseudo_speaker_rates("slt", copies=0) == []


def test_pseudo_speakers_are_larger_and_smaller_in_turn_and_differ_between_speakers():
    rates = np.array([pseudo_speaker_rates(f"speaker {number}", copies=40) for number in range(100)])
    assert ((rates[:, ::2] >= 0.84) & (rates[:, ::2] <= 0.94)).all()
    assert ((rates[:, 1::2] >= 1.07) & (rates[:, 1::2] <= 1.19)).all()
    assert len(set(rates[:, 0])) > 50
    assert rates[0, :2].tolist() == pseudo_speaker_rates("speaker 0", copies=2)


# --- what cannot be used


def test_a_clip_of_40_seconds_is_left_out_and_not_read_to_its_end(tmp_path, monkeypatch):
    asked = []

    def load(path, **settings):
        asked.append(settings["max_sec"])
        return load_audio(path, **settings)

    monkeypatch.setattr("tinyclone.clip_features.load_audio", load)
    clip = write_clip(tmp_path, "long", tone(pitch_hz=150, seconds=40))
    with pytest.raises(AudioError, match="longer than 30 s"):
        extract(clip)
    assert asked == [30.1]
    assert len(extract(clip, max_seconds=41).mel) == 1 + 40 * RATE_HZ // 256


@pytest.mark.parametrize(("seconds", "usable"), [(29.95, True), (30.0, True), (30.05, False)])
def test_the_longest_clip_is_max_seconds(tmp_path, seconds, usable):
    clip = write_clip(tmp_path, "clip", tone(pitch_hz=150, seconds=seconds))
    if usable:
        assert len(extract(clip).mel) > 1800
    else:
        with pytest.raises(AudioError, match="longer than 30 s"):
            extract(clip)


def test_a_click_in_a_long_silence_is_too_short(tmp_path):
    wav = np.zeros(2 * RATE_HZ)
    wav[16000:17000] = tone(pitch_hz=150)[:1000]
    clip = write_clip(tmp_path, "click", wav)
    with pytest.raises(AudioError, match=r"shorter than 0.3 s.*0\.1\d s are left"):
        extract(clip)
    assert len(extract(clip, min_seconds=0.1).mel) > 5


def test_reasons_are_the_same_for_all_clips_that_have_them():
    for path in (Path("/a: b/one. two.wav"), Path("three.wav")):
        message = f"{path} is silent: its loudest sample is 0.0001 of full scale."
        assert short_reason(message, path) == "is silent"
        assert short_reason(f"{path} is longer than 30 s. Cut it.", path) == "is longer than 30 s"
    assert (
        short_reason("Nothing in the text '?!' can be spoken. Write.", path)
        == "holds no text that can be spoken"
    )
