"""A corpus before training: read every clip once and note what is in it and what cannot be used."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from os import PathLike
from typing import Any

import numpy as np
import soundfile
from tqdm import tqdm

from tinyclone import text as text_front_end
from tinyclone.audio import active_frames, load_audio
from tinyclone.clip_features import short_reason, trim_usable
from tinyclone.config import AudioConfig
from tinyclone.corpora import Clip, list_clips
from tinyclone.corpus_report import ClipReport, CorpusReport
from tinyclone.errors import TinycloneError
from tinyclone.worker_processes import available_cores, run_jobs

CLIPS_IN_A_JOB = 64
CLIPS_WORTH_A_PROCESS = 200
FULL_SCALE = 0.999
# Fewer samples at full scale than this share cannot be heard as distortion.
CLIPPED_SHARE = 0.001


def inspect_corpus(
    path: str | PathLike[str],
    *,
    workers: int | None = None,
    limit: int | None = None,
    config: AudioConfig = AudioConfig(),
    min_seconds: float = 0.3,
    max_seconds: float = 30.0,
) -> CorpusReport:
    """Read every recording and transcript of a corpus and say what is in them.

    Parameters
    ----------
    path : str or path-like
        The corpus folder, in a layout that `tinyclone.corpora.list_clips` knows.
    workers : int, optional
        Processes; all cores by default. Few clips are read without further processes.
    limit : int, optional
        Read only so many clips, spread evenly over the corpus.
    config : AudioConfig
        The rate at which loudness and peaks are measured.
    min_seconds, max_seconds : float
        What `tinyclone.features.prepare` will be given: shorter and longer clips count as left out.

    Returns
    -------
    CorpusReport

    Raises
    ------
    CorpusError
        If the folder is not a corpus. No recording raises anything: it is reported as left out.

    Notes
    -----
    Lesson: lessons/05_gpu_training.ipynb
    """
    listing = list_clips(path)
    clips, notes = listing.clips, tuple(listing.notes)
    if limit is not None and limit < len(clips):
        notes = (*notes, f"{limit} of {len(clips)} clips were read, spread evenly over the corpus")
        clips = [clips[place] for place in np.linspace(0, len(clips) - 1, limit).round().astype(int)]
    limits = {"min_seconds": min_seconds, "max_seconds": max_seconds}
    starts = range(0, len(clips), CLIPS_IN_A_JOB)
    jobs = ((start, clips[start : start + CLIPS_IN_A_JOB], config, limits) for start in starts)
    workers = (workers or available_cores()) if len(clips) >= CLIPS_WORTH_A_PROCESS else 1
    found: dict[int, ClipReport] = {}
    with tqdm(total=len(clips), desc="reading", unit="clip") as progress:
        for place, report in run_jobs(
            _inspect_clips, jobs, workers=workers, name=lambda job: f"the clips from {job[1][0].id}"
        ):
            found[place] = report
            progress.update()
    return CorpusReport(str(path), [found[place] for place in sorted(found)], listing.skipped, notes)


def _inspect_clips(
    start: int, clips: Sequence[Clip], config: AudioConfig, limits: dict[str, float]
) -> Iterator[tuple[int, ClipReport]]:
    for place, clip in enumerate(clips, start):
        yield place, _inspect_clip(clip, config, limits)


def _inspect_clip(clip: Clip, config: AudioConfig, limits: dict[str, float]) -> ClipReport:
    found: dict[str, Any] = {}
    try:
        # The recording first: what is the matter with it is also worth knowing where the text is empty.
        wav = load_audio(clip.path, config=config, max_sec=limits["max_seconds"] + 0.1)
        found |= _measure(clip, wav, config)
        found |= _read_text(clip.text)
        trim_usable(wav, path=clip.path, config=config, **limits)
    except TinycloneError as error:
        found |= {"reason": short_reason(str(error), clip.path), "message": str(error)}
    except (OSError, ValueError, RuntimeError, MemoryError) as error:
        reason = f"{type(error).__name__} while it was read"
        found |= {"reason": reason, "message": f"{clip.path} cannot be used: {error!r}"}
    return ClipReport(clip.id, clip.speaker, **found)


def _measure(clip: Clip, wav: np.ndarray, config: AudioConfig) -> dict[str, Any]:
    header = soundfile.info(clip.path)
    loudness = np.abs(wav)
    power = _speech_power(wav, config)
    return {
        "seconds": round(header.frames / header.samplerate, 3),
        "rate_hz": header.samplerate,
        "channels": header.channels,
        "loudness_db": round(10 * float(np.log10(power)), 2) if power > 0 else None,
        "peak": round(float(loudness.max()), 4),
        "clipped": bool(np.mean(loudness >= FULL_SCALE) > CLIPPED_SHARE),
    }


def _speech_power(wav: np.ndarray, config: AudioConfig) -> float:
    """Mean square over the hops within 30 dB of the loudest one, 0 for silence."""
    active = active_frames(wav, config=config, threshold_db=-30.0)
    squares = np.zeros(len(active) * config.hop_length)
    squares[: len(wav)] = np.square(wav, dtype=np.float64)
    return float(squares.reshape(len(active), -1)[active].mean()) if active.any() else 0.0


def _read_text(text: str) -> dict[str, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", text_front_end.UnknownCharacterWarning)
        words = text_front_end.parse(text)
    return {
        "n_words": len(words),
        "unknown_words": tuple(word.spelling for word in words if not word.known),
        "unknown_characters": tuple(text_front_end.unknown_characters(text)),
    }
