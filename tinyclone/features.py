"""Clips to features: tokens, mel and pitch, computed once and kept on disk in shards."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from tinyclone import text as text_front_end
from tinyclone.audio import load_audio, normalise_loudness, resample, trim_silence
from tinyclone.config import AudioConfig
from tinyclone.corpora import Clip
from tinyclone.errors import AudioError, TinycloneError
from tinyclone.mel import log_mel
from tinyclone.pitch import pitch_track
from tinyclone.text import Word

SHARD_SIZE = 64
QUIETEST_PEAK = 1e-3


@dataclass(frozen=True)
class Features:
    """What training needs of one clip.

    Parameters
    ----------
    id, speaker, corpus, text : str
        Copied from the clip; the speaker of a perturbed copy is ``name@rate``.
    words : tuple of Word
        The text as `tinyclone.text.parse` gives it.
    mel : np.ndarray [shape=(F, n_mels), float16]
        Natural-log mel of the trimmed clip at the standard loudness.
    pitch_hz : np.ndarray [shape=(F,), float16]
        Fundamental frequency, 0 where unvoiced.

    Notes
    -----
    Lesson: lessons/05_gpu_training.ipynb
    """

    id: str
    speaker: str
    corpus: str
    text: str
    words: tuple[Word, ...]
    mel: np.ndarray
    pitch_hz: np.ndarray


def extract(clip: Clip, *, config: AudioConfig = AudioConfig(), rate: float = 1.0) -> Features:
    """Compute the features of one clip.

    Parameters
    ----------
    clip : Clip
        The clip; its audio is read here.
    config : AudioConfig
        Rate, window and mel bands.
    rate : float
        Played this much faster, pitch and formants raised with it: above 1 a smaller speaker, below
        1 a larger one. A cheap way to more voices than a corpus has.

    Raises
    ------
    AudioError, TextError
        When the recording or its text cannot be used.

    Notes
    -----
    Lesson: lessons/05_gpu_training.ipynb
    """
    words = tuple(text_front_end.parse(clip.text))
    wav = trim_silence(load_audio(clip.path, config=config), config=config)
    peak = float(np.abs(wav).max())
    if peak < QUIETEST_PEAK:
        raise AudioError(
            f"{clip.path} is silent: its loudest sample is {peak:.1g} of full scale, expected at least "
            f"{QUIETEST_PEAK}. Record it again, or take it out of the corpus."
        )
    if rate != 1.0:
        wav = resample(wav, from_hz=round(config.sample_rate_hz * rate), to_hz=config.sample_rate_hz)
    wav = normalise_loudness(wav, config=config)
    speaker = clip.speaker if rate == 1.0 else f"{clip.speaker}@{rate:.3f}"
    return Features(
        id=clip.id,
        speaker=speaker,
        corpus=clip.corpus,
        text=clip.text,
        words=words,
        mel=log_mel(wav, config=config).astype(np.float16),
        pitch_hz=pitch_track(wav, config=config).astype(np.float16),
    )


def pseudo_speaker_rates(speaker: str, *, copies: int) -> list[float]:
    """Return the playing rates that make `copies` other voices of a speaker, chosen by hash.

    They alternate between larger speakers (0.84 to 0.94) and smaller ones (1.07 to 1.19).

    Notes
    -----
    Lesson: lessons/05_gpu_training.ipynb
    """
    digest = hashlib.sha256(speaker.encode()).digest()
    rates = []
    for copy in range(copies):
        position = digest[copy % len(digest)] / 255
        low, high = (0.84, 0.94) if copy % 2 == 0 else (1.07, 1.19)
        rates.append(round(low + position * (high - low), 3))
    return rates


def prepare(
    clips: Sequence[Clip],
    cache: Path,
    *,
    config: AudioConfig = AudioConfig(),
    pseudo_speakers: int = 0,
    workers: int | None = None,
) -> list[Features]:
    """Compute the features of all clips, or read those that an earlier run has left in the cache.

    Each shard holds 64 clips and is named by a hash of what it was made from: the clips, the audio
    config, the symbol table and the playing rate. Another config therefore never meets a stale
    shard, and a run that was stopped goes on with the shards that are missing.

    Parameters
    ----------
    clips : sequence of Clip
        What to read.
    cache : Path
        A folder, made if missing.
    config : AudioConfig
        Rate, window and mel bands.
    pseudo_speakers : int
        Perturbed copies of every clip, see `pseudo_speaker_rates`.
    workers : int, optional
        Processes; all cores by default.

    Returns
    -------
    list of Features
        In the order of `clips`, copies last. Clips that cannot be used are left out; the reasons
        stand in ``skipped.json`` in the cache and their number is printed.

    Notes
    -----
    Lesson: lessons/05_gpu_training.ipynb
    """
    cache.mkdir(parents=True, exist_ok=True)
    jobs = []
    for copy in range(pseudo_speakers + 1):
        for start in range(0, len(clips), SHARD_SIZE):
            part = list(clips[start : start + SHARD_SIZE])
            rates = [
                1.0 if copy == 0 else pseudo_speaker_rates(clip.speaker, copies=copy)[-1] for clip in part
            ]
            jobs.append((part, rates, config, cache / f"{_shard_name(part, rates, config)}.npz"))
    _make_shards([job for job in jobs if not job[-1].exists()], workers=workers or os.cpu_count() or 1)
    features: list[Features] = []
    skipped: dict[str, str] = {}
    for *_, path in jobs:
        kept, left_out = _read_shard(path)
        features.extend(kept)
        skipped.update(left_out)
    _write_atomically(cache / "skipped.json", json.dumps(skipped, indent=1).encode())
    if skipped:
        print(f"{len(skipped)} of {len(clips)} clips were left out; the reasons are in {cache}/skipped.json")
    return features


def _shard_name(clips: Iterable[Clip], rates: Sequence[float], config: AudioConfig) -> str:
    contents = {
        "clips": [(clip.id, clip.speaker, clip.text, clip.path.name) for clip in clips],
        "rates": list(rates),
        "config": config.to_dict(),
        "symbols": text_front_end.SYMBOLS,
    }
    return hashlib.sha256(json.dumps(contents).encode()).hexdigest()[:20]


def _make_shards(jobs: Sequence[tuple], *, workers: int) -> None:
    """Make all shards: here if there is one shard or one worker, else in processes of their own."""
    with tqdm(total=len(jobs), desc="features", unit="shard", disable=not jobs) as progress:
        if min(workers, len(jobs)) < 2:
            for job in jobs:
                _make_shard(*job)
                progress.update()
            return
        # Spawned: a fork of a process in which the threads of TensorFlow or JAX run may never return.
        with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
            for future in as_completed([pool.submit(_make_shard, *job) for job in jobs]):
                future.result()
                progress.update()


def _make_shard(clips: list[Clip], rates: list[float], config: AudioConfig, path: Path) -> None:
    made: list[Features] = []
    skipped: dict[str, str] = {}
    for clip, rate in zip(clips, rates):
        try:
            made.append(extract(clip, config=config, rate=rate))
        except TinycloneError as error:
            skipped[clip.id] = str(error)
    entries = [
        {
            "id": one.id,
            "speaker": one.speaker,
            "corpus": one.corpus,
            "text": one.text,
            "words": [[word.spelling, word.symbols, word.known, word.boundary] for word in one.words],
            "frames": len(one.mel),
        }
        for one in made
    ]
    no_mel, no_pitch = np.zeros((0, config.n_mels), np.float16), np.zeros(0, np.float16)
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    with open(temporary, "wb") as file:
        np.savez(
            file,
            index=np.array(json.dumps({"entries": entries, "skipped": skipped})),
            mel=np.concatenate([no_mel, *(one.mel for one in made)]),
            pitch_hz=np.concatenate([no_pitch, *(one.pitch_hz for one in made)]),
        )
    os.replace(temporary, path)


def _read_shard(path: Path) -> tuple[list[Features], dict[str, str]]:
    with np.load(path, allow_pickle=False) as shard:
        index = json.loads(str(shard["index"]))
        mel, pitch_hz = shard["mel"], shard["pitch_hz"]
    features, start = [], 0
    for entry in index["entries"]:
        end = start + entry.pop("frames")
        words = tuple(
            Word(spelling, tuple(symbols), known, boundary)
            for spelling, symbols, known, boundary in entry.pop("words")
        )
        features.append(Features(**entry, words=words, mel=mel[start:end], pitch_hz=pitch_hz[start:end]))
        start = end
    return features, index["skipped"]


def _write_atomically(path: Path, contents: bytes) -> None:
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_bytes(contents)
    os.replace(temporary, path)
