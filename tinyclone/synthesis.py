"""The whole road: a sentence and a voice go in, that voice speaking the sentence comes out."""

from __future__ import annotations

import base64
import html
import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from tinyclone import audio, pretrained
from tinyclone.config import AudioConfig
from tinyclone.errors import CheckpointError, TextError, VoiceError
from tinyclone.griffin_lim import mel_to_wav
from tinyclone.text import decode, encode, split_sentences
from tinyclone.voice import Voice

if TYPE_CHECKING:
    from tinyclone.mel_speaker import MelSpeaker, Prediction
    from tinyclone.wave_speaker import WaveSpeaker

__all__ = ["Speech", "Voice", "clone"]

GRIFFIN_LIM = "griffin-lim"
SPEED_RANGE = (0.5, 2.0)
PITCH_SHIFT_RANGE_SEMITONES = (-12.0, 12.0)
FADE_SEC = 0.005
# Silence after a piece of text that ends so; a piece cut between two words runs on without a rest.
PAUSE_SEC = {".": 0.3, "?": 0.3, "!": 0.3, ";": 0.2, ":": 0.2, ",": 0.12, "-": 0.12}
# Sound at full scale stays below 3.
IMPOSSIBLE_LOG_MEL = 20.0
# At a tenth of real time and 15 characters a second, this is about two seconds of work.
PROGRESS_BAR_CHARACTERS = 300


@dataclass(frozen=True, eq=False)
class Speech:
    """What `clone` returns: the sound, and what it was made of.

    Attributes
    ----------
    wav : np.ndarray [shape=(N,), float32 in [-1, 1]]
    sample_rate_hz : int
    mel : np.ndarray [shape=(F, 80)]
        The log-mel that was turned into `wav`, before its loudness was set; frame ``f`` is centred
        at sample ``f * hop_length``.
    durations : np.ndarray [shape=(T,)]
        Frames of each token; ``durations.sum() == F``.
    tokens : list of str [length T]
    text : str

    Notes
    -----
    Lesson: lessons/00_hear_it_first.ipynb
    """

    wav: np.ndarray
    sample_rate_hz: int
    mel: np.ndarray
    durations: np.ndarray
    tokens: list[str]
    text: str

    @property
    def duration_sec(self) -> float:
        """Length of the sound in seconds."""
        return len(self.wav) / self.sample_rate_hz

    def save(self, path: str | Path) -> Path:
        """Save the sound as .wav, .flac or .ogg; `AudioError` if it cannot be written."""
        audio.save_audio(path, self.wav, sample_rate_hz=self.sample_rate_hz)
        return Path(path)

    def _repr_html_(self) -> str:
        """Show a player in a notebook."""
        import soundfile

        buffer = io.BytesIO()
        soundfile.write(buffer, self.wav, self.sample_rate_hz, format="WAV", subtype="PCM_16")
        encoded = base64.b64encode(buffer.getvalue()).decode()
        label = html.escape(self.text if len(self.text) <= 200 else self.text[:200] + "...", quote=True)
        player = f'<audio controls aria-label="{label}" src="data:audio/wav;base64,{encoded}"></audio>'
        return f"<figure><figcaption>{label}</figcaption>{player}</figure>"


