"""What a checkpoint carries beside its weights: how mels are made, and every size of the model."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from tinyclone.errors import CheckpointError

if TYPE_CHECKING:
    from typing import Self


@dataclass(frozen=True)
class AudioConfig:
    """Everything that decides what a mel-spectrogram means.

    Two mels can only be mixed when every value here is the same: a vocoder fed with mels of another
    hop length speaks too fast, of another floor it hisses. A checkpoint therefore stores its config
    and is refused when it meets another.

    Parameters
    ----------
    sample_rate_hz : int
        Samples per second. 16 kHz keeps everything below 8 kHz, enough for clear speech.
    n_fft : int
        Samples in one analysis window, 64 ms: long enough to separate the harmonics of a low voice.
    hop_length : int
        Samples from one frame to the next, 16 ms: 62.5 frames a second, about the shortest phone.
    n_mels : int
        Mel bands in a frame.
    fmin_hz, fmax_hz : float
        Edges of the lowest and the highest mel band.
    log_floor : float
        Smallest magnitude before the logarithm; silence is ``log(log_floor)``, about -11.5.

    Notes
    -----
    Lesson: lessons/02_mel_extraction.ipynb
    """

    sample_rate_hz: int = 16000
    n_fft: int = 1024
    hop_length: int = 256
    n_mels: int = 80
    fmin_hz: float = 0.0
    fmax_hz: float = 8000.0
    log_floor: float = 1e-5

    @property
    def frames_per_sec(self) -> float:
        """Mel frames in one second of sound."""
        return self.sample_rate_hz / self.hop_length

    def to_dict(self) -> dict[str, float | int]:
        """Return the values as a dictionary that JSON can hold."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, float | int]) -> AudioConfig:
        """Build a config from `to_dict`'s dictionary; unknown or missing names are refused."""
        _require_names(cls, values, what="The audio config")
        return cls(**values)

    def require_same(self, other: AudioConfig, *, what: str = "The checkpoint") -> None:
        """Raise `CheckpointError` that names each difference unless `other` equals this config."""
        differences = [
            f"{field.name} = {getattr(other, field.name)!r} (expected {getattr(self, field.name)!r})"
            for field in fields(self)
            if getattr(self, field.name) != getattr(other, field.name)
        ]
        if differences:
            raise CheckpointError(
                f"{what} was made for another audio config: {'; '.join(differences)}. "
                "Use weights of this config, or pass the config that they were made with."
            )


class ModelConfig:
    """What the configs of models share: each is a frozen dataclass that JSON can hold.

    Notes
    -----
    Lesson: lessons/04_model_building.ipynb
    """

    def to_dict(self) -> dict[str, Any]:
        """Return the values as a dictionary that JSON can hold."""
        return {name: list(one) if isinstance(one, tuple) else one for name, one in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Build a config from `to_dict`'s dictionary; unknown or missing names are refused."""
        _require_names(cls, values, what=f"The {cls.__name__}")
        plain = {name: tuple(one) if isinstance(one, list) else one for name, one in values.items()}
        return cls(**{**plain, "audio": AudioConfig.from_dict(values["audio"])})


@dataclass(frozen=True)
class ClonerConfig(ModelConfig):
    """Every size of the model; saved with its weights.

    Parameters
    ----------
    audio : AudioConfig
        Of the mels that the model reads and makes.
    n_symbols : int
        Rows of the embedding: the length of `tinyclone.text.SYMBOLS`.
    text_channels, reference_channels, variance_channels, decoder_channels : int
        Width of each part.
    voiceprint_size : int
        Numbers that describe a voice.
    reference_frames : int
        Frames of one look at the reference: 192 are 3 s.
    kernel_size : int
        Frames or tokens that one convolution sees.
    decoder_dilations : tuple of int
        One decoder block each; together they see 57 frames, 0.9 s.
    dropout : float in [0, 1)
        Share of values dropped after each block while training.
    mel_mean, mel_std : float
        Natural-log mels are brought to about mean 0 and variance 1 by these.
    pitch_mean, pitch_std : float
        The same for the natural log of the pitch in Hz.

    Notes
    -----
    Lesson: lessons/04_model_building.ipynb
    """

    audio: AudioConfig = field(default_factory=AudioConfig)
    n_symbols: int = 107
    text_channels: int = 192
    reference_channels: int = 192
    variance_channels: int = 192
    decoder_channels: int = 224
    voiceprint_size: int = 128
    reference_frames: int = 192
    kernel_size: int = 5
    decoder_dilations: tuple[int, ...] = (1, 2, 4, 1, 2, 4)
    dropout: float = 0.1
    mel_mean: float = -5.4
    mel_std: float = 2.1
    pitch_mean: float = 5.15
    pitch_std: float = 0.4

    @property
    def voiceprint_length(self) -> int:
        """Numbers that a voice is saved as: the voiceprint, then a scale and an offset for each band."""
        return self.voiceprint_size + 2 * self.audio.n_mels


@dataclass(frozen=True)
class VocoderConfig(ModelConfig):
    """Every size of the vocoder; saved with its weights.

    Parameters
    ----------
    audio : AudioConfig
        Of the mels that it reads.
    channels, hidden_channels, n_blocks, kernel_size : int
        Of the network that shapes the sound.
    looks_per_frame : int
        Spectra that it makes of each mel frame; windows are as many times shorter. A mouth moves faster
        than mel frames follow one another, and harmonics need not be told apart: the source has them.
    pitch_channels, n_pitch_blocks, pitch_classes : int
        Of the network that reads the pitch.
    mel_mean, mel_std, pitch_mean, pitch_std : float
        Natural-log mels, and natural logs of pitches in Hz, are brought to about mean 0 and variance 1.

    Notes
    -----
    Lesson: lessons/07_neural_vocoder.ipynb
    """

    audio: AudioConfig = field(default_factory=AudioConfig)
    channels: int = 192
    hidden_channels: int = 576
    n_blocks: int = 4
    kernel_size: int = 7
    looks_per_frame: int = 2
    pitch_channels: int = 96
    n_pitch_blocks: int = 2
    pitch_classes: int = 256
    mel_mean: float = -5.4
    mel_std: float = 2.1
    pitch_mean: float = 5.15
    pitch_std: float = 0.4

    @property
    def look(self) -> AudioConfig:
        """Window and hop of the spectra that are made."""
        n_fft, hop_length = (one // self.looks_per_frame for one in (self.audio.n_fft, self.audio.hop_length))
        return replace(self.audio, n_fft=n_fft, hop_length=hop_length)


def _require_names(config: type, values: dict[str, Any], *, what: str) -> None:
    names = {one.name for one in fields(config)}
    if set(values) != names:
        raise CheckpointError(
            f"{what} has the entries {sorted(values)}, but this version of tinyclone expects "
            f"{sorted(names)}. Use weights made by the same version, or train again."
        )
