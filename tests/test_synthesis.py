from __future__ import annotations

import base64
import os
import re
import wave

import numpy as np
import pytest
import soundfile
from fake_cloner import VOICEPRINT_SIZE, FakeCloner, Prediction, speech_like
from made_recordings import small_vocoder

from tinyclone import synthesis
from tinyclone.config import AudioConfig
from tinyclone.errors import AudioError, CheckpointError, ConsentError, TextError, VoiceError
from tinyclone.letter_to_sound import sound_out
from tinyclone.mel import log_mel
from tinyclone.synthesis import GRIFFIN_LIM, Voice, clone
from tinyclone.text import PAUSES, decode, encode
from tinyclone.voice import load_voices, read_reference, save_voices

CONSENT = "I am Ana Lopez and this is my own voice."
HOP = AudioConfig().hop_length


@pytest.fixture
def cloner() -> FakeCloner:
    return FakeCloner()


@pytest.fixture
def voice() -> Voice:
    return Voice("tester", np.linspace(0, 1, VOICEPRINT_SIZE).astype(np.float32), CONSENT, "nowhere")


def test_one_sentence(cloner, voice):
    speech = clone("Hello there.", voice, cloner=cloner)
    assert speech.tokens == decode(encode("Hello there."))
    assert speech.durations.tolist() == [4] * len(speech.tokens)
    assert speech.mel.shape == (4 * len(speech.tokens), 80)
    assert speech.wav.shape == ((len(speech.mel) - 1) * HOP,)
    assert speech.wav.dtype == np.float32 and 0.001 < np.abs(speech.wav).max() <= 0.99
    assert speech.text == "Hello there."


def test_the_wave_is_that_of_the_mel(cloner, voice):
    speech = clone("Hello there. And you?", voice, cloner=cloner)
    heard = log_mel(speech.wav)
    assert heard.shape == speech.mel.shape
    inner = slice(4, 4 * len(encode("Hello there.")) - 4)
    difference = (heard - speech.mel)[inner]
    assert np.abs(difference - difference.mean()).mean() < 0.5


def test_sentences_are_joined_with_a_rest_and_counted(cloner, voice):
    first, second = len(encode("Hello there.")), len(encode("And you?"))
    speech = clone("Hello there. And you?", voice, cloner=cloner)
    rest = round(synthesis.PAUSE_SEC["."] * AudioConfig().frames_per_sec)
    assert len(cloner.calls) == 2
    assert len(speech.tokens) == len(speech.durations) == first + second
    assert speech.durations.sum() == len(speech.mel) == 4 * (first + second) + rest
    assert speech.durations[first - 1] == 4 + rest
    silence = speech.mel[4 * first : 4 * first + rest]
    np.testing.assert_allclose(silence, np.log(1e-5), rtol=1e-6)
    gap = speech.wav[4 * first * HOP : (4 * first + rest) * HOP]
    assert np.abs(gap).max() == 0.0


def test_joins_do_not_click(cloner, voice):
    speech = clone("Hello there. And you? Good.", voice, cloner=cloner)
    is_silent = speech.wav == 0.0
    borders = np.flatnonzero(is_silent[1:] != is_silent[:-1])
    assert len(borders) >= 4
    assert np.abs(np.diff(speech.wav))[borders].max() < 0.02 * np.abs(speech.wav).max()
    assert abs(speech.wav[0]) == abs(speech.wav[-1]) == 0.0


@pytest.mark.parametrize("log_level", [-8.0, -3.0, 5.0])
def test_the_speech_is_as_loud_as_a_reference(voice, log_level):
    speech = clone("Hello there.", voice, cloner=FakeCloner(log_level=log_level))
    rms_db = 10 * np.log10(np.mean(speech.wav[1024:-1024] ** 2))
    assert rms_db == pytest.approx(-23, abs=1.0) and np.abs(speech.wav).max() <= 0.99


