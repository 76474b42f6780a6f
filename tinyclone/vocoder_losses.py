"""What a vocoder's wave is judged by: its spectra beside the recording's, and critics that learn.

Phases are not compared: two waves that sound the same may differ in every sample. Only ``keras`` and
``keras.ops``. Shapes in comments: B clips, N samples, L looks, K frequency bins.
"""

from __future__ import annotations

from dataclasses import replace

from keras import layers, ops

from tinyclone.config import AudioConfig
from tinyclone.discriminator import FreezableConvolution
from tinyclone.spectra import log_mel_of, magnitude

# Long windows hear pitch, short ones hear when something happens.
WINDOWS = (2048, 1024, 512, 256)
CRITIC_WINDOWS = (1024, 512, 128)
CRITIC_CHANNELS = (12, 24, 32, 32)
SLOPE = 0.2
QUIET = 1e-4
# Of the log magnitudes of speech, about: critics see them at mean 0 and variance 1.
LOG_MEAN, LOG_SPREAD = -4.0, 3.0


def spectral_losses(made, real, *, config: AudioConfig = AudioConfig(), windows=WINDOWS) -> dict:
    """Compare the spectra of waves with those of recordings, at several resolutions.

    Parameters
    ----------
    made, real : tensor [shape=(B, N), float32]
        N of at least the longest window, and a multiple of a quarter of it.
    config : AudioConfig
        Of the mels; its window must be four hops.
    windows : tuple of int
        Lengths in samples; hops are a quarter.

    Returns
    -------
    dict
        ``convergence``, the norm of the difference of magnitudes over the norm of the recording's;
        ``log_magnitude`` and ``mel``, mean absolute differences of natural logs.

    Notes
    -----
    Yamamoto et al. 2020, "Parallel WaveGAN", equations 4-6; the mel loss: Kong et al. 2020, "HiFi-GAN",
    equation 4.

    Lesson: lessons/07_neural_vocoder.ipynb
    """
    convergence, log_magnitude = [], []
    for window in windows:
        resolution = replace(config, n_fft=window, hop_length=window // 4)
        one, other = (magnitude(wav, config=resolution) for wav in (made, real))  # (B, L, K)
        difference = ops.sqrt(ops.sum(ops.square(one - other), axis=(1, 2)))
        size = ops.sqrt(ops.sum(ops.square(other), axis=(1, 2)))
        convergence.append(ops.mean(difference / (size + QUIET)))
        # Differences between a soft hiss and silence are not heard.
        log_magnitude.append(ops.mean(ops.abs(ops.log(one + QUIET) - ops.log(other + QUIET))))
    one, other = (log_mel_of(magnitude(wav, config=config), config=config) for wav in (made, real))
    return {
        "convergence": sum(convergence) / len(windows),
        "log_magnitude": sum(log_magnitude) / len(windows),
        "mel": ops.mean(ops.abs(one - other)),
    }


class SpectrumCritic(layers.Layer):
    """Strided convolutions over the log spectrum of a wave, and one verdict for each patch.

    Parameters
    ----------
    window : int
        Samples of a window; the hop is a quarter.

    Notes
    -----
    Jang et al. 2021, "UnivNet", section 2.3, with squares instead of strips.

    Lesson: lessons/07_neural_vocoder.ipynb
    """

    def __init__(self, window: int) -> None:
        super().__init__()
        self.resolution = replace(AudioConfig(), n_fft=window, hop_length=window // 4)
        self.convolutions = [
            FreezableConvolution(channels, kernel_size=3 if stride == 1 else 4, stride=stride)
            for channels, stride in zip(CRITIC_CHANNELS, (2, 2, 2, 1))
        ]
        self.verdict = FreezableConvolution(1, kernel_size=3, stride=1)

    def call(self, wav, beside=None, frozen: bool = False):
        """Return verdicts (B, L/8, K/8, 1) and what each convolution saw, of waves (B, N)."""
        spectrum = magnitude(wav, config=self.resolution)[..., :-1]  # an even number of bins
        x = ops.expand_dims((ops.log(spectrum + QUIET) - LOG_MEAN) / LOG_SPREAD, -1)  # (B, L, K, 1)
        seen = []
        for convolution in self.convolutions:
            x = ops.leaky_relu(convolution(x, frozen=frozen), negative_slope=SLOPE)
            seen.append(x)
        return self.verdict(x, frozen=frozen), seen
