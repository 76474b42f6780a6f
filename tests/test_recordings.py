"""Recordings on disk: read once, the samples of the clips, and what is left out."""

from __future__ import annotations

import numpy as np
import pytest
from made_recordings import HOP, made_recordings, made_wav

from tinyclone.audio import load_audio, normalise_loudness, save_audio, trim_silence
from tinyclone.corpora import Clip
from tinyclone.errors import CorpusError
from tinyclone.pitch import pitch_track
from tinyclone.recordings import read_recordings


def made_clips(folder, *, count: int = 3) -> list[Clip]:
    clips = []
    for number in range(count):
        path = folder / f"{number}.wav"
        save_audio(path, made_wav(np.full(60 + 7 * number, 120.0 + 30 * number)), sample_rate_hz=16000)
        clips.append(
            Clip(id=str(number), speaker="ann", text="Hello.", path=path, corpus="made", licence="CC0")
        )
    return clips


def test_they_are_trimmed_and_at_the_standard_loudness_and_have_a_pitch(tmp_path):
    clips = made_clips(tmp_path)
    recordings = read_recordings(clips, tmp_path / "cache")
    assert recordings.keys == (("0", "ann"), ("1", "ann"), ("2", "ann"))
    for number, clip in enumerate(clips):
        wav = normalise_loudness(trim_silence(load_audio(clip.path)))
        got = recordings.wav(number, hop_length=HOP)
        assert len(got) == len(wav) // HOP * HOP == recordings.frames(number) * HOP
        np.testing.assert_allclose(got, wav[: len(got)], atol=2e-5)
        first, end = recordings.starts[number : number + 2]
        expected = pitch_track(wav)[: end - first]
        np.testing.assert_allclose(recordings.pitch_hz[first:end], expected, rtol=1e-3)


def test_a_part_of_a_clip_is_padded_with_silence():
    recordings = made_recordings(frames=(10, 20))
    whole = recordings.wav(1, hop_length=HOP)
    part = recordings.wav(1, hop_length=HOP, first_frame=-2, end_frame=23)
    assert len(part) == 25 * HOP
    np.testing.assert_array_equal(part[2 * HOP : 22 * HOP], whole)
    assert not part[: 2 * HOP].any() and not part[22 * HOP :].any()
    np.testing.assert_array_equal(
        recordings.wav(1, hop_length=HOP, first_frame=3, end_frame=5), whole[3 * HOP : 5 * HOP]
    )


def test_the_second_time_nothing_is_read(tmp_path, monkeypatch):
    clips = made_clips(tmp_path)
    first = read_recordings(clips, tmp_path / "cache")
    monkeypatch.setattr("tinyclone.recordings.usable_sound", None)
    second = read_recordings(clips, tmp_path / "cache")
    assert second.keys == first.keys
    np.testing.assert_array_equal(second.samples, first.samples)


def test_clips_that_cannot_be_used_are_left_out(tmp_path, capsys):
    clips = made_clips(tmp_path)
    clips[1].path.write_bytes(b"")
    recordings = read_recordings(clips, tmp_path / "cache")
    assert [key for key, _ in recordings.keys] == ["0", "2"]
    assert "1 of 3 recordings were left out" in capsys.readouterr().out


def test_nothing_that_can_be_used_is_an_error(tmp_path):
    clips = made_clips(tmp_path, count=1)
    clips[0].path.unlink()
    with pytest.raises(CorpusError, match="None of 1 recordings can be used.*0.wav"):
        read_recordings(clips, tmp_path / "cache")
    with pytest.raises(CorpusError, match="None of 0 recordings"):
        read_recordings([], tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())