@pytest.mark.parametrize("log_level", [np.nan, np.inf, -np.inf, 90.0])
def test_damaged_weights_are_reported_not_played(voice, log_level):
    with pytest.raises(CheckpointError, match="damaged"):
        clone("Hello there.", voice, cloner=FakeCloner(log_level=log_level))


def test_seed_decides_the_samples(cloner, voice):
    first = clone("Hello there. Hello there.", voice, seed=3, cloner=cloner).wav
    np.testing.assert_array_equal(first, clone("Hello there. Hello there.", voice, seed=3, cloner=cloner).wav)
    assert np.abs(first - clone("Hello there. Hello there.", voice, seed=4, cloner=cloner).wav).max() > 1e-3


def test_speed_and_pitch_reach_the_model(cloner, voice):
    speech = clone("Hello there.", voice, speed=0.5, pitch_shift=-3, cloner=cloner)
    assert cloner.calls[0]["speed"] == 0.5 and cloner.calls[0]["pitch_shift"] == -3
    assert speech.durations.tolist() == [8] * len(speech.tokens)


@pytest.mark.parametrize("speed", [0.49, 2.01, 0, -1, np.nan, np.inf, "fast", None])
def test_speed_out_of_range(cloner, voice, speed):
    with pytest.raises(ValueError, match=r"speed is .* from 0.5 to 2"):
        clone("Hello.", voice, speed=speed, cloner=cloner)


@pytest.mark.parametrize("pitch_shift", [-12.5, 13, np.nan, "high"])
def test_pitch_shift_out_of_range(cloner, voice, pitch_shift):
    with pytest.raises(ValueError, match=r"pitch_shift is .* from -12 to 12 semitones"):
        clone("Hello.", voice, pitch_shift=pitch_shift, cloner=cloner)


@pytest.mark.parametrize(
    "text", ["", " \n\t", "?!... --", "\U0001f600\U0001f680", "\u041f\u0440\u0438\u0432\u0435\u0442"]
)
def test_text_with_nothing_to_say(cloner, voice, text):
    with pytest.raises(TextError):
        clone(text, voice, cloner=cloner)
    assert cloner.calls == []


def test_text_must_be_a_string(cloner, voice):
    with pytest.raises(TextError, match="bytes"):
        clone(b"Hello.", voice, cloner=cloner)


def test_unspeakable_sentence_among_others_is_left_out_with_a_warning(cloner, voice):
    text = "Hello there. \u041f\u0440\u0438\u0432\u0435\u0442 \u043c\u0438\u0440. Good morning."
    with pytest.warns(UserWarning):
        speech = clone(text, voice, cloner=cloner)
    assert decode(encode("Hello there.")) == speech.tokens[: len(encode("Hello there."))]


def test_a_text_of_20000_characters_is_spoken_in_pieces_with_a_progress_bar(
    cloner, voice, capsys, monkeypatch
):
    hop_of_noise = np.random.default_rng(0).normal(0, 0.1, HOP).astype(np.float32)
    monkeypatch.setattr(synthesis, "mel_to_wav", lambda mel, **_: np.tile(hop_of_noise, len(mel) - 1))
    text = ("The quick brown fox jumps over the lazy dog, and nobody minds. " * 400)[:20000]
    speech = clone(text, voice, cloner=cloner, vocoder=GRIFFIN_LIM)
    assert len(cloner.calls) > 100
    assert max(len(call["tokens"]) for call in cloner.calls) < 400
    assert speech.durations.sum() == len(speech.mel)
    assert len(speech.wav) == (len(speech.mel) - 1) * HOP
    assert speech.tokens.count("F") == text.count("fox")
    assert "Speaking" in capsys.readouterr().err


def test_short_text_has_no_progress_bar(cloner, voice, capsys, monkeypatch):
    hop_of_noise = np.random.default_rng(0).normal(0, 0.1, HOP).astype(np.float32)
    monkeypatch.setattr(synthesis, "mel_to_wav", lambda mel, **_: np.tile(hop_of_noise, len(mel) - 1))
    clone("Hello there.", voice, cloner=cloner, vocoder=GRIFFIN_LIM)
    assert capsys.readouterr().err == ""


