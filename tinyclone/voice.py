"""Who speaks: a voiceprint made from a recording, with the consent of the person it belongs to."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tinyclone import audio, pretrained, shipped
from tinyclone.array_files import read_arrays, write_arrays
from tinyclone.config import AudioConfig
from tinyclone.errors import AudioError, CheckpointError, ConsentError, VoiceError
from tinyclone.mel import log_mel
from tinyclone.reference import check_reference

if TYPE_CHECKING:
    from tinyclone.mel_speaker import MelSpeaker


@dataclass(frozen=True, eq=False)
class Voice:
    """A voice that `clone` can speak with: a voiceprint, and who agreed to its use.

    Attributes
    ----------
    name : str
    voiceprint : np.ndarray [shape=(V,), float32]
        What the reference encoder heard: one point in the space of voices.
    consent : str
        The sentence that says who agreed.
    source : str
        The recording or the corpus that it was made from.
    cloner_fingerprint : str
        Which weights made it; only these can read it. Empty if not known.

    Notes
    -----
    Lesson: lessons/08_your_own_voice.ipynb
    """

    name: str
    voiceprint: np.ndarray = field(repr=False)
    consent: str
    source: str
    cloner_fingerprint: str = field(default="", repr=False)

    @classmethod
    def named(cls, name: str) -> Voice:
        """Return one of the voices that come with the package; `voice_names` lists them."""
        voices = shipped_voices()
        if name not in voices:
            raise VoiceError(f"There is no voice named {name!r}. Choose one of: {', '.join(voices)}.")
        return voices[name]

    @classmethod
    def from_recording(
        cls,
        recording: str | Path | np.ndarray,
        *,
        consent: str | None = None,
        sample_rate_hz: int | None = None,
        name: str | None = None,
        cloner: MelSpeaker | None = None,
    ) -> Voice:
        """Make a voice from a few seconds of somebody's speech, with their consent.

        Parameters
        ----------
        recording : str, Path or np.ndarray [shape=(N,) or (N, channels)]
            A file that soundfile reads, or samples: floats in [-1, 1] or signed integers.
            3-15 s of one speaker without music or noise is best.
        consent : str
            A sentence that says who agreed, for example "I am Ana Lopez and this is my own voice."
        sample_rate_hz : int
            Needed with an array, and only then.
        name : str, optional
            The file's name without its suffix, if not given.
        cloner : MelSpeaker, optional
            The model that listens; the shipped one if not given.

        Returns
        -------
        Voice

        Raises
        ------
        ConsentError
            If `consent` is missing or does not say who agreed.
        AudioError
            If the recording cannot be read, or is silent, clipped or shorter than a second.

        Notes
        -----
        Lesson: lessons/08_your_own_voice.ipynb
        """
        consent = require_consent(consent)
        if isinstance(recording, (str, Path)) and sample_rate_hz is not None:
            raise AudioError("sample_rate_hz was given with a file, which knows its own rate: leave it out.")
        # Bad audio is refused before the model, which takes seconds to load.
        config = cloner.config.audio if cloner is not None else AudioConfig()
        wav = read_reference(recording, sample_rate_hz=sample_rate_hz, config=config)
        model = cloner if cloner is not None else pretrained.load_speaker()
        is_file = isinstance(recording, (str, Path))
        return cls(
            name=name or (Path(recording).stem if is_file else "recording"),
            voiceprint=np.asarray(model.voiceprint(log_mel(wav, config=config)), dtype=np.float32),
            consent=consent,
            source=Path(recording).name if is_file else "samples in memory",
            cloner_fingerprint=model.fingerprint,
        )

    def save(self, path: str | Path) -> Path:
        """Save the voice as a ``.npz`` file of about a kilobyte; it holds no sound."""
        if Path(path).suffix.lower() != ".npz":
            raise VoiceError(f"A voice is saved as a .npz file, but {path} was asked for. Name it .npz.")
        try:
            return save_voices(path, [self])
        except CheckpointError as error:
            raise VoiceError(str(error)) from error

    @classmethod
    def load(cls, path: str | Path) -> Voice:
        """Load a voice saved by `save`; `VoiceError` if the file is not one."""
        voices = load_voices(path)
        if len(voices) != 1:
            raise VoiceError(f"{path} holds {len(voices)} voices, but one was expected.")
        return next(iter(voices.values()))


def read_reference(
    recording: str | Path | np.ndarray,
    *,
    sample_rate_hz: int | None = None,
    config: AudioConfig = AudioConfig(),
) -> np.ndarray:
    """Bring a recording to what the reference encoder listens to.

    Parameters
    ----------
    recording : str, Path or np.ndarray
        As in `Voice.from_recording`.
    sample_rate_hz : int
        Needed with an array.
    config : AudioConfig

    Returns
    -------
    np.ndarray [shape=(N,), float32]
        Mono, at the config's rate, checked, without silence at the ends, at the usual loudness.

    Notes
    -----
    Lesson: lessons/08_your_own_voice.ipynb
    """
    if isinstance(recording, (str, Path)):
        wav = audio.load_audio(recording, config=config)
    else:
        wav = _wav_from_samples(recording, sample_rate_hz=sample_rate_hz, config=config)
    wav = check_reference(wav, config=config)
    return audio.normalise_loudness(audio.trim_silence(wav, config=config), config=config)


def require_consent(consent: str | None) -> str:
    """Return the consent without outer spaces, or raise `ConsentError` if it does not say who agreed."""
    words = re.findall(r"[^\W\d_]{1,}[^\s]*", consent) if isinstance(consent, str) else []
    if len(words) < 3 or sum(len(word) for word in words) < 8:
        raise ConsentError(
            f"The consent is {consent!r}, but it must be a sentence that says who agreed, such as "
            '"I am Ana Lopez and this is my own voice." or "Tom Reed agreed to this on 2 May, by e-mail." '
            "A voice is part of a person: copying it without their agreement deceives whoever listens, and "
            "is against the law in many places. The sentence is kept with the voice."
        )
    return " ".join(consent.split())


def shipped_voices() -> dict[str, Voice]:
    """Return the voices that come with the package, by name."""
    return load_voices(shipped.shipped_file("voices.npz"))


def voice_names() -> list[str]:
    """Return the names of the voices that come with the package."""
    return list(shipped_voices())


def save_voices(path: str | Path, voices: list[Voice]) -> Path:
    """Save voices in one ``.npz`` file that appears whole or not at all."""
    header = {
        "voices": [
            {
                "name": voice.name,
                "consent": require_consent(voice.consent),
                "source": voice.source,
                "cloner_fingerprint": voice.cloner_fingerprint,
            }
            for voice in voices
        ],
    }
    voiceprints = np.stack([voice.voiceprint for voice in voices]).astype(np.float32)
    return write_arrays(path, {"voiceprints": voiceprints}, header=header)


def load_voices(path: str | Path) -> dict[str, Voice]:
    """Load the voices of a file written by `save_voices` or `Voice.save`, by name."""
    try:
        arrays, header = read_arrays(path)
        voiceprints = arrays["voiceprints"]
        voices = [
            Voice(voiceprint=row, **entry) for row, entry in zip(voiceprints, header["voices"], strict=True)
        ]
    except CheckpointError as error:
        raise VoiceError(str(error).replace("weights file", "voice file")) from error
    except (KeyError, TypeError, ValueError) as error:
        raise VoiceError(f"{path} is not a voice file. Make one with Voice.save.") from error
    if voiceprints.ndim != 2 or not np.isfinite(voiceprints).all():
        raise VoiceError(f"{path} holds voiceprints that cannot be used. Make it again from the recording.")
    for voice in voices:
        require_consent(voice.consent)
    return {voice.name: voice for voice in voices}


def _wav_from_samples(samples: np.ndarray, *, sample_rate_hz: int | None, config: AudioConfig) -> np.ndarray:
    samples = np.asarray(samples)
    if not sample_rate_hz or sample_rate_hz < 1:
        raise AudioError(
            f"sample_rate_hz is {sample_rate_hz!r}, but samples mean nothing without their rate. "
            "Pass it, for example sample_rate_hz=44100."
        )
    if samples.ndim not in (1, 2) or samples.size == 0 or samples.dtype.kind not in "fi":
        raise AudioError(
            f"The recording is {samples.dtype} of shape {samples.shape}, but floats in [-1, 1] or signed "
            "integers of shape (N,) or (N, channels) were expected."
        )
    if samples.dtype.kind == "i":
        samples = samples / float(np.iinfo(samples.dtype).max + 1)
    if samples.ndim == 2:
        samples = samples.mean(axis=int(np.argmin(samples.shape)))
    if not np.isfinite(samples).all():
        raise AudioError("The recording holds NaN or infinite samples. Record or export it again.")
    return audio.resample(samples.astype(np.float32), from_hz=sample_rate_hz, to_hz=config.sample_rate_hz)
