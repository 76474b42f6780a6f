"""The vocoder: a mel goes in, the wave that sounds like it comes out.

It works as a voice does. A source buzzes at the pitch that a first small network reads off the mel, and
hisses; a second network says how strongly, and how late, each frequency of both is let through; an inverse
short-time Fourier transform adds the pieces up. Only ``keras`` and ``keras.ops``: the same file runs on
TensorFlow and JAX. Shapes in comments: B clips, F frames, M mel bands, C channels, L looks (several for
each frame, see `VocoderConfig`), K frequency bins of a look, N samples.
"""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from tinyclone.config import VocoderConfig
from tinyclone.convnext import MelReader
from tinyclone.spectra import band_to_bin, istft, minimum_phase, stft
from tinyclone.wave_speaker import WaveSpeaker

LOUDEST_LOG_GAIN = 4.0


class Vocoder(keras.Model, WaveSpeaker):
    """The whole model. `call` is for training; what synthesis uses stands in `WaveSpeaker`.

    Parameters
    ----------
    config : VocoderConfig
        The sizes.

    Notes
    -----
    An inverse Fourier transform instead of upsampling: Kaneko et al. 2022, "iSTFTNet". A source of
    pulses and noise: Wang et al. 2019, "Neural source-filter-based waveform model".

    Lesson: lessons/07_neural_vocoder.ipynb
    """

    def __init__(self, config: VocoderConfig = VocoderConfig()) -> None:
        super().__init__()
        self.config = config
        n_bins = 1 + config.look.n_fft // 2
        blocks = {"kernel_size": config.kernel_size}
        self.pitch_reader = MelReader(
            config.pitch_classes + 1,
            channels=config.pitch_channels,
            hidden_channels=2 * config.pitch_channels,
            n_blocks=config.n_pitch_blocks,
            **blocks,
        )
        self.shape_reader = MelReader(
            config.looks_per_frame * 3 * n_bins,
            channels=config.channels,
            hidden_channels=config.hidden_channels,
            n_blocks=config.n_blocks,
            **blocks,
        )
        self._band_to_bin = band_to_bin(config.audio, n_bins=n_bins)
        self._minimum_phase = minimum_phase(config.look.n_fft)

    def build_all(self) -> Vocoder:
        """Create every weight by one call on zeros and return the model, ready to load weights."""
        audio, n_frames = self.config.audio, 8
        self(
            {
                "mel": np.zeros((1, n_frames, audio.n_mels), np.float32),
                "mask": np.ones((1, n_frames), np.float32),
                "log_pitch": np.zeros((1, n_frames), np.float32),
                "source": np.zeros((1, n_frames * audio.hop_length, 2), np.float32),
            }
        )
        return self

    def call(self, inputs, training=False):
        """Read the pitch and make the wave, of a pitch that is known.

        Parameters
        ----------
        inputs : dict
            ``mel`` (B, F, M), natural log; ``mask`` (B, F), 0 on padding; ``log_pitch`` (B, F), natural
            log of Hz on every frame; ``source`` (B, F * hop_length, 2), see
            `tinyclone.pulses.sound_source`.

        Returns
        -------
        dict
            ``wav`` (B, (F - 1) * hop_length); ``pitch_scores`` (B, F, pitch_classes + 1), see
            `tinyclone.pulses.pitch_from_scores`.
        """
        config, mask = self.config, ops.expand_dims(inputs["mask"], -1)  # (B, F, 1)
        real_gain, imaginary_gain, noise_gain = self.gains(inputs["mel"], inputs["log_pitch"], mask)
        source = inputs["source"] * ops.repeat(mask, config.audio.hop_length, axis=1)  # (B, N, 2)
        real, imaginary = self._looks(source[..., 0])
        noise_real, noise_imaginary = self._looks(source[..., 1])
        wav = istft(
            real * real_gain - imaginary * imaginary_gain + noise_real * noise_gain,
            real * imaginary_gain + imaginary * real_gain + noise_imaginary * noise_gain,
            ops.repeat(mask, config.looks_per_frame, axis=1),
            config=config.look,
        )
        n_samples = (ops.shape(mask)[1] - 1) * config.audio.hop_length
        return {"wav": wav[:, :n_samples], "pitch_scores": self.pitch_scores(inputs["mel"], mask)}

    def _looks(self, wav):
        # The look after the last frame's belongs to no frame.
        real, imaginary = stft(wav, config=self.config.look)
        return real[:, :-1], imaginary[:, :-1]

    def pitch_scores(self, mel, mask):
        """Return what `tinyclone.pulses.pitch_from_scores` reads, (B, F, classes + 1)."""
        return self.pitch_reader((mel - self.config.mel_mean) / self.config.mel_std, mask)

    def gains(self, mel, log_pitch, mask):
        """Return what the source is multiplied by, three tensors (B, L, K).

        Real and imaginary part for the pulses, and a magnitude for the noise. The network corrects what
        the mel itself says about magnitudes. The pulses' phase follows from their magnitude, as in a
        mouth, before it is corrected too.
        """
        config, shape = self.config, ops.shape(mel)
        pitch = (ops.expand_dims(log_pitch, -1) - config.pitch_mean) / config.pitch_std
        x = ops.concatenate([(mel - config.mel_mean) / config.mel_std, pitch], axis=-1)
        wide = (shape[0], shape[1] * config.looks_per_frame, 3 * self._band_to_bin.shape[1])
        read = ops.reshape(self.shape_reader(x, mask), wide)  # (B, L, 3K)
        base = ops.matmul(self._mel_of_looks(mel, mask), self._band_to_bin)  # (B, L, K)
        pulses, turn, noise = ops.split(read, 3, axis=-1)
        pulses, noise = (ops.minimum(base + one, LOUDEST_LOG_GAIN) for one in (pulses, noise))
        phase, gain = ops.matmul(pulses, self._minimum_phase) + turn, ops.exp(pulses)
        return gain * ops.cos(phase), gain * ops.sin(phase), ops.exp(noise)

    def _mel_of_looks(self, mel, mask):
        """Draw straight lines from one frame to the next; the last one lasts. (B, F, M) -> (B, L, M)"""
        following = mel[:, 1:] + (mel[:, :-1] - mel[:, 1:]) * (1 - mask[:, 1:])
        change = ops.concatenate([following, mel[:, -1:]], axis=1) - mel
        n_looks, shape = self.config.looks_per_frame, ops.shape(mel)
        looks = ops.stack([mel + change * (look / n_looks) for look in range(n_looks)], axis=2)
        return ops.reshape(looks, (shape[0], shape[1] * n_looks, shape[2]))

    def shape_sound(self, mel, log_pitch, mask):
        """Run `gains` on arrays. (F, M), (F,), (F, 1) -> three times (L, K)"""
        tensors = [ops.convert_to_tensor(one[None]) for one in (mel, log_pitch, mask)]
        return tuple(ops.convert_to_numpy(one)[0] for one in self.gains(*tensors))

    def score_pitch(self, mel, mask):
        """Run `pitch_scores` on arrays. (F, M), (F, 1) -> (F, classes + 1)"""
        tensors = [ops.convert_to_tensor(one[None]) for one in (mel, mask)]
        return ops.convert_to_numpy(self.pitch_scores(*tensors))[0]
