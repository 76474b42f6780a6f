"""Every size of Tacotron."""

from __future__ import annotations

from dataclasses import dataclass, field

from tinyclone.config import AudioConfig, ModelConfig


@dataclass(frozen=True)
class TacotronConfig(ModelConfig):
    """Every size of the model; saved with its weights.

    Parameters
    ----------
    audio : AudioConfig
        Of the spectrograms.
    embedding : int
        Numbers that stand for a character.
    prenet : tuple of int
        Channels of the two layers before the encoder and before the decoder.
    dropout : float in [0, 1)
        After each of them.
    widest_kernel, bank_channels : int
        The encoder's bank has kernels of 1 to `widest_kernel` characters, each with so many channels.
    highway_layers : int
        In both CBHGs.
    encoder_cells, attention_units, attention_cells, decoder_cells : int
        Of the encoder's GRU in each direction; of the attention; of the decoder's GRUs.
    post_widest_kernel, post_channels, post_cells : int
        Of the CBHG that makes the linear spectrogram.
    reduction_factor : int
        Frames that the decoder makes in one step.
    silent_steps : int
        Steps of silence after each sentence that it learns to make, so that it knows when to stop.
    longest_frames_per_character : int
        Synthesis goes no further than that.
    teacher_dropout : float in [0, 1)
        Share of recorded frames that are withheld from the decoder in training; 0 is the paper.
    hears_itself : float in [0, 1)
        Share of sentences in which it is told its own frames in training; 0 is the paper.
    guided_attention_weight : float >= 0
        Of what guides the attention; 0 is the paper.
    sharpening : float
        Magnitudes are raised to this power before Griffin-Lim.
    mel_mean, mel_std, linear_mean, linear_std : float
        Natural logs are brought to about mean 0 and variance 1 by these.

    Notes
    -----
    Wang et al. 2017, "Tacotron: Towards end-to-end speech synthesis", table 1, made smaller: TACOTRON_CARD.md
    sets both side by side.

    Lesson: lessons/papers/tacotron.ipynb
    """

    audio: AudioConfig = field(default_factory=AudioConfig)
    embedding: int = 128
    prenet: tuple[int, ...] = (128, 64)
    dropout: float = 0.5
    widest_kernel: int = 8
    bank_channels: int = 64
    highway_layers: int = 4
    encoder_cells: int = 64
    attention_units: int = 128
    attention_cells: int = 192
    decoder_cells: int = 192
    post_widest_kernel: int = 8
    post_channels: int = 64
    post_cells: int = 128
    reduction_factor: int = 2
    silent_steps: int = 4
    longest_frames_per_character: int = 12
    teacher_dropout: float = 0.0
    hears_itself: float = 0.0
    guided_attention_weight: float = 0.5
    sharpening: float = 1.2
    mel_mean: float = -5.4
    mel_std: float = 2.1
    linear_mean: float = -3.7
    linear_std: float = 2.9

    def __post_init__(self) -> None:
        if min(self.reduction_factor, self.widest_kernel, self.post_widest_kernel) < 1:
            raise ValueError("reduction_factor and the widest kernels of a TacotronConfig start at 1.")
        for name in ("dropout", "teacher_dropout", "hears_itself"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} = {getattr(self, name)}: expected a share, 0 or more and below 1.")
        if self.guided_attention_weight < 0:
            raise ValueError(f"guided_attention_weight = {self.guided_attention_weight}: expected 0 or more.")