def test_the_vocoder_can_be_chosen(cloner, voice):
    shipped = clone("Hello there.", voice, cloner=cloner)
    griffin_lim = clone("Hello there.", voice, cloner=cloner, vocoder=GRIFFIN_LIM)
    np.testing.assert_array_equal(shipped.mel, griffin_lim.mel)
    assert len(shipped.wav) == len(griffin_lim.wav) and not np.array_equal(shipped.wav, griffin_lim.wav)
    again = clone("Hello there.", voice, cloner=cloner)
    np.testing.assert_array_equal(again.wav, shipped.wav)
    assert not np.array_equal(clone("Hello there.", voice, cloner=cloner, seed=1).wav, shipped.wav)
    with pytest.raises(ValueError, match="'waveglow'; expected 'griffin-lim'"):
        clone("Hello there.", voice, cloner=cloner, vocoder="waveglow")


def test_a_vocoder_of_other_mels_is_refused(cloner, voice):
    other = small_vocoder(audio=AudioConfig(hop_length=128, n_fft=512))
    with pytest.raises(CheckpointError, match="hop_length = 128"):
        clone("Hello there.", voice, cloner=cloner, vocoder=other)


def test_a_word_of_300_letters(cloner, voice):
    speech = clone("a" * 300, voice, cloner=cloner)
    said = sound_out("a" * 200) + sound_out("a" * 100)  # the longest piece has 200 letters
    assert [token for token in speech.tokens if token not in PAUSES] == list(said)
    assert speech.durations.sum() == len(speech.mel)


def test_a_voice_of_other_weights_is_refused(cloner, voice):
    other = Voice("tester", voice.voiceprint, CONSENT, "nowhere", cloner_fingerprint="other")
    with pytest.raises(VoiceError, match="other weights"):
        clone("Hello.", other, cloner=cloner)


def test_a_voiceprint_of_another_size_is_refused(cloner, voice):
    other = Voice("tester", voice.voiceprint[:-1], CONSENT, "nowhere")
    with pytest.raises(VoiceError, match=r"\(7,\).*\(8,\)"):
        clone("Hello.", other, cloner=cloner)


def test_a_name_is_not_a_voice(cloner):
    with pytest.raises(VoiceError, match="Voice.named"):
        clone("Hello.", "lj", cloner=cloner)


def test_a_piece_of_one_frame(voice):
    cloner = FakeCloner()
    cloner.predict_mel = lambda tokens, *_, **__: Prediction(
        np.zeros((1, 80), np.float32), np.eye(1, len(tokens), dtype=int)[0], *[np.zeros(1)] * 3
    )
    speech = clone("A. B.", voice, cloner=cloner)
    assert speech.durations.sum() == len(speech.mel) > 2
    assert not speech.wav.any()


def test_save_and_player(cloner, voice, tmp_path):
    with pytest.warns(UserWarning, match="<"):
        speech = clone('Say "hello" & <smile>.', voice, cloner=cloner)
    path = speech.save(tmp_path / "hello.wav")
    with wave.open(str(path)) as file:
        assert file.getframerate() == 16000 and file.getnframes() == len(speech.wav)
    page = speech._repr_html_()
    assert "<smile>" not in page and "&lt;smile&gt;" in page
    content = base64.b64decode(re.search(r"base64,([^\"]+)", page).group(1))
    assert content[:4] == b"RIFF" and len(content) == 44 + 2 * len(speech.wav)


def test_save_into_a_missing_folder(cloner, voice, tmp_path):
    with pytest.raises(AudioError, match="missing"):
        clone("Hello.", voice, cloner=cloner).save(tmp_path / "missing" / "hello.wav")


