"""WaveNet: sound made one sample at a time, each from those before it. Van den Oord et al. 2016.

The next sample is one of 256 values. Causal convolutions, further and further apart, look at the samples
before it and a mel says what to speak; out comes how likely each value is. Only ``keras`` and
``keras.ops``: the same file runs on TensorFlow and JAX. Shapes in comments: B clips, F frames, M mel bands,
N samples, C residual channels, S skip channels, L levels of a sample.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import keras
import numpy as np
from keras import layers, ops

from tinyclone.config import AudioConfig, ModelConfig
from tinyclone.errors import AudioError
from tinyclone.mel import checked_mel
from tinyclone.papers.mu_law import lower_high_frequencies, mu_law_decode, mu_law_encode
from tinyclone.papers.sample_by_sample import draw_samples, weights_of

# Keras compiles each length anew: mels are lengthened so that few lengths come up.
FRAMES_STEP = 64


@dataclass(frozen=True)
class WaveNetConfig(ModelConfig):
    """Every size of the model; saved with its weights.

    Parameters
    ----------
    audio : AudioConfig
        Of the mels that it reads and the wave that it makes.
    levels : int
        Values that a sample can have.
    dilations : tuple of int
        One layer each: how many samples lie between two that a convolution looks at.
    kernel_size : int
        Samples that a convolution looks at.
    channels, skip_channels, hidden_channels : int
        Width of the layers, of what they hand to the output, and of the output's own layer.
    mel_channels : int
        Width of what is read off the mel.
    emphasis : float in [0, 1)
        High frequencies are raised before a sample becomes one of `levels`, and lowered in the wave that is
        made, with the hiss of so few levels.
    gain : float
        Brings the raised wave to about full scale.
    mel_mean, mel_std : float
        Natural-log mels are brought to about mean 0 and variance 1 by these.

    Notes
    -----
    Lesson: lessons/papers/wavenet.ipynb
    """

    audio: AudioConfig = field(default_factory=AudioConfig)
    levels: int = 256
    dilations: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 1, 2, 4, 8, 16, 32)
    kernel_size: int = 3
    channels: int = 48
    skip_channels: int = 64
    hidden_channels: int = 128
    mel_channels: int = 96
    emphasis: float = 0.9
    gain: float = 2.0
    mel_mean: float = -5.4
    mel_std: float = 2.1

    @property
    def receptive_field(self) -> int:
        """Earlier samples that the next one depends on: each layer adds ``(kernel_size - 1) * dilation``."""
        return 1 + (self.kernel_size - 1) * sum(self.dilations)


class GatedLayer(layers.Layer):
    """One layer: a dilated convolution, a gate, and two ways out.

    Parameters
    ----------
    config : WaveNetConfig
    dilation : int
    is_last : bool
        After it comes no layer, only the output.

    Notes
    -----
    Van den Oord et al. 2016, sections 2.3 to 2.5: ``tanh(W_f * x + V_f * y) . sigmoid(W_g * x + V_g * y)``,
    where y is what the mel says.

    Lesson: lessons/papers/wavenet.ipynb
    """

    def __init__(self, config: WaveNetConfig, *, dilation: int, is_last: bool) -> None:
        super().__init__()
        self.convolution = layers.Conv1D(
            2 * config.channels, config.kernel_size, dilation_rate=dilation, padding="causal"
        )
        self.residual = None if is_last else layers.Dense(config.channels)
        self.skip = layers.Dense(config.skip_channels)

    def call(self, x, said):
        """Return what goes to the next layer (B, N, C) and to the output (B, N, S); `said` is (B, N, 2C)."""
        content, gate = ops.split(self.convolution(x) + said, 2, axis=-1)  # twice (B, N, C)
        passed = ops.tanh(content) * ops.sigmoid(gate)
        return x if self.residual is None else x + self.residual(passed), self.skip(passed)


class WaveNet(keras.Model):
    """The whole model. `call` is for training, `speak` for synthesis.

    Parameters
    ----------
    config : WaveNetConfig
        The sizes.

    Notes
    -----
    Van den Oord et al. 2016, "WaveNet: a generative model for raw audio", conditioned on mels as in
    Shen et al. 2018 (Tacotron 2), section 2.4.

    Lesson: lessons/papers/wavenet.ipynb
    """

    def __init__(self, config: WaveNetConfig = WaveNetConfig()) -> None:
        super().__init__()
        self.config = config
        self.mel_reader = layers.Conv1D(config.mel_channels, 3, activation="relu")
        self.mel_hidden = layers.Dense(config.mel_channels, activation="relu")
        self.says = layers.Dense(2 * config.channels * len(config.dilations))
        self.first = layers.Dense(config.channels)
        last = len(config.dilations) - 1
        self.gated = [
            GatedLayer(config, dilation=one, is_last=index == last)
            for index, one in enumerate(config.dilations)
        ]
        self.hidden = layers.Dense(config.hidden_channels, activation="relu")
        self.scores = layers.Dense(config.levels)

    def build_all(self) -> WaveNet:
        """Create every weight by one call on zeros and return the model, ready to load weights."""
        audio = self.config.audio
        self({"wav": np.zeros((1, audio.hop_length)), "mel": np.zeros((1, 1, audio.n_mels))})
        return self

    def call(self, inputs, training=False):
        """Say how likely each level of each sample is, given all samples before it.

        Parameters
        ----------
        inputs : dict
            ``mel`` (B, F, M), natural log; ``wav`` (B, F * hop_length), in [-1, 1].

        Returns
        -------
        dict
            ``scores`` (B, N, levels): a softmax makes them probabilities.

        Raises
        ------
        AudioError
            If the wave does not last as long as the mel.
        """
        n_samples, n_frames = inputs["wav"].shape[1], inputs["mel"].shape[1]
        if None not in (n_samples, n_frames) and n_samples != n_frames * self.config.audio.hop_length:
            raise AudioError(
                f"The wave has {n_samples} samples and the mel {n_frames} frames; expected "
                f"{n_frames * self.config.audio.hop_length} samples. Cut the longer of them."
            )
        numbers = self.numbers_of(inputs["wav"])  # (B, N)
        return {"scores": self.scores_of(self.heard_before(numbers), self.read_mel(inputs["mel"]))}

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Return the mean cross-entropy of the recorded samples, in nats a sample."""
        numbers = self.numbers_of(y["wav"])
        losses = keras.losses.sparse_categorical_crossentropy(numbers, y_pred["scores"], from_logits=True)
        return ops.mean(losses)

    def numbers_of(self, wav):
        """Raise high frequencies and return the level of each sample. (B, N) -> (B, N) int32"""
        before = ops.pad(wav[:, :-1], [[0, 0], [1, 0]])
        raised = (wav - self.config.emphasis * before) * self.config.gain
        return mu_law_encode(raised, levels=self.config.levels)

    def heard_before(self, numbers):
        """Move samples on by one, so that none is used to predict itself. (B, N) int -> (B, N) in [-1, 1]"""
        companded = 2 * ops.cast(numbers, "float32") / (self.config.levels - 1) - 1
        return ops.pad(companded[:, :-1], [[0, 0], [1, 0]])

    def read_mel(self, mel):
        """Return what the mel says to each layer at each frame, and one frame more.

        (B, F, M) -> layers times (B, F + 1, 2C)
        """
        mel = (mel - self.config.mel_mean) / self.config.mel_std
        mel = ops.concatenate([mel[:, :1], mel, mel[:, -1:], mel[:, -1:]], axis=1)  # (B, F + 3, M)
        said = self.says(self.mel_hidden(self.mel_reader(mel)))  # (B, F + 1, layers * 2C)
        return ops.split(said, len(self.gated), axis=-1)

    def scores_of(self, heard, said):
        """Run the layers. (B, N) in [-1, 1], layers times (B, F + 1, 2C) -> (B, N, levels)"""
        x, total = self.first(ops.expand_dims(heard, -1)), 0.0  # (B, N, C)
        for layer, one in zip(self.gated, said):
            x, skip = layer(x, between_frames(one, self.config.audio.hop_length))
            total = total + skip  # (B, N, S)
        return self.scores(self.hidden(ops.relu(total)))

    def speak(self, mel: np.ndarray, *, seed: int = 0, temperature: float = 1.0) -> np.ndarray:
        """Turn a mel into sound, sample by sample.

        Parameters
        ----------
        mel : np.ndarray, shape (F, n_mels)
            Natural logarithm, as `tinyclone.mel.log_mel` makes it.
        seed : int
            Decides what is drawn: the same seed gives the same wave.
        temperature : float > 0
            Below 1, what is likely is drawn even more often: less hiss, then a dull or dead sound.

        Returns
        -------
        np.ndarray, shape (F * hop_length,), float32 in [-1, 1]

        Raises
        ------
        AudioError
            If the mel has another shape or holds NaN or infinite values, or the temperature is not above 0.

        Notes
        -----
        Lesson: lessons/papers/wavenet.ipynb
        """
        otherwise = "use a WaveNet of the config that it was made with"
        mel = checked_mel(mel, n_mels=self.config.audio.n_mels, fewest_frames=1, otherwise=otherwise)
        if not temperature > 0:
            raise AudioError(f"The temperature is {temperature}; expected a number above 0, such as 1.")
        chances = np.random.default_rng(seed).random(len(mel) * self.config.audio.hop_length)  # (N,)
        lasting = np.pad(mel, ((0, -len(mel) % FRAMES_STEP), (0, 0)), mode="edge")
        biased = [
            one + layer.convolution.bias for one, layer in zip(self.read_mel(lasting[None]), self.gated)
        ]
        said = np.stack([ops.convert_to_numpy(one)[0, : len(mel) + 1] for one in biased], axis=1)
        # said: (F + 1, layers, 2C)
        return self.wav_of(draw_samples(weights_of(self), said, chances, temperature=temperature))

    def wav_of(self, numbers: np.ndarray) -> np.ndarray:
        """Turn numbers of levels into a wave, and lower the high frequencies again. (N,) -> (N,)"""
        raised = mu_law_decode(numbers, levels=self.config.levels) / self.config.gain
        return lower_high_frequencies(raised, emphasis=self.config.emphasis)


def between_frames(said, hop_length: int):
    """Draw a straight line from each frame to the next. (B, F + 1, C) -> (B, F * hop_length, C)"""
    share = ops.reshape(ops.arange(hop_length, dtype="float32") / hop_length, (1, 1, hop_length, 1))
    now, following = ops.expand_dims(said[:, :-1], 2), ops.expand_dims(said[:, 1:], 2)  # (B, F, 1, C)
    between = now + (following - now) * share  # (B, F, hop_length, C)
    shape = ops.shape(between)
    return ops.reshape(between, (shape[0], shape[1] * hop_length, shape[3]))
