"""Features are what the recording says, computed once, and a stopped run goes on where it was."""

from __future__ import annotations

import json
from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile

from tinyclone import features as features_module
from tinyclone.audio import load_audio, normalise_loudness, trim_silence
from tinyclone.config import AudioConfig
from tinyclone.corpora import Clip
from tinyclone.errors import AudioError, TextError
from tinyclone.features import Features, extract, prepare, pseudo_speaker_rates
from tinyclone.mel import log_mel
from tinyclone.pitch import pitch_track
from tinyclone.text import parse

RATE_HZ = 16000


def tone(*, pitch_hz: float, seconds: float = 0.6) -> np.ndarray:
    phase = 2 * np.pi * pitch_hz * np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return 0.2 * sum(np.sin(k * phase) / k for k in range(1, 8))


def write_clip(
    folder: Path, name: str, wav: np.ndarray, *, text: str = "A cat.", speaker: str = "ann"
) -> Clip:
    path = folder / f"{name}.wav"
    soundfile.write(path, wav, RATE_HZ)
    return Clip(id=name, speaker=speaker, text=text, path=path, corpus="made", licence="CC0")


@pytest.fixture
def clips(tmp_path) -> list[Clip]:
    (tmp_path / "wavs").mkdir()
    return [
        write_clip(tmp_path / "wavs", f"clip-{number}", tone(pitch_hz=100 + 20 * number), speaker=speaker)
        for number, speaker in enumerate(["ann", "ann", "ben", "ben", "cho"])
    ]


@pytest.fixture
def extracted(monkeypatch) -> list[str]:
    """Names of the clips that were computed, not read; shards of two clips, so that there are several."""
    names: list[str] = []

    def counted(clip: Clip, **settings) -> Features:
        names.append(clip.id)
        return extract(clip, **settings)

    monkeypatch.setattr(features_module, "extract", counted)
    monkeypatch.setattr(features_module, "SHARD_SIZE", 2)
    return names


def assert_same(got: list[Features], expected: list[Features]) -> None:
    assert len(got) == len(expected)
    for one, other in zip(got, expected):
        np.testing.assert_array_equal(one.mel, other.mel)
        np.testing.assert_array_equal(one.pitch_hz, other.pitch_hz)
        for name in ("id", "speaker", "corpus", "text", "words"):
            assert getattr(one, name) == getattr(other, name)


# --- one clip


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


def test_copies_of_one_speaker_share_their_rate_and_come_last(clips, tmp_path, extracted):
    made = prepare(clips, tmp_path / "cache", pseudo_speakers=2, workers=1)
    assert [one.id for one in made] == 3 * [clip.id for clip in clips]
    assert [one.speaker for one in made[:5]] == ["ann", "ann", "ben", "ben", "cho"]
    for copy in (1, 2):
        rates = {
            speaker: pseudo_speaker_rates(speaker, copies=2)[copy - 1] for speaker in ("ann", "ben", "cho")
        }
        expected = [f"{clip.speaker}@{rates[clip.speaker]:.3f}" for clip in clips]
        assert [one.speaker for one in made[5 * copy : 5 * copy + 5]] == expected


# --- the cache


def test_the_second_call_reads_what_the_first_computed(clips, tmp_path, extracted):
    first = prepare(clips, tmp_path / "cache", workers=1)
    assert extracted == [clip.id for clip in clips]
    second = prepare(clips, tmp_path / "cache", workers=1)
    assert len(extracted) == len(clips)
    assert_same(second, first)
    assert_same(first, [extract(clip) for clip in clips])
    assert json.loads((tmp_path / "cache" / "skipped.json").read_text()) == {}


def test_other_settings_never_meet_a_stale_shard(clips, tmp_path, extracted, monkeypatch):
    cache = tmp_path / "cache"
    prepare(clips[:2], cache, workers=1)
    hop_128 = prepare(clips[:2], cache, config=AudioConfig(hop_length=128), workers=1)
    assert len(hop_128[0].mel) > 70
    other_text = Clip(**{**vars(clips[0]), "text": "A dog."})
    prepare([other_text, clips[1]], cache, workers=1)
    monkeypatch.setattr(features_module.text_front_end, "SYMBOLS", ("_", "^"))
    prepare(clips[:2], cache, workers=1)
    assert len(list(cache.glob("*.npz"))) == 4 and len(extracted) == 8


def test_a_killed_run_goes_on_with_the_shards_that_are_missing(clips, tmp_path, extracted, monkeypatch):
    cache = tmp_path / "cache"
    whole = prepare(clips, tmp_path / "whole", workers=1)
    extracted.clear()
    counted = features_module.extract

    def killed(clip: Clip, **settings) -> Features:
        if clip.id == "clip-3":
            raise KeyboardInterrupt
        return counted(clip, **settings)

    monkeypatch.setattr(features_module, "extract", killed)
    with pytest.raises(KeyboardInterrupt):
        prepare(clips, cache, workers=1)
    assert len(list(cache.glob("*.npz"))) == 1
    (cache / "0123456789.99.tmp").write_bytes(b"half a shard")
    monkeypatch.setattr(features_module, "extract", counted)
    extracted.clear()
    assert_same(prepare(clips, cache, workers=1), whole)
    assert extracted == ["clip-2", "clip-3", "clip-4"]


def test_a_shard_that_was_deleted_is_made_again_alone(clips, tmp_path, extracted):
    first = prepare(clips, tmp_path / "cache", workers=1)
    extracted.clear()
    next((tmp_path / "cache").glob("*.npz")).unlink()
    assert_same(prepare(clips, tmp_path / "cache", workers=1), first)
    assert 1 <= len(extracted) <= 2


def test_bad_clips_are_left_out_with_their_reason(clips, tmp_path, extracted, capsys):
    wavs = tmp_path / "wavs"
    (wavs / "empty.wav").write_bytes(b"")
    bad = [
        Clip("empty", "ann", "A cat.", wavs / "empty.wav", "made", "CC0"),
        write_clip(wavs, "silent", np.zeros(RATE_HZ)),
        write_clip(wavs, "wordless", tone(pitch_hz=150), text="?!"),
    ]
    for _ in range(2):  # the second time from the cache
        made = prepare([*clips[:2], *bad, *clips[2:]], tmp_path / "cache", workers=1)
        assert [one.id for one in made] == [clip.id for clip in clips]
        skipped = json.loads((tmp_path / "cache" / "skipped.json").read_text())
        assert set(skipped) == {"empty", "silent", "wordless"}
        assert "empty.wav" in skipped["empty"] and "?!" in skipped["wordless"]
        assert "3 of 8 clips were left out" in capsys.readouterr().out


def test_a_shard_of_bad_clips_alone_is_no_obstacle(tmp_path, extracted):
    bad = [write_clip(tmp_path, name, np.zeros(RATE_HZ)) for name in ("one", "two")]
    assert prepare(bad, tmp_path / "cache", workers=1) == []
    assert prepare([], tmp_path / "cache", workers=1) == []


def test_several_workers_give_what_one_gives(clips, tmp_path, monkeypatch):
    one = prepare(clips, tmp_path / "one", workers=1)
    monkeypatch.setattr(features_module, "SHARD_SIZE", 3)
    two = prepare(clips, tmp_path / "two", workers=2)
    assert_same(two, one)
    assert not list((tmp_path / "two").glob("*.tmp"))