@pytest.mark.parametrize(
    "consent", [None, "", "   ", "yes", "true", "True", "I agree", "1 2 3", "...", "a b c", True]
)
def test_consent_must_say_who_agreed(cloner, consent):
    with pytest.raises(ConsentError, match="who agreed"):
        Voice.from_recording(speech_like(3), sample_rate_hz=16000, consent=consent, cloner=cloner)


def test_consent_is_asked_for_before_the_file_is_read(tmp_path):
    with pytest.raises(ConsentError):
        Voice.from_recording(tmp_path / "missing.wav")


def test_consent_in_another_script(cloner):
    consent = "\u042f \u0410\u043d\u043d\u0430, \u044d\u0442\u043e \u043c\u043e\u0439."
    voice = Voice.from_recording(speech_like(3), sample_rate_hz=16000, consent=consent, cloner=cloner)
    assert voice.consent == consent


def test_voice_from_a_file(cloner, tmp_path):
    soundfile.write(tmp_path / "ana.wav", speech_like(3), 16000)
    voice = Voice.from_recording(tmp_path / "ana.wav", consent=f" {CONSENT}\n", cloner=cloner)
    assert (voice.name, voice.source, voice.consent) == ("ana", "ana.wav", CONSENT)
    assert voice.voiceprint.shape == (VOICEPRINT_SIZE,) and voice.voiceprint.dtype == np.float32
    assert voice.cloner_fingerprint == "fake"


def test_the_model_hears_the_trimmed_and_levelled_speech(cloner):
    quiet = np.concatenate([np.zeros(16000), 0.2 * speech_like(3), np.zeros(16000)]).astype(np.float32)
    from_quiet = read_reference(quiet, sample_rate_hz=16000)
    assert 3.0 <= len(from_quiet) / 16000 < 3.3
    loud = Voice.from_recording(speech_like(3), sample_rate_hz=16000, consent=CONSENT, cloner=cloner)
    np.testing.assert_allclose(
        Voice.from_recording(quiet, sample_rate_hz=16000, consent=CONSENT, cloner=cloner).voiceprint,
        loud.voiceprint,
        atol=0.5,
    )


@pytest.mark.parametrize("rate_hz", [8000, 44100, 48000, 96000])
@pytest.mark.parametrize("kind", ["float", "stereo", "int16"])
def test_arrays_of_any_rate_and_kind(rate_hz, kind):
    samples = speech_like(2, sample_rate_hz=rate_hz, level=0.1)
    expected = read_reference(speech_like(2, level=0.1), sample_rate_hz=16000)
    given = {
        "float": samples,
        "stereo": np.stack([samples, samples], axis=1),
        "int16": np.round(samples * 32767).astype(np.int16),
    }[kind]
    got = read_reference(given, sample_rate_hz=rate_hz)
    assert abs(len(got) - len(expected)) < 400
    bands = slice(0, 40)  # below the 4 kHz that all of the rates can hold
    difference = log_mel(got)[5:100, bands] - log_mel(expected)[5:100, bands]
    assert np.abs(difference).mean() < 0.3


@pytest.mark.parametrize(
    ("recording", "rate_hz", "message"),
    [
        (np.zeros(48000, np.float32), 16000, "silent"),
        (np.sign(speech_like(3)), 16000, "clipped"),
        (np.where(np.arange(48000) == 9, np.nan, speech_like(3)), 16000, "NaN"),
        (np.where(np.arange(48000) == 9, np.inf, speech_like(3)), 16000, "NaN or inf"),
        (speech_like(0.3), 16000, "0.3"),
        (speech_like(3), None, "sample_rate_hz"),
        (speech_like(3), 0, "sample_rate_hz"),
        (np.zeros(0, np.float32), 16000, "shape"),
        (np.zeros((2, 2, 2)), 16000, "shape"),
        (np.array(["a", "b"]), 16000, "<U1"),
    ],
)
def test_bad_arrays(cloner, recording, rate_hz, message):
    with pytest.raises(AudioError, match=message):
        Voice.from_recording(recording, sample_rate_hz=rate_hz, consent=CONSENT, cloner=cloner)


