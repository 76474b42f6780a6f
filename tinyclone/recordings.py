"""Recordings as waves: what a vocoder learns from, kept in one file that is not read into memory."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from tinyclone.array_files import replace_file
from tinyclone.audio import normalise_loudness
from tinyclone.clip_features import usable_sound
from tinyclone.config import AudioConfig
from tinyclone.corpora import Clip
from tinyclone.errors import CorpusError, TinycloneError
from tinyclone.pitch import pitch_track

FULL_SCALE = 32767


@dataclass(frozen=True)
class Recordings:
    """Waves and pitches of many clips, one after another in two files that are not read into memory.

    Parameters
    ----------
    keys : tuple of (clip id, speaker)
    corpora : tuple of str
        The corpus of each clip.
    starts : np.ndarray [shape=(n + 1,), int64]
        Where the frames of each clip begin; its samples begin hop_length times as far.
    samples : np.ndarray [shape=(N,), int16]
    pitch_hz : np.ndarray [shape=(F,), float16]
        0 where unvoiced.

    Notes
    -----
    Lesson: lessons/07_neural_vocoder.ipynb
    """

    keys: tuple[tuple[str, str], ...]
    corpora: tuple[str, ...]
    starts: np.ndarray
    samples: np.ndarray
    pitch_hz: np.ndarray

    def __len__(self) -> int:
        return len(self.keys)

    def frames(self, clip: int) -> int:
        """Whole hops of a clip."""
        return int(self.starts[clip + 1] - self.starts[clip])

    def wav(
        self, clip: int, *, hop_length: int, first_frame: int = 0, end_frame: int | None = None
    ) -> np.ndarray:
        """Return the samples between two frames of a clip, float32 in [-1, 1]; silence outside of it."""
        end_frame = self.frames(clip) if end_frame is None else end_frame
        inside = np.clip([first_frame, end_frame], 0, self.frames(clip))
        start, end = (inside + self.starts[clip]) * hop_length
        wav = self.samples[start:end].astype(np.float32) / FULL_SCALE
        return np.pad(wav, ((inside[0] - first_frame) * hop_length, (end_frame - inside[1]) * hop_length))


def read_recordings(
    clips: Sequence[Clip], folder: Path, *, config: AudioConfig = AudioConfig(), max_seconds: float = 20.0
) -> Recordings:
    """Read clips as `tinyclone.features.prepare` does, or open what an earlier call left in the folder.

    Parameters
    ----------
    clips : sequence of Clip
        What to read; clips that cannot be used are left out, and their number is printed.
    folder : Path
        Where the waves are kept, 115 MB for an hour.
    config : AudioConfig
    max_seconds : float
        Longer clips are left out.

    Raises
    ------
    CorpusError
        If no clip can be used.

    Notes
    -----
    Lesson: lessons/07_neural_vocoder.ipynb
    """
    folder.mkdir(parents=True, exist_ok=True)
    contents = [[(one.id, one.speaker, one.path.name) for one in clips], config.to_dict(), max_seconds]
    name = hashlib.sha256(json.dumps(contents).encode()).hexdigest()[:20]
    index, waves, pitches = (folder / f"{name}.{kind}" for kind in ("json", "int16", "float16"))
    if not index.exists():
        _write_recordings(clips, (index, waves, pitches), config=config, max_seconds=max_seconds)
    kept = json.loads(index.read_text(encoding="utf-8"))
    return Recordings(
        keys=tuple((id_, speaker) for id_, speaker, _ in kept["clips"]),
        corpora=tuple(corpus for _, _, corpus in kept["clips"]),
        starts=np.cumsum([0, *kept["frames"]]),
        samples=np.memmap(waves, np.int16, mode="r"),
        pitch_hz=np.memmap(pitches, np.float16, mode="r"),
    )


def _write_recordings(
    clips: Sequence[Clip], paths: tuple[Path, Path, Path], *, config: AudioConfig, max_seconds: float
) -> None:
    index, *files = paths
    kept, frames, reasons = [], [], []
    unfinished = [path.with_suffix(f"{path.suffix}.{os.getpid()}") for path in files]
    with open(unfinished[0], "wb") as waves, open(unfinished[1], "wb") as pitches:
        for clip in tqdm(clips, desc="recordings", unit="clip"):
            try:
                wav = usable_sound(clip.path, config=config, min_seconds=0.3, max_seconds=max_seconds)
            except TinycloneError as error:
                reasons.append(str(error))
                continue
            wav = normalise_loudness(wav, config=config)
            n_frames = len(wav) // config.hop_length
            pitch_hz = pitch_track(wav, config=config)[:n_frames]
            waves.write(np.round(wav[: n_frames * config.hop_length] * FULL_SCALE).astype(np.int16))
            pitches.write(pitch_hz.astype(np.float16))
            kept.append((clip.id, clip.speaker, clip.corpus))
            frames.append(n_frames)
    if not kept:
        for path in unfinished:
            path.unlink()
        raise CorpusError(
            f"None of {len(clips)} recordings can be used. The first: {reasons[0] if reasons else 'no clips'}"
        )
    for path, final in zip(unfinished, files):
        os.replace(path, final)
    replace_file(index, json.dumps({"clips": kept, "frames": frames}).encode())
    if reasons:
        print(f"{len(reasons)} of {len(clips)} recordings were left out. The first: {reasons[0]}")