def clone(
    text: str,
    voice: Voice,
    *,
    speed: float = 1.0,
    pitch_shift: float = 0.0,
    seed: int = 0,
    cloner: MelSpeaker | None = None,
    vocoder: WaveSpeaker | str | None = None,
) -> Speech:
    """Speak a text with a voice.

    Parameters
    ----------
    text : str
        English text of any length; it is spoken sentence by sentence.
    voice : Voice
        Who speaks.
    speed : float in [0.5, 2]
        2 speaks twice as fast.
    pitch_shift : float in [-12, 12]
        Semitones to raise the voice by.
    seed : int
        Decides the vocoder's noise, or the phases that Griffin-Lim starts from; the same seed gives the
        same samples.
    cloner : MelSpeaker, optional
        The model that speaks; the shipped one if not given.
    vocoder : WaveSpeaker or "griffin-lim", optional
        What turns mels into sound; the shipped neural vocoder if not given.

    Returns
    -------
    Speech
        As loud as a reference, -23 dB, with a peak of at most 0.99.

    Raises
    ------
    TextError
        If nothing in the text can be spoken.
    VoiceError
        If the voice was made with other weights.
    ValueError
        If `speed` or `pitch_shift` is out of range, or `vocoder` is a string but "griffin-lim".

    Notes
    -----
    Lesson: lessons/00_hear_it_first.ipynb
    """
    _require_in_range("speed", speed, SPEED_RANGE, unit="times the normal speed")
    _require_in_range("pitch_shift", pitch_shift, PITCH_SHIFT_RANGE_SEMITONES, unit="semitones")
    sentences = _encode_sentences(text)
    model = cloner if cloner is not None else pretrained.load_speaker()
    _require_own_voice(voice, model)
    config = model.config.audio
    wave_of = _wave_maker(vocoder, config=config)
    predictions, waves, pauses = [], [], []
    for index, (sentence, tokens) in enumerate(
        tqdm(sentences, desc="Speaking", unit="sentence", disable=len(text) < PROGRESS_BAR_CHARACTERS)
    ):
        prediction = model.predict_mel(
            tokens, voice.voiceprint, speed=speed, pitch_shift_semitones=pitch_shift
        )
        predictions.append(prediction)
        waves.append(_sound(prediction, wave_of, config=config, seed=seed + index))
        is_last = index == len(sentences) - 1
        pauses.append(0 if is_last else _pause_frames(sentence, speed=speed, config=config))
    mel, durations = _join_mels(predictions, pauses, config=config)
    return Speech(
        wav=_join_waves(waves, predictions, pauses, config=config),
        sample_rate_hz=config.sample_rate_hz,
        mel=mel,
        durations=durations,
        tokens=[symbol for _, tokens in sentences for symbol in decode(tokens)],
        text=text,
    )


def _encode_sentences(text: str) -> list[tuple[str, np.ndarray]]:
    """Return each piece of the text with its tokens; pieces without a word are left out with a warning."""
    if not isinstance(text, str):
        raise TextError(f"The text is {type(text).__name__}, but a string was expected.")
    sentences, unspoken = [], []
    for sentence in split_sentences(text):
        try:
            sentences.append((sentence, encode(sentence)))
        except TextError:
            unspoken.append(sentence)
    if not sentences:
        encode(text)
        raise TextError(f"Nothing in {text[:40]!r} can be spoken. Write at least one English word.")
    if unspoken:
        warnings.warn(f"Left out, as it has no English word: {' '.join(unspoken)[:80]!r}", stacklevel=3)
    return sentences


def _join_mels(
    predictions: list[Prediction], pauses: list[int], *, config: AudioConfig
) -> tuple[np.ndarray, np.ndarray]:
    """Lay mels end to end; a pause's frames belong to the token before it."""
    mels, durations = [], []
    silence = np.float32(np.log(config.log_floor))
    for prediction, pause in zip(predictions, pauses, strict=True):
        mels += [prediction.mel, np.full((pause, config.n_mels), silence, np.float32)]
        durations.append(np.array(prediction.durations))
        durations[-1][-1] += pause
    return np.concatenate(mels).astype(np.float32), np.concatenate(durations)


def _join_waves(
    waves: list[np.ndarray], predictions: list[Prediction], pauses: list[int], *, config: AudioConfig
) -> np.ndarray:
    """Lay each wave where its first frame is centred, so that sound and mel stay in step."""
    hop = config.hop_length
    frames = sum(len(prediction.mel) for prediction in predictions) + sum(pauses)
    joined = np.zeros(max(frames - 1, 1) * hop, np.float32)
    start_frame = 0
    for wav, prediction, pause in zip(waves, predictions, pauses, strict=True):
        start = start_frame * hop
        room = joined[start : start + len(wav)]
        room += wav[: len(room)]
        start_frame += len(prediction.mel) + pause
    # A predicted mel is smoother than a real one, and so the sound it makes is softer.
    return audio.normalise_loudness(joined, config=config)