def test_ten_minutes_are_cut_with_a_warning(cloner):
    with pytest.warns(UserWarning, match="30"):
        wav = read_reference(np.tile(speech_like(10), 60), sample_rate_hz=16000)
    assert len(wav) <= 30.2 * 16000


@pytest.mark.parametrize("content", [b"", b"Dear diary, this is no sound.", b"RIFF\x24\x08\x00\x00WAVEfmt "])
def test_files_that_are_no_sound(cloner, tmp_path, content):
    path = tmp_path / "me.wav"
    path.write_bytes(content)
    with pytest.raises(AudioError, match="me.wav"):
        Voice.from_recording(path, consent=CONSENT, cloner=cloner)


def test_missing_file_and_folder(cloner, tmp_path):
    for path in (tmp_path / "missing.wav", tmp_path):
        with pytest.raises(AudioError, match=re.escape(str(path))):
            Voice.from_recording(path, consent=CONSENT, cloner=cloner)


def test_a_rate_beside_a_file_is_refused(cloner, tmp_path):
    with pytest.raises(AudioError, match="leave it out"):
        Voice.from_recording(tmp_path / "me.wav", sample_rate_hz=8000, consent=CONSENT, cloner=cloner)


def test_voice_file_round_trip(voice, tmp_path):
    loaded = Voice.load(voice.save(tmp_path / "me.npz"))
    np.testing.assert_array_equal(loaded.voiceprint, voice.voiceprint)
    assert (loaded.name, loaded.consent, loaded.source) == (voice.name, CONSENT, "nowhere")
    assert os.listdir(tmp_path) == ["me.npz"]


def test_several_voices_in_one_file(voice, tmp_path):
    other = Voice("other", voice.voiceprint + 1, CONSENT, "elsewhere")
    save_voices(tmp_path / "voices.npz", [voice, other])
    voices = load_voices(tmp_path / "voices.npz")
    assert list(voices) == ["tester", "other"]
    np.testing.assert_array_equal(voices["other"].voiceprint, voice.voiceprint + 1)
    with pytest.raises(VoiceError, match="2 voices"):
        Voice.load(tmp_path / "voices.npz")


def test_voice_is_saved_as_npz_only(voice, tmp_path):
    with pytest.raises(VoiceError, match="npz"):
        voice.save(tmp_path / "me.json")
    with pytest.raises(VoiceError, match="me.npz"):
        voice.save(tmp_path / "missing" / "me.npz")


def test_damaged_voice_files(voice, tmp_path):
    whole = voice.save(tmp_path / "me.npz").read_bytes()
    for content in (whole[: len(whole) // 2], b"", b"no voice", whole[:60] + b"\xff" * 40 + whole[100:]):
        (tmp_path / "me.npz").write_bytes(content)
        with pytest.raises(VoiceError, match="me.npz"):
            Voice.load(tmp_path / "me.npz")
    with pytest.raises(VoiceError, match="missing.npz"):
        Voice.load(tmp_path / "missing.npz")


def test_an_archive_that_is_no_voice(tmp_path):
    np.savez(tmp_path / "other.npz", numbers=np.arange(3))
    with pytest.raises(VoiceError, match="other.npz"):
        Voice.load(tmp_path / "other.npz")


def test_a_voice_without_consent_cannot_be_saved_or_loaded(voice, tmp_path):
    with pytest.raises(ConsentError):
        save_voices(tmp_path / "me.npz", [Voice("me", voice.voiceprint, "yes", "nowhere")])
    assert os.listdir(tmp_path) == []


def test_failed_save_keeps_the_old_file(voice, tmp_path, monkeypatch):
    path = voice.save(tmp_path / "me.npz")
    before = path.read_bytes()

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(VoiceError, match="No space left"):
        voice.save(path)
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["me.npz"]
