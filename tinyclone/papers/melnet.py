"""MelNet: a spectrogram drawn element by element, coarse first, each one from a mixture of Gaussians.

Only ``keras`` and ``keras.ops``: the same file runs on TensorFlow and JAX. Shapes in comments: B clips,
F frames, T frames of a tier, M bands, C channels, K Gaussians, N characters. The three stacks stand in
`tinyclone.papers.delayed_stacks`, splitting into tiers in `tinyclone.papers.multiscale`, drawing in
`tinyclone.papers.melnet_sampling`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import keras
from keras import layers, ops

from tinyclone.config import AudioConfig, ModelConfig
from tinyclone.papers.characters import N_CHARACTERS
from tinyclone.papers.delayed_stacks import (
    DelayedLayer,
    FeatureLayer,
    dense,
    embedding,
    higher_in_frequency,
    later_in_time,
)
from tinyclone.papers.gaussian_mixtures import negative_log_likelihood, read_mixture
from tinyclone.papers.guided_attention import guided_attention_loss
from tinyclone.papers.melnet_speaking import MelNetSpeaking
from tinyclone.papers.multiscale import (
    TIME,
    axis_of,
    bands_of_tier,
    frames_of_tiers,
    spectrogram_of,
    tiers_of,
)
from tinyclone.papers.window_attention import TextReader, WindowAttention


@dataclass(frozen=True)
class MelNetConfig(ModelConfig):
    """Every size of the model; saved with its weights.

    Parameters
    ----------
    audio : AudioConfig
        Of the mels. The cost of drawing one element of them after the other is why there are 32 bands.
    channels, layers : tuple of int
        Of each tier, the coarsest first; as many as there are tiers.
    n_gaussians : int
        In the mixture of each element.
    n_characters : int
        Rows of the embedding of characters.
    n_bumps : int
        Of the window that slides over the text.
    characters_per_step : float
        How far the window moves in a frame of the first tier before anything is learned.
    guidance : float >= 0
        Weight of `tinyclone.papers.guided_attention.guided_attention_loss`; not in the paper.
    smallest_std : float
        Bound of the Gaussians' standard deviations, in units of `mel_std`: 0.05 are 0.9 dB.
    mel_mean, mel_std : float
        Natural-log mels are brought to about mean 0 and variance 1 by these.

    Notes
    -----
    Lesson: lessons/papers/melnet.ipynb
    """

    audio: AudioConfig = field(default_factory=lambda: AudioConfig(n_mels=32))
    channels: tuple[int, ...] = (56, 32, 32, 32, 32)
    layers: tuple[int, ...] = (3, 1, 1, 1, 1)
    n_gaussians: int = 10
    n_characters: int = N_CHARACTERS
    n_bumps: int = 5
    characters_per_step: float = 1.0
    guidance: float = 1.0
    smallest_std: float = 0.05
    mel_mean: float = -5.2
    mel_std: float = 2.0

    @property
    def n_tiers(self) -> int:
        """Tiers, the first included."""
        return len(self.layers)

    @property
    def frames_multiple(self) -> int:
        """What the number of frames must be a multiple of."""
        return 2 ** sum(axis_of(tier) == TIME for tier in range(2, self.n_tiers + 1))

    @property
    def bands_multiple(self) -> int:
        """What the number of bands must be a multiple of."""
        return 2 ** (self.n_tiers - 1) // self.frames_multiple


class Tier(layers.Layer):
    """One tier: the stacks, and what they are told: the text, or the coarser spectrogram.

    Parameters
    ----------
    number : int
        From 1.
    config : MelNetConfig

    Notes
    -----
    Vasquez & Lewis 2019, sections 4 and 6.

    Lesson: lessons/papers/melnet.ipynb
    """

    def __init__(self, number: int, config: MelNetConfig) -> None:
        super().__init__()
        channels, n_layers = config.channels[number - 1], config.layers[number - 1]
        first = number == 1
        inputs = 1 if first else 1 + channels
        self.enter_time, self.enter_frequency = dense(inputs, channels), dense(inputs, channels)
        self.n_bands = bands_of_tier(number, n_tiers=config.n_tiers, n_mels=config.audio.n_mels)
        self.band_embedding = embedding(self.n_bands, 2 * channels)
        self.stacks = [DelayedLayer(channels, centralised=first) for _ in range(n_layers)]
        self.exit = dense(channels, 3 * config.n_gaussians)
        if first:
            pace = {"bumps": config.n_bumps, "characters_per_step": config.characters_per_step}
            self.enter_centre = dense(self.n_bands, channels)
            self.attention = WindowAttention(channels, **pace)
        else:
            self.enter_features, self.features = dense(1, channels), FeatureLayer(channels)
        self.reads_text = first

    def call(self, x, memory=None, coarser=None, coarser_frames=None):
        """Say what each element may be, given those before it.

        Parameters
        ----------
        x : tensor, shape (B, T, M)
            Normalised mel of this tier. What is said of an element does not depend on it or later ones.
        memory : tensor, shape (B, N, C), optional
            The text that the first tier reads.
        coarser : tensor, shape (B, T, M), optional
            What all tiers before this one make.
        coarser_frames : tensor, shape (B,), int, optional
            How many frames of that are not padding.

        Returns
        -------
        raw : tensor, shape (B, T, M, 3 * K)
            As `tinyclone.papers.gaussian_mixtures.read_mixture` reads it.
        alignment : tensor, shape (B, T, N), or None
        """
        in_time, in_frequency = (ops.expand_dims(one(x), -1) for one in (later_in_time, higher_in_frequency))
        of_time, of_frequency = ops.split(self.band_embedding(ops.arange(self.n_bands)), 2, axis=-1)  # (M, C)
        centre = alignment = None
        if self.reads_text:
            centre = self.enter_centre(later_in_time(x))  # (B, T, C)
        else:
            seen = self.enter_features(ops.expand_dims(coarser, -1)) + of_time  # (B, T, M, C)
            seen = self.features(seen, coarser_frames)
            in_time = ops.concatenate([in_time, seen], axis=-1)  # (B, T, M, 1 + C)
            in_frequency = ops.concatenate([in_frequency, seen], axis=-1)
        in_time = self.enter_time(in_time) + of_time  # (B, T, M, C)
        in_frequency = self.enter_frequency(in_frequency) + of_frequency
        for number, layer in enumerate(self.stacks):
            if centre is not None and number == len(self.stacks) // 2:
                context, alignment = self.attention(centre, memory)
                centre = centre + context
            in_time, in_frequency, centre = layer(in_time, in_frequency, centre)
        return self.exit(in_frequency), alignment


class MelNet(keras.Model, MelNetSpeaking):
    """The whole model. `call` is for training; what draws spectrograms stands in `MelNetSpeaking`.

    Parameters
    ----------
    config : MelNetConfig

    Notes
    -----
    Vasquez & Lewis 2019, "MelNet: a generative model for audio in the frequency domain".

    Lesson: lessons/papers/melnet.ipynb
    """

    def __init__(self, config: MelNetConfig = MelNetConfig()) -> None:
        super().__init__()
        if len(config.channels) != config.n_tiers or config.audio.n_mels % config.bands_multiple:
            raise ValueError(
                f"Got {config.audio.n_mels} bands, channels {config.channels} and layers {config.layers}; "
                f"expected a multiple of {config.bands_multiple} bands, and channels for each tier."
            )
        self.config = config
        self.reader = TextReader(config.n_characters, config.channels[0])
        self.tiers = [Tier(number, config) for number in range(1, config.n_tiers + 1)]
        self.parts = [keras.metrics.Mean(name=f"tier_{number}") for number in range(1, config.n_tiers + 1)]
        self.guided = keras.metrics.Mean(name="guided_attention")
        self.built = True

    def build_all(self) -> MelNet:
        """Return the model, ready to load weights: every layer made its own when it was made."""
        return self

    def call(self, inputs, training=False):
        """Say what each element may be, given the elements before it.

        Parameters
        ----------
        inputs : dict
            ``characters`` (B, N) int, 0 on padding, all 0 for no text; ``mel`` (B, F, n_mels), natural
            log, F a multiple of `MelNetConfig.frames_multiple`; ``frames`` (B,) int, how many of them are
            real; optionally ``cut`` (B, F', n_mels), all real, for every tier but the first.

        Returns
        -------
        dict
            ``tier_1`` and so on (B, T, M of the tier, 3 * K); ``alignment`` (B, T of the first tier, N).
        """
        outputs = {}
        memory = self.reader(inputs["characters"])  # (B, N, C)
        whole, cut, lengths = self._tiers_of(inputs)
        outputs["tier_1"], outputs["alignment"] = self.tiers[0](whole[0], memory=memory)
        for number, tier in enumerate(self.tiers[1:], start=2):
            coarser = spectrogram_of(cut[: number - 1])
            raw, _ = tier(cut[number - 1], coarser=coarser, coarser_frames=lengths[number - 1][1])
            outputs[f"tier_{number}"] = raw
        return outputs

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Return the sum of all tiers' negative log-likelihoods, and of what guides the window.

        Each is noted: nats for an element.
        """
        total = self._guidance(x, y_pred["alignment"])
        for part, (surprise, real) in zip(self.parts, self.surprises(x, y_pred)):
            n_elements = ops.sum(real) * surprise.shape[2]
            loss = ops.sum(surprise * real) / ops.maximum(n_elements, 1.0)
            part.update_state(loss)
            total = total + loss
        return total

    def _guidance(self, inputs, alignment):
        """Punish a window that is far from where the same share of the text stands as of the frames."""
        config = self.config
        read = ops.cast(ops.not_equal(inputs["characters"], 0), "float32")  # (B, N)
        n_frames = frames_of_tiers(ops.cast(inputs["frames"], "int32"), config.n_tiers)[0][0]
        n_characters = ops.maximum(ops.sum(read, axis=1), 1.0)
        loss = guided_attention_loss(alignment * read[:, None], n_frames, n_characters)
        self.guided.update_state(loss)
        return config.guidance * loss

    def surprises(self, inputs, outputs) -> list[tuple]:
        """Return each tier's negative log-likelihoods (B, T, M), and which frames are real (B, T, 1).

        They are those of natural-log mels, not of normalised ones.
        """
        config = self.config
        whole, cut, lengths = self._tiers_of(inputs)
        frames_of_first = frames_of_tiers(ops.cast(inputs["frames"], "int32"), config.n_tiers)[0][0]
        pairs = [(whole[0], frames_of_first), *zip(cut[1:], [finer for finer, _ in lengths[1:]])]
        results = []
        for number, (x, n_frames) in enumerate(pairs, start=1):
            mixture = read_mixture(outputs[f"tier_{number}"], smallest_std=config.smallest_std)
            surprise = negative_log_likelihood(x, mixture) + math.log(config.mel_std)  # (B, T, M)
            real = ops.arange(ops.shape(x)[1], dtype="int32") < ops.expand_dims(n_frames, 1)  # (B, T)
            results.append((surprise, ops.expand_dims(ops.cast(real, "float32"), -1)))
        return results

    def _tiers_of(self, inputs):
        """Return normalised tiers of whole clips, those of the cuts, and the cuts' real frames."""
        config, frames = self.config, ops.cast(inputs["frames"], "int32")
        whole = tiers_of(self.normalised(inputs["mel"]), config.n_tiers)
        if "cut" not in inputs:
            return whole, whole, frames_of_tiers(frames, config.n_tiers)
        cut = tiers_of(self.normalised(inputs["cut"]), config.n_tiers)
        return whole, cut, frames_of_tiers(frames * 0 + ops.shape(inputs["cut"])[1], config.n_tiers)

    def normalised(self, mel):
        """Bring natural-log mels to about mean 0 and variance 1."""
        return (mel - self.config.mel_mean) / self.config.mel_std
