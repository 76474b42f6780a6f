"""Recordings to training batches of the vocoder: short cuts of waves, with their mels and pitches."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import keras
import numpy as np
from tqdm import tqdm

from tinyclone.batching import TARGETS, BatchSequence
from tinyclone.cloner import Cloner
from tinyclone.config import VocoderConfig
from tinyclone.durations import Alignment
from tinyclone.errors import CorpusError
from tinyclone.examples import Example
from tinyclone.excitation import measured_contour
from tinyclone.features import Features
from tinyclone.mel import log_mel
from tinyclone.pulses import sound_source
from tinyclone.recordings import Recordings

LOUDER_DB, SOFTER_DB = 3.0, -9.0


class VocoderBatches(keras.utils.PyDataset):
    """Batches for `tinyclone.vocoder_training.VocoderTrainer.fit`, the same at every run.

    Batch n depends on the seed and on n alone. Its rows are cuts of recordings at a random loudness.

    Parameters
    ----------
    recordings : Recordings
    config : VocoderConfig
    steps : int
        Batches in all.
    clips, frames : int
        Size of a batch. The wave of F frames has F - 1 hops.
    weights : mapping from corpus name to float, optional
        How often a second of a corpus is drawn, 1 by default.
    predicted : mapping from (clip id, speaker) to np.ndarray [shape=(F, n_mels)], optional
        Mels that a cloner made of clips, frame by frame in step with their recordings: see
        `predicted_mels`.
    predicted_share : float in [0, 1]
        How often such a mel is given where there is one.
    seed : int
        Of every choice.
    first_step : int
        The batch to begin with: where a resumed run goes on.

    Raises
    ------
    CorpusError
        If no recording is as long as a cut.

    Notes
    -----
    Lesson: lessons/07_neural_vocoder.ipynb
    """

    def __init__(
        self,
        recordings: Recordings,
        *,
        config: VocoderConfig,
        steps: int,
        clips: int = 16,
        frames: int = 65,
        weights: Mapping[str, float] | None = None,
        predicted: Mapping[tuple[str, str], np.ndarray] | None = None,
        predicted_share: float = 0.0,
        seed: int = 0,
        first_step: int = 0,
    ) -> None:
        super().__init__()
        self.recordings, self.config = recordings, config
        self.steps, self.clips, self.frames = steps, clips, frames
        self.predicted, self.predicted_share = predicted or {}, predicted_share
        self.seed, self.first_step = seed, first_step
        length = np.diff(recordings.starts)
        weight = np.array([(weights or {}).get(corpus, 1.0) for corpus in recordings.corpora])
        weight = np.where(length >= frames, weight * length, 0.0)
        if not weight.any():
            raise CorpusError(
                f"None of {len(recordings)} recordings has the {frames} frames of a cut and a weight above "
                "0. Add longer recordings, or make cuts shorter."
            )
        summed = np.cumsum(weight)
        self.distribution = summed / summed[-1]

    def __len__(self) -> int:
        return self.steps - self.first_step

    def __getitem__(self, index: int):
        rows = self._rows(self.first_step + index)[1]
        batch = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
        return batch, {name: batch.pop(name) for name in ("wav", "pitch_hz")}

    @property
    def fingerprint(self) -> str:
        """Sixteen digits that change with anything that decides what is in the batches."""
        settings = (self.seed, self.clips, self.frames, self.predicted_share, self.recordings.keys)
        digest = hashlib.sha256(repr((*settings, sorted(self.predicted))).encode())
        digest.update(self.distribution.tobytes())
        return digest.hexdigest()[:16]

    @property
    def seconds(self) -> float:
        """Speech in all recordings."""
        return len(self.recordings.pitch_hz) / self.config.audio.frames_per_sec

    def clips_of_step(self, step: int) -> tuple[list[str], list[str]]:
        """Return the names of the clips in a batch, and of those that brought values that are not finite."""
        clips, rows = self._rows(step)
        names = ["{} ({})".format(*self.recordings.keys[clip]) for clip in clips]
        good = [all(np.isfinite(value).all() for value in row.values()) for row in rows]
        return sorted(set(names)), sorted({name for name, fine in zip(names, good) if not fine})

    def _rows(self, step: int) -> tuple[list[int], list[dict[str, np.ndarray]]]:
        random = np.random.default_rng((self.seed, step))
        clips = self.distribution.searchsorted(random.random(self.clips), side="right").tolist()
        return clips, [self._row(clip, random) for clip in clips]

    def _row(self, clip: int, random: np.random.Generator) -> dict[str, np.ndarray]:
        audio = self.config.audio
        start = int(random.integers(self.recordings.frames(clip) - self.frames + 1))
        gain_db = random.uniform(SOFTER_DB, LOUDER_DB)
        wav, mel = self._cut(clip, start)
        known = self.predicted.get(self.recordings.keys[clip], mel[:0])[start : start + self.frames]
        if random.random() < self.predicted_share and len(known) == len(mel) and np.isfinite(known).all():
            mel = known.astype(np.float32)
        first = self.recordings.starts[clip] + start
        pitch_hz = self.recordings.pitch_hz[first : first + self.frames].astype(np.float32)
        contour = measured_contour(pitch_hz, log_pitch_if_none=self.config.pitch_mean)
        return {
            "mel": np.maximum(mel + gain_db * np.log(10) / 20, np.log(audio.log_floor)).astype(np.float32),
            "mask": np.ones(self.frames, np.float32),
            "log_pitch": contour,
            "source": sound_source(contour, config=audio, random=random).astype(np.float32),
            "wav": wav * np.float32(10 ** (gain_db / 20)),
            "pitch_hz": pitch_hz,
        }

    def _cut(self, clip: int, start: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the wave between the middles of the first and the last frame, and the mel of the frames."""
        audio = self.config.audio
        around = -(-audio.n_fft // (2 * audio.hop_length))  # hops that the outer windows reach beyond
        last = start + self.frames - 1
        span = {"first_frame": start - around, "end_frame": last + around}
        wav = self.recordings.wav(clip, hop_length=audio.hop_length, **span)
        mel = log_mel(wav, config=audio)[around : around + self.frames]
        margin = around * audio.hop_length
        return wav[margin : len(wav) - margin], mel


def predicted_mels(
    cloner: Cloner, features: Sequence[Features], alignments: Mapping[tuple[str, str], Alignment], **options
) -> dict[tuple[str, str], np.ndarray]:
    """Let a cloner say every clip in its speaker's own voice, with the recording's timing and melody.

    A vocoder that has heard such mels beside the recordings does not stumble over their blur.

    Parameters
    ----------
    cloner : Cloner
    features : sequence of Features
        The clips.
    alignments : mapping from (clip id, speaker) to Alignment
        Clips without one are left out.
    **options
        Of `tinyclone.batching.BatchSequence`, such as ``max_seconds``.

    Returns
    -------
    dict from (clip id, speaker) to np.ndarray [shape=(F, n_mels), float16]
        Natural-log mels, NaN in the frames of pieces that no bucket holds.

    Notes
    -----
    Shen et al. 2018, "Natural TTS Synthesis by Conditioning WaveNet on Mel Spectrogram Predictions",
    section 3.3.1.

    Lesson: lessons/07_neural_vocoder.ipynb
    """
    config = cloner.config
    pieces = BatchSequence(features, alignments, config=config, steps=1, **options)
    random = np.random.default_rng(pieces.seed)
    mels: dict[tuple[str, str], np.ndarray] = {}
    with tqdm(total=sum(map(len, pieces.buckets)), desc="predicted mels", unit="piece") as progress:
        for bucket, (n_frames, n_tokens, size) in zip(pieces.buckets, pieces.shapes):
            for first in range(0, len(bucket), size):
                examples = [Example(*row) for row in bucket[first : first + size].tolist()]
                rows = [pieces._row(example, n_frames, n_tokens, random) for example in examples]
                rows += rows[-1:] * (size - len(rows))  # one shape, one compilation
                names = [name for name in rows[0] if name not in TARGETS]
                inputs = {name: np.stack([row[name] for row in rows]) for name in names}
                made = cloner.predict_on_batch(inputs)
                for example, mel in zip(examples, made["mel"] * config.mel_std + config.mel_mean):
                    one = features[example.clip]
                    nothing = np.full(one.mel.shape, np.nan, np.float16)
                    whole = mels.setdefault((one.id, one.speaker), nothing)
                    whole[example.start : example.end] = mel[: example.end - example.start]
                progress.update(len(examples))
    return mels
