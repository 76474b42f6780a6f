"""Every size of Tacotron 2."""

from __future__ import annotations

from dataclasses import dataclass, field

from tinyclone.config import AudioConfig, ModelConfig
from tinyclone.papers.characters import N_CHARACTERS


@dataclass(frozen=True)
class Tacotron2Config(ModelConfig):
    """Every size of the model; saved with its weights. The lesson has the paper's beside them.

    Parameters
    ----------
    audio : AudioConfig
        Of the mels that it makes.
    n_characters : int
        Rows of the embedding: `tinyclone.papers.characters.N_CHARACTERS`.
    reduction_factor : int
        Frames that one decoder step makes.
    encoder_channels, encoder_layers, encoder_kernel, encoder_units : int
        Of the embedding and the convolutions; units of the LSTM in each direction.
    attention_units, location_filters, location_kernel : int
        Of the attention. Without filters it does not know where it looked before.
    prenet_units, decoder_units : int
        Of the two layers that read the last frame, and of the two LSTM layers.
    postnet_channels, postnet_layers, postnet_kernel : int
        Of the convolutions that correct the mel.
    prenet_dropout, convolution_dropout : float in [0, 1)
        Share of values that are dropped in the prenet, also at synthesis, and after convolutions.
    teacher_dropout : float in [0, 1)
        Share of recorded frames that are withheld from the decoder in training; 0 is the paper.
    hears_itself : float in [0, 1)
        Share of sentences in which it is told its own frames in training; 0 is the paper.
    stop_weight, guided_weight : float
        How much the one step at which to stop counts against one at which to go on, and how much attention
        far from the diagonal is punished.
    mel_mean, mel_std : float
        Natural-log mels are brought to about mean 0 and variance 1 by these.

    Notes
    -----
    Lesson: lessons/papers/tacotron2.ipynb
    """

    audio: AudioConfig = field(default_factory=AudioConfig)
    n_characters: int = N_CHARACTERS
    reduction_factor: int = 2
    encoder_channels: int = 128
    encoder_layers: int = 3
    encoder_kernel: int = 5
    encoder_units: int = 64
    attention_units: int = 128
    location_filters: int = 32
    location_kernel: int = 31
    prenet_units: int = 128
    decoder_units: int = 192
    postnet_channels: int = 96
    postnet_layers: int = 5
    postnet_kernel: int = 5
    prenet_dropout: float = 0.5
    convolution_dropout: float = 0.1
    teacher_dropout: float = 0.0
    hears_itself: float = 0.0
    stop_weight: float = 8.0
    guided_weight: float = 1.0
    mel_mean: float = -5.4
    mel_std: float = 2.1

    def __post_init__(self) -> None:
        """Refuse what makes no model."""
        for name, value in vars(self).items():
            if name.endswith(("dropout", "itself")) and not 0 <= value < 1:
                raise ValueError(f"{name} = {value}: expected a share, 0 or more and below 1.")
            if isinstance(value, int) and value < (0 if name == "location_filters" else 1):
                raise ValueError(f"{name} = {value}: expected 1 or more.")
