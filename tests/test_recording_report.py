"""What is measured of a recording is what was done to it, and the advice is about that."""

from __future__ import annotations

import numpy as np
import pytest

from tinyclone.audio import load_audio
from tinyclone.corpora import demo_reference, tinyvoices
from tinyclone.errors import AudioError
from tinyclone.recording_report import QUIETEST_DB, report_on

RATE_HZ = 16000


@pytest.fixture(scope="module")
def recording() -> np.ndarray:
    return load_audio(demo_reference())


def noise(n_samples: int, *, level_db: float) -> np.ndarray:
    return (10 ** (level_db / 20) * np.random.default_rng(0).standard_normal(n_samples)).astype(np.float32)


def kinds(wav: np.ndarray) -> list[str]:
    """Return the word that each advice begins with."""
    return [advice.split(":")[0] for advice in report_on(wav).advice()]


def test_a_good_recording_gets_no_advice(recording):
    report = report_on(recording)
    assert report.advice() == []
    assert report.loudness_db == pytest.approx(-23.0, abs=0.1)  # as tinyvoices was made
    assert 4.5 < report.speech_sec <= report.seconds <= len(recording) / RATE_HZ
    assert report.peak == np.abs(recording).max()
    assert "nothing to complain about" in report.table()


@pytest.mark.parametrize("ratio_db", [10, 20, 30])
def test_the_level_of_added_noise_is_found(ratio_db):
    for clip in tinyvoices()[::40]:
        clean = load_audio(clip.path)
        loudness_db = report_on(clean).loudness_db
        report = report_on(clean + noise(len(clean), level_db=loudness_db - ratio_db))
        assert report.speech_to_background_db == pytest.approx(ratio_db, abs=2.5), clip.id


def test_loudness_and_peak_follow_the_level(recording):
    before, after = report_on(recording), report_on(recording / 10)
    assert after.loudness_db == pytest.approx(before.loudness_db - 20, abs=1e-3)
    assert after.speech_to_background_db == pytest.approx(before.speech_to_background_db, abs=1e-3)
    assert after.peak == pytest.approx(before.peak / 10)


def test_silence_at_the_ends_is_no_speech(recording):
    silence = np.zeros(RATE_HZ, np.float32)
    report, padded = report_on(recording), report_on(np.concatenate([silence, recording, silence]))
    assert padded.seconds == pytest.approx(report.seconds, abs=0.15)
    assert padded.speech_sec == pytest.approx(report.speech_sec, abs=0.05)
    # Zeros were not recorded: they say nothing about the room.
    assert padded.background_db == pytest.approx(report.background_db, abs=1.0)


class TestAdvice:
    def test_noise(self, recording):
        assert kinds(recording + noise(len(recording), level_db=-33)) == ["noisy"]
        assert "quieter room" in report_on(recording + noise(len(recording), level_db=-33)).advice()[0]
        assert "what hums" in report_on(recording + noise(len(recording), level_db=-43)).advice()[0]

    def test_clipping(self, recording):
        report = report_on(np.clip(20 * recording, -1, 1))
        assert report.clipped_share > 0.01
        assert "clipped" in report.advice()[0] and report.advice()[0].endswith("turn the level down")
        little = recording.copy()
        little[:20] = 1.0
        assert report_on(little).advice()[0].endswith("turn the level down a little")

    def test_level(self, recording):
        assert kinds(recording / 20) == ["soft"]
        assert kinds(np.zeros(RATE_HZ, np.float32)) == ["silent"]

    def test_length(self, recording):
        assert kinds(recording[: RATE_HZ // 2])[0] == "too short"
        assert kinds(recording[: 2 * RATE_HZ])[0] == "short"
        assert kinds(np.tile(recording, 8)) == ["long"]

    def test_pauses(self, recording):
        pause = noise(5 * RATE_HZ, level_db=-75)
        assert kinds(np.concatenate([recording, pause, recording[:8000]])) == ["full of pauses"]

    def test_the_table_holds_the_advice(self, recording):
        assert "soft:" in report_on(recording / 20).table()


def test_strange_waves():
    assert report_on(np.zeros(100, np.float32)).background_db == QUIETEST_DB
    assert report_on(np.full(100, 0.1, np.float32)).speech_sec > 0
    with pytest.raises(AudioError):
        report_on(np.zeros(0, np.float32))
    with pytest.raises(AudioError):
        report_on(np.zeros((100, 2), np.float32))
