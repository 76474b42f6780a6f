"""A critic of mels: it looks at patches and says whether a recording or a model made them.

Only ``keras`` and ``keras.ops``. Shapes in comments: B clips, F frames, M mel bands, C channels.
"""

from __future__ import annotations

from keras import layers, ops

CHANNELS = (32, 64, 96, 96)
SLOPE = 0.2


class FreezableConvolution(layers.Layer):
    """A 2-D convolution through which a gradient may pass without changing its weights."""

    def __init__(self, channels: int, *, kernel_size: int, stride: int) -> None:
        super().__init__()
        self.channels, self.kernel_size, self.stride = channels, kernel_size, stride

    def build(self, shape) -> None:
        """Make the weights for inputs (B, F, M, C)."""
        kernel = (self.kernel_size, self.kernel_size, shape[-1], self.channels)
        self.kernel = self.add_weight(shape=kernel, initializer="he_normal", name="kernel")
        self.bias = self.add_weight(shape=(self.channels,), initializer="zeros", name="bias")

    def call(self, x, frozen: bool = False):
        """Convolve; a frozen layer judges without learning."""
        kernel, bias = self.kernel + 0.0, self.bias + 0.0
        if frozen:
            kernel, bias = ops.stop_gradient(kernel), ops.stop_gradient(bias)
        return ops.conv(x, kernel, strides=self.stride, padding="same") + bias


class Discriminator(layers.Layer):
    """Strided convolutions over time and frequency, and one verdict for each patch.

    It sees the harmonics that the pitch asks for beside the mel, so that it can tell harmonics in the
    wrong place from right ones.

    Notes
    -----
    Patches: Isola et al. 2017, "Image-to-Image Translation with Conditional Adversarial Networks",
    section 3.2.2.

    Lesson: lessons/07_neural_vocoder.ipynb
    """

    def __init__(self) -> None:
        super().__init__()
        self.convolutions = [
            FreezableConvolution(channels, kernel_size=3 if stride == 1 else 4, stride=stride)
            for channels, stride in zip(CHANNELS, (2, 2, 2, 1))
        ]
        self.verdict = FreezableConvolution(1, kernel_size=3, stride=1)

    def call(self, mel, harmonics, frozen: bool = False):
        """Return verdicts (B, F/8, M/8, 1) and what each convolution saw, of two (B, F, M)."""
        x = ops.stack([mel, harmonics], axis=-1)  # (B, F, M, 2)
        seen = []
        for convolution in self.convolutions:
            x = ops.leaky_relu(convolution(x, frozen=frozen), negative_slope=SLOPE)  # (B, F/2, M/2, C) ...
            seen.append(x)
        return self.verdict(x, frozen=frozen), seen