def _wave_maker(vocoder: WaveSpeaker | str | None, *, config: AudioConfig) -> Callable[..., np.ndarray]:
    """Return the function that turns a prediction and a seed into a wave."""
    if vocoder == GRIFFIN_LIM:
        return lambda prediction, seed: mel_to_wav(prediction.mel, config=config, seed=seed)
    if isinstance(vocoder, str):
        raise ValueError(
            f"vocoder is {vocoder!r}; expected {GRIFFIN_LIM!r}, a vocoder, or nothing for the shipped one."
        )
    if vocoder is None:
        from tinyclone.vocoder_weights import load_wave_speaker

        vocoder = load_wave_speaker()
    config.require_same(vocoder.config.audio, what="The vocoder")
    # The mel's harmonics were drawn along this very contour: nothing needs to be read off again.
    return lambda prediction, seed: vocoder.speak(prediction.mel, pitch_hz=prediction.contour_hz, seed=seed)


def _sound(
    prediction: Prediction, wave_of: Callable[..., np.ndarray], *, config: AudioConfig, seed: int
) -> np.ndarray:
    """Turn one piece's mel into sound that starts and ends softly."""
    loudest = float(prediction.mel.max())
    if not np.isfinite(prediction.mel).all() or loudest > IMPOSSIBLE_LOG_MEL:
        raise CheckpointError(
            f"The model made a mel whose loudest value is {loudest:g}; finite ones below "
            f"{IMPOSSIBLE_LOG_MEL:g} were expected: its weights are damaged or untrained. Load others."
        )
    # Between the centres of fewer than two frames there is no sound.
    if len(prediction.mel) < 2:
        return np.zeros(0, np.float32)
    return _fade(wave_of(prediction, seed), config=config)


def _fade(wav: np.ndarray, *, config: AudioConfig) -> np.ndarray:
    """Fade in and out over 5 ms, so that a join does not click."""
    length = min(int(FADE_SEC * config.sample_rate_hz), len(wav) // 2)
    ramp = np.linspace(0.0, 1.0, length, dtype=np.float32)
    faded = np.array(wav, np.float32)
    faded[:length] *= ramp
    faded[len(faded) - length :] *= ramp[::-1]
    return faded


def _pause_frames(sentence: str, *, speed: float, config: AudioConfig) -> int:
    last = sentence.rstrip("\"')]} \u2019\u201d")[-1:]
    return round(PAUSE_SEC.get(last, 0.0) / speed * config.frames_per_sec)


def _require_in_range(name: str, value: float, limits: tuple[float, float], *, unit: str) -> None:
    low, high = limits
    if not isinstance(value, (int, float, np.number)) or not low <= value <= high:
        raise ValueError(f"{name} is {value!r}, but a number from {low:g} to {high:g} {unit} was expected.")


def _require_own_voice(voice: Voice, cloner: MelSpeaker) -> None:
    if not isinstance(voice, Voice):
        raise VoiceError(
            f"The voice is {type(voice).__name__}, but a Voice was expected. "
            "Use Voice.named(...), Voice.load(...) or Voice.from_recording(...)."
        )
    size = cloner.config.voiceprint_length
    if voice.voiceprint.shape != (size,):
        raise VoiceError(
            f"The voiceprint of {voice.name!r} has the shape {voice.voiceprint.shape}, but these weights "
            f"expect ({size},). Make the voice again from the recording."
        )
    own = cloner.fingerprint
    if voice.cloner_fingerprint and own and voice.cloner_fingerprint != own:
        raise VoiceError(
            f"The voice {voice.name!r} was made with other weights ({voice.cloner_fingerprint}) than these "
            f"({own}): its voiceprint would mean another voice. Make it again from the recording."
        )
