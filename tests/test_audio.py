"""Recordings of every kind come in as one wave, and whatever cannot be used says why."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

import tinyclone.audio
from tinyclone.audio import (
    as_wave,
    load_audio,
    normalise_loudness,
    resample,
    save_audio,
    trim_silence,
)
from tinyclone.config import AudioConfig
from tinyclone.errors import AudioError
from tinyclone.reference import check_reference

RATE_HZ = 16000


def tone(
    *, sec: float, rate_hz: int = RATE_HZ, frequency_hz: float = 440.0, level: float = 0.3
) -> np.ndarray:
    time_sec = np.arange(round(sec * rate_hz)) / rate_hz
    return (level * np.sin(2.0 * np.pi * frequency_hz * time_sec)).astype(np.float32)


def speech_like(*, sec: float, level: float = 0.1) -> np.ndarray:
    """Syllables of noise, four a second with a short rest after each."""
    noise = np.random.default_rng(0).standard_normal(round(sec * RATE_HZ)).astype(np.float32)
    speaking = np.arange(len(noise)) % 4000 < 3200
    return np.clip(level * noise, -0.9, 0.9) * speaking


def loudest_frequency_hz(wav: np.ndarray, *, rate_hz: int) -> float:
    spectrum = np.abs(np.fft.rfft(wav * np.hanning(len(wav))))
    return float(np.argmax(spectrum) * rate_hz / len(wav))


# --- reading what can be read


@pytest.mark.parametrize("rate_hz", [8000, 16000, 22050, 44100, 48000, 96000])
def test_any_rate_becomes_the_config_rate(tmp_path: Path, rate_hz: int) -> None:
    soundfile.write(tmp_path / "tone.wav", tone(sec=1.0, rate_hz=rate_hz), rate_hz)
    wav = load_audio(tmp_path / "tone.wav")
    assert abs(len(wav) - RATE_HZ) <= 1 and wav.dtype == np.float32 and wav.ndim == 1
    assert loudest_frequency_hz(wav, rate_hz=RATE_HZ) == pytest.approx(440.0, abs=1.5)
    np.testing.assert_allclose(wav[4000:12000], tone(sec=1.0)[4000:12000], atol=2e-3)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW"])
def test_any_sample_format(tmp_path: Path, subtype: str) -> None:
    soundfile.write(tmp_path / "tone.wav", tone(sec=0.5), RATE_HZ, subtype=subtype)
    atol = {"PCM_U8": 1 / 128, "ULAW": 1 / 100}.get(subtype, 1 / 32768)
    np.testing.assert_allclose(load_audio(tmp_path / "tone.wav"), tone(sec=0.5), atol=atol)


@pytest.mark.parametrize(
    ("name", "container", "subtype"),
    [
        ("tone.flac", "FLAC", "PCM_16"),
        ("tone.ogg", "OGG", "VORBIS"),
        ("tone.opus", "OGG", "OPUS"),
        ("tone.mp3", "MP3", "MPEG_LAYER_III"),
        ("tone.aiff", "AIFF", "PCM_16"),
    ],
)
def test_any_container(tmp_path: Path, name: str, container: str, subtype: str) -> None:
    soundfile.write(tmp_path / name, tone(sec=2.0), RATE_HZ, format=container, subtype=subtype)
    wav = load_audio(tmp_path / name)
    assert len(wav) == pytest.approx(2 * RATE_HZ, abs=1200)
    assert loudest_frequency_hz(wav, rate_hz=RATE_HZ) == pytest.approx(440.0, abs=1.0)
    assert np.sqrt(np.mean(wav[4000:28000] ** 2)) == pytest.approx(0.3 / np.sqrt(2.0), rel=0.03)


def test_channels_are_averaged(tmp_path: Path) -> None:
    left, right = tone(sec=0.5, frequency_hz=300.0), tone(sec=0.5, frequency_hz=700.0)
    soundfile.write(tmp_path / "stereo.wav", np.stack([left, right], axis=1), RATE_HZ, subtype="FLOAT")
    np.testing.assert_allclose(load_audio(tmp_path / "stereo.wav"), (left + right) / 2, atol=1e-7)


def test_float_file_beyond_full_scale_is_scaled_not_cut(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "loud.wav", tone(sec=0.5, level=3.0), RATE_HZ, subtype="FLOAT")
    np.testing.assert_allclose(load_audio(tmp_path / "loud.wav"), tone(sec=0.5, level=1.0), atol=1e-4)


def test_resampling_never_leaves_full_scale(tmp_path: Path) -> None:
    square = np.sign(tone(sec=0.5, rate_hz=48000, frequency_hz=100.0) + 1e-6)
    soundfile.write(tmp_path / "square.wav", square, 48000, subtype="FLOAT")
    assert np.abs(load_audio(tmp_path / "square.wav")).max() == 1.0


def test_max_sec_reads_the_beginning_only(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "tone.wav", tone(sec=2.0, rate_hz=48000), 48000, subtype="FLOAT")
    whole, start = load_audio(tmp_path / "tone.wav"), load_audio(tmp_path / "tone.wav", max_sec=0.5)
    assert abs(len(start) - 8000) <= 1
    np.testing.assert_allclose(start[:7800], whole[:7800], atol=1e-4)
    assert len(load_audio(tmp_path / "tone.wav", max_sec=60.0)) == len(whole)


def test_another_config_rate(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "tone.wav", tone(sec=1.0), RATE_HZ)
    wav = load_audio(tmp_path / "tone.wav", config=AudioConfig(sample_rate_hz=22050))
    assert abs(len(wav) - 22050) <= 1


def test_wav_with_chunks_around_its_data_and_streamed_length(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "tone.wav", tone(sec=0.5), RATE_HZ)
    original = (tmp_path / "tone.wav").read_bytes()
    at = original.index(b"data")
    chunk = b"LIST" + (5).to_bytes(4, "little") + b"hello\0"
    (tmp_path / "chunks.wav").write_bytes(original[:at] + chunk + original[at:] + chunk)
    streamed = original[: at + 4] + b"\xff\xff\xff\xff" + original[at + 8 :]
    (tmp_path / "streamed.wav").write_bytes(streamed)
    for name in ["chunks.wav", "streamed.wav"]:
        np.testing.assert_array_equal(load_audio(tmp_path / name), load_audio(tmp_path / "tone.wav"))


def test_real_opus_recordings_load(shared_data: Path) -> None:
    recordings = sorted((shared_data / "kathleen" / "wavs").glob("*.opus"))[:5]
    if not recordings:
        pytest.skip("the recordings of kathleen are not on this machine")
    for recording in recordings:
        wav = load_audio(recording)
        assert RATE_HZ < len(wav) < 20 * RATE_HZ and 0.05 < np.abs(wav).max() <= 1.0
        check_reference(wav)


# --- refusing what cannot be read


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match=r"gone\.wav does not exist"):
        load_audio(tmp_path / "gone.wav")


def test_folder(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="is a folder"):
        load_audio(tmp_path)


def test_path_as_string_and_zero_bytes(tmp_path: Path) -> None:
    (tmp_path / "empty.wav").touch()
    with pytest.raises(AudioError, match="0 bytes"):
        load_audio(str(tmp_path / "empty.wav"))


def test_text_named_wav(tmp_path: Path) -> None:
    text = "Dear reader,\n\tthis is not a recording: caf\u00e9.\n"
    (tmp_path / "text.wav").write_text(text, encoding="utf-8")
    with pytest.raises(AudioError, match="text file"):
        load_audio(tmp_path / "text.wav")


def test_binary_rubbish(tmp_path: Path) -> None:
    (tmp_path / "rubbish.wav").write_bytes(bytes(range(256)) * 8)
    with pytest.raises(AudioError, match="cannot be decoded"):
        load_audio(tmp_path / "rubbish.wav")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read every file")
def test_unreadable_file(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "secret.wav", tone(sec=0.1), RATE_HZ)
    (tmp_path / "secret.wav").chmod(0)
    with pytest.raises(AudioError, match="cannot be read"):
        load_audio(tmp_path / "secret.wav")


def test_file_that_the_system_refuses_to_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    soundfile.write(tmp_path / "secret.wav", tone(sec=0.1), RATE_HZ)

    def refuse(self: Path, *args: object, **kwargs: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(AudioError, match="cannot be read: Permission denied"):
        load_audio(tmp_path / "secret.wav")


@pytest.mark.parametrize("kept", [0.9, 0.5, 0.1])
@pytest.mark.parametrize(
    ("name", "subtype"),
    [("a.wav", "PCM_16"), ("a.wav", "FLOAT"), ("a.ogg", "VORBIS"), ("a.opus", "OPUS"), ("a.flac", "PCM_16")],
)
def test_truncated_file(tmp_path: Path, name: str, subtype: str, kept: float) -> None:
    container = {"wav": "WAV", "flac": "FLAC"}.get(name[2:], "OGG")
    soundfile.write(tmp_path / name, speech_like(sec=2.0), RATE_HZ, format=container, subtype=subtype)
    whole = (tmp_path / name).read_bytes()
    load_audio(tmp_path / name)
    (tmp_path / name).write_bytes(whole[: round(kept * len(whole))])
    with pytest.raises(AudioError, match=r"truncated|cannot be decoded.*damaged"):
        load_audio(tmp_path / name)


def test_wav_cut_inside_its_header(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(sec=0.5), RATE_HZ)
    (tmp_path / "a.wav").write_bytes((tmp_path / "a.wav").read_bytes()[:30])
    with pytest.raises(AudioError, match="truncated"):
        load_audio(tmp_path / "a.wav")


def test_header_without_samples(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(0, np.float32), RATE_HZ)
    with pytest.raises(AudioError, match="no samples"):
        load_audio(tmp_path / "a.wav")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_file_with_samples_that_are_no_numbers(tmp_path: Path, value: float) -> None:
    wav = tone(sec=0.5)
    wav[100] = value
    soundfile.write(tmp_path / "a.wav", wav, RATE_HZ, subtype="FLOAT")
    with pytest.raises(AudioError, match=r"a\.wav holds NaN or infinite"):
        load_audio(tmp_path / "a.wav")


# --- a wave in memory


def test_as_wave_converts_and_refuses() -> None:
    assert as_wave(np.zeros(3, np.float64)).dtype == np.float32
    kept = np.zeros(3, np.float32)
    assert as_wave(kept) is kept
    for wrong, message in [
        (np.zeros((2, 3)), r"shape \(2, 3\)"),
        (np.zeros(3, np.int16), "int16 samples.*32768"),
        (np.zeros(0), "empty"),
        (np.array([0.0, np.nan]), "NaN"),
        (np.array([0.0, np.inf]), "infinite"),
    ]:
        with pytest.raises(AudioError, match=message):
            as_wave(wrong)


def test_resample_keeps_what_both_rates_can_hold() -> None:
    low = tone(sec=1.0, rate_hz=48000, frequency_hz=1000.0)
    high = tone(sec=1.0, rate_hz=48000, frequency_hz=12000.0)
    wav = resample(low + high, from_hz=48000, to_hz=RATE_HZ)
    np.testing.assert_allclose(wav[2000:14000], tone(sec=1.0, frequency_hz=1000.0)[2000:14000], atol=1e-3)
    assert resample(low, from_hz=48000, to_hz=48000) is low


def test_trim_keeps_the_speech_and_its_margin() -> None:
    hop_length = AudioConfig().hop_length
    wav = np.zeros(100 * hop_length, np.float32)
    wav[40 * hop_length : 60 * hop_length] = 0.5
    np.testing.assert_array_equal(trim_silence(wav), wav[40 * hop_length - 800 : 60 * hop_length + 800])
    assert len(trim_silence(wav, margin_sec=0.0)) == 20 * hop_length
    assert len(trim_silence(wav, margin_sec=9.0)) == len(wav)


def test_trim_threshold_is_relative_to_the_loudest_frame() -> None:
    hop_length = AudioConfig().hop_length
    wav = np.full(30 * hop_length, 1e-4, np.float32)
    wav[10 * hop_length : 20 * hop_length] = 1e-2  # 40 dB above the rest, just
    assert len(trim_silence(wav, threshold_db=-39.0, margin_sec=0.0)) == 10 * hop_length
    assert len(trim_silence(wav, threshold_db=-41.0, margin_sec=0.0)) == len(wav)


def test_silence_and_single_samples_pass_through() -> None:
    silence = np.zeros(1000, np.float32)
    np.testing.assert_array_equal(trim_silence(silence), silence)
    np.testing.assert_array_equal(normalise_loudness(silence), silence)
    assert len(trim_silence(np.array([0.5]))) == 1


def test_loudness_counts_speech_not_pauses() -> None:
    speech = np.where(np.arange(64000) % 2, 0.3, -0.3).astype(np.float32)  # an RMS of 0.3 in each frame
    pauses = np.zeros(64000, np.float32)
    for wav in [speech, np.concatenate([pauses, speech, pauses])]:
        reached = normalise_loudness(wav, target_db=-23.0)
        assert np.abs(reached).max() == pytest.approx(10 ** (-23 / 20), rel=1e-5)
    softer, louder = normalise_loudness(speech * 0.01), normalise_loudness(speech)
    np.testing.assert_allclose(softer, louder, rtol=1e-5)


def test_loudness_never_clips() -> None:
    wav = speech_like(sec=1.0, level=0.01)
    wav[5000] = 0.5
    reached = normalise_loudness(wav, target_db=-3.0)
    assert np.abs(reached).max() == pytest.approx(0.99)
    np.testing.assert_allclose(reached, wav * 0.99 / 0.5, rtol=1e-5)


# --- a reference to clone from


def test_good_reference_is_trimmed_and_otherwise_untouched() -> None:
    speech, silence = speech_like(sec=5.0), np.zeros(60 * AudioConfig().hop_length, np.float32)
    reference = check_reference(np.concatenate([silence, speech, silence]))
    assert 4.8 * RATE_HZ < len(reference) < 5.2 * RATE_HZ
    np.testing.assert_array_equal(reference[800:60000], speech[:59200])


def test_silent_reference() -> None:
    for level in [0.0, 1e-4]:
        with pytest.raises(AudioError, match="silent"):
            check_reference(tone(sec=5.0, level=level))


def test_clipped_reference() -> None:
    clipped = np.clip(tone(sec=5.0, level=2.0), -1.0, 1.0)
    with pytest.raises(AudioError, match=r"clipped: \d+\.\d% of its samples"):
        check_reference(clipped)
    few_peaks = speech_like(sec=5.0)
    few_peaks[:400] = 1.0  # 0.5 %
    check_reference(few_peaks)


def test_recording_clipped_at_another_rate_is_still_found(tmp_path: Path) -> None:
    loud = np.clip(tone(sec=5.0, rate_hz=44100, frequency_hz=150.0, level=3.0), -1.0, 1.0)
    soundfile.write(tmp_path / "clipped.wav", loud, 44100, subtype="PCM_16")
    with pytest.raises(AudioError, match="clipped"):
        check_reference(load_audio(tmp_path / "clipped.wav"))


def test_reference_of_another_scale() -> None:
    with pytest.raises(AudioError, match="32768"):
        check_reference(speech_like(sec=5.0) * 32768)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_reference_that_is_no_number(value: float) -> None:
    wav = speech_like(sec=5.0)
    wav[7] = value
    with pytest.raises(AudioError, match="NaN or infinite"):
        check_reference(wav)


def test_short_reference() -> None:
    with pytest.raises(AudioError, match=r"holds 0\.\d\d s of speech; expected at least 1 s"):
        check_reference(speech_like(sec=0.3))
    long_but_empty = np.zeros(10 * RATE_HZ, np.float32)
    long_but_empty[[1000, 150000]] = 0.5  # two clicks
    with pytest.raises(AudioError, match="of speech"):
        check_reference(long_but_empty)


def test_ten_minutes_are_cut_to_the_part_with_most_speech(tmp_path: Path) -> None:
    wav = np.zeros(600 * RATE_HZ, np.float32)
    wav[:RATE_HZ] = 0.5 * speech_like(sec=1.0)
    wav[400 * RATE_HZ : 440 * RATE_HZ] = speech_like(sec=40.0)
    wav[-RATE_HZ:] = 0.5 * speech_like(sec=1.0)
    soundfile.write(tmp_path / "long.flac", wav, RATE_HZ)
    with pytest.warns(UserWarning, match="only the 30 s"):
        reference = check_reference(load_audio(tmp_path / "long.flac"))
    assert len(reference) == 30 * RATE_HZ
    assert np.mean(np.abs(reference) > 1e-3) > 0.75


# --- writing


@pytest.mark.parametrize(
    ("name", "atol"), [("a.wav", 1 / 32768), ("a.flac", 1 / 32768), ("A.WAV", 1 / 32768), ("a.ogg", 0.02)]
)
def test_saved_audio_loads_again(tmp_path: Path, name: str, atol: float) -> None:
    wav = tone(sec=1.0)
    assert save_audio(tmp_path / name, wav) == tmp_path / name
    np.testing.assert_allclose(load_audio(tmp_path / name)[: len(wav)], wav, atol=atol)
    assert [file.name for file in tmp_path.iterdir()] == [name]


def test_saved_samples_are_16_bit_clipped_and_of_the_stated_rate(tmp_path: Path) -> None:
    save_audio(tmp_path / "a.wav", np.array([0.0, 0.5, 2.0, -2.0]), sample_rate_hz=22050)
    samples, rate_hz = soundfile.read(tmp_path / "a.wav", dtype="int16")
    assert soundfile.info(tmp_path / "a.wav").subtype == "PCM_16" and rate_hz == 22050
    np.testing.assert_array_equal(samples, [0, 16384, 32767, -32768])


def test_minutes_of_vorbis_can_be_saved(tmp_path: Path) -> None:
    save_audio(tmp_path / "a.ogg", tone(sec=300.0))
    assert soundfile.info(tmp_path / "a.ogg").frames == 300 * RATE_HZ


def test_save_into_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="folder .*missing does not exist"):
        save_audio(tmp_path / "missing" / "a.wav", tone(sec=0.1))


def test_save_over_a_folder_or_with_an_unknown_suffix(tmp_path: Path) -> None:
    (tmp_path / "folder.wav").mkdir()
    with pytest.raises(AudioError, match="is a folder"):
        save_audio(tmp_path / "folder.wav", tone(sec=0.1))
    for name in ["a.xyz", "a"]:
        with pytest.raises(AudioError, match=r"expected one of \.wav, \.flac, \.ogg"):
            save_audio(tmp_path / name, tone(sec=0.1))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_save_into_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(AudioError, match="may not write to the folder"):
            save_audio(tmp_path / "a.wav", tone(sec=0.1))
    finally:
        tmp_path.chmod(0o700)


def test_save_into_a_folder_that_the_system_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path)
    with pytest.raises(AudioError, match="may not write to the folder"):
        save_audio(tmp_path / "a.wav", tone(sec=0.1))
    assert list(tmp_path.iterdir()) == []


def test_existing_output_is_kept_when_saving_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = save_audio(tmp_path / "a.wav", tone(sec=0.5))
    before = target.read_bytes()

    def fail_halfway(path: Path, wav: np.ndarray, **_: object) -> None:
        path.write_bytes(b"RIFF")
        raise OSError(28, "No space left on device")

    with pytest.raises(AudioError, match="NaN"):
        save_audio(target, np.array([np.nan]))
    monkeypatch.setattr(tinyclone.audio, "write_samples", fail_halfway)
    with pytest.raises(AudioError, match="No space left"):
        save_audio(target, tone(sec=0.1))
    assert target.read_bytes() == before
    assert list(tmp_path.iterdir()) == [target]
