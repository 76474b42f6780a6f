"""Clips to features: tokens, mel and pitch, computed once and kept on disk in shards."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tqdm import tqdm

from tinyclone.array_files import replace_file
from tinyclone.clip_features import extract, pseudo_speaker_rates, short_reason
from tinyclone.config import AudioConfig
from tinyclone.corpora import Clip
from tinyclone.errors import CorpusError, TinycloneError
from tinyclone.feature_cache import identity_of, look_around, settings_of, short_hash
from tinyclone.feature_shards import Features, Shard, open_shard, write_shard
from tinyclone.feature_store import FeatureStore
from tinyclone.text import UnknownCharacterWarning
from tinyclone.worker_processes import available_cores, run_jobs

__all__ = ["Features", "extract", "prepare", "pseudo_speaker_rates"]

SHARD_SIZE = 64
# To start a process takes about as long as this many clips.
CLIPS_WORTH_A_PROCESS = 100


def prepare(
    clips: Sequence[Clip],
    cache: Path,
    *,
    config: AudioConfig = AudioConfig(),
    pseudo_speakers: int = 0,
    workers: int | None = None,
    min_seconds: float = 0.3,
    max_seconds: float = 30.0,
    clean: bool = False,
) -> FeatureStore:
    """Compute the features of all clips, or find those that an earlier run has left in the cache.

    Each shard holds 64 clips and is named by a hash of what it was made from: the settings (see
    `tinyclone.feature_cache.settings_of`), the clips with the size and time of change of their
    recordings, and the playing rates. Other settings or a new recording therefore never meet a stale
    shard, and a run that was stopped goes on with the shards that are missing: a kill costs each worker
    at most the one shard that it was making. Neither features nor recordings are held in memory longer
    than a shard takes.

    Parameters
    ----------
    clips : sequence of Clip
        What to read.
    cache : Path
        A folder, made if missing; several corpora may share it.
    config : AudioConfig
        Rate, window and mel bands.
    pseudo_speakers : int
        Perturbed copies of every clip, see `pseudo_speaker_rates`.
    workers : int, optional
        Processes; all cores by default. Few clips are computed without further processes.
    min_seconds, max_seconds : float
        Shorter and longer clips are left out, see `extract`.
    clean : bool
        Delete what is stale in the cache; otherwise it is only reported.

    Returns
    -------
    FeatureStore
        In the order of `clips`, copies last. Clips that cannot be used are left out; the reasons are
        in its ``skipped``, those of the whole cache in ``skipped.json`` there.

    Raises
    ------
    CorpusError
        If the cache cannot be made there.
    WorkerError
        If a process dies; a second run goes on where the first one stopped.

    Notes
    -----
    Lesson: lessons/05_gpu_training.ipynb
    """
    cache = _made_folder(Path(cache))
    limits = {"min_seconds": min_seconds, "max_seconds": max_seconds}
    settings = settings_of(config, **limits)
    plan = _Plan(clips, config, settings, limits, cache)
    parts = list(_parts(plan, copies=pseudo_speakers))
    missing = [part for part in dict.fromkeys(parts) if not _is_whole(part.path)]
    _make_shards(plan, missing, workers=workers or available_cores())
    store = FeatureStore(part.path for part in parts)
    names = (name for part in parts for name in _names(plan, part))
    others = look_around(cache, (part.path for part in parts), settings=settings, clips=names)
    _report(plan, store, others.skipped)
    if others.stale:
        todo = "They were removed." if clean else "Remove them with clean=True (tinyclone prepare --clean)."
        print(f"{cache} holds {others.describe()}. {todo}")
        if clean:
            others.remove()
    return store


class _Plan(NamedTuple):
    """What all shards of a run have in common."""

    clips: Sequence[Clip]
    config: AudioConfig
    settings: dict[str, Any]
    limits: dict[str, float]
    cache: Path


class _Part(NamedTuple):
    """The clips of one shard, as places in the list; `copy` 0 is the recordings as they are."""

    copy: int
    start: int
    end: int
    path: Path


def _parts(plan: _Plan, *, copies: int) -> Iterator[_Part]:
    for copy in range(copies + 1):
        for start in range(0, len(plan.clips), SHARD_SIZE):
            end = min(start + SHARD_SIZE, len(plan.clips))
            name = short_hash([plan.settings, _names(plan, _Part(copy, start, end, plan.cache))])
            yield _Part(copy, start, end, plan.cache / f"{name}.npz")


def _rate(clip: Clip, copy: int) -> float:
    return pseudo_speaker_rates(clip.speaker, copies=copy)[-1] if copy else 1.0


def _names(plan: _Plan, part: _Part) -> list[tuple[str, str]]:
    """Return for each clip of a part a hash of what it is called and of what it was made from."""
    clips = plan.clips[part.start : part.end]
    return [
        (short_hash([clip.corpus, clip.speaker, clip.id, _rate(clip, part.copy)]), identity_of(clip))
        for clip in clips
    ]


def _is_whole(path: Path) -> bool:
    try:
        Shard(path)
    except CorpusError:
        return False
    return True


def _make_shards(plan: _Plan, parts: Sequence[_Part], *, workers: int) -> None:
    """Make shards: here if there are few clips or one worker, else in processes of their own."""
    if not parts:
        return
    open_shard.cache_clear()
    jobs = (_job(plan, part) for part in parts)
    n_clips = sum(part.end - part.start for part in parts)
    workers = min(workers, len(parts)) if n_clips >= CLIPS_WORTH_A_PROCESS else 1
    clips_done = run_jobs(_make_shard, jobs, workers=workers, name=_name_of_job)
    with tqdm(total=n_clips, desc="features", unit="clip") as progress:
        done_sec = 0.0
        for seconds in clips_done:
            done_sec += seconds
            rate = done_sec / max(progress.format_dict["elapsed"], 1e-3)
            progress.set_postfix_str(f"{rate:.0f} s of sound/s", refresh=False)
            progress.update()


def _job(plan: _Plan, part: _Part) -> tuple:
    clips = list(plan.clips[part.start : part.end])
    rates = [_rate(clip, part.copy) for clip in clips]
    return clips, rates, _names(plan, part), plan.config, plan.limits, plan.settings, part.path


def _name_of_job(job: tuple) -> str:
    clips, path = job[0], job[-1]
    return f"the features {path.name} (clips {clips[0].id} to {clips[-1].id} of {clips[0].corpus})"


def _make_shard(
    clips: Sequence[Clip],
    rates: Sequence[float],
    names: Sequence[tuple[str, str]],
    config: AudioConfig,
    limits: dict[str, float],
    settings: dict[str, Any],
    path: Path,
) -> Iterator[float]:
    """Compute and write one shard; yield after each clip how many seconds of sound it has."""
    made, skipped = [], []
    for clip, rate in zip(clips, rates):
        seconds = 0.0
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UnknownCharacterWarning)
                made.append(extract(clip, config=config, rate=rate, **limits))
            seconds = len(made[-1].mel) / config.frames_per_sec
        except TinycloneError as error:
            skipped.append((clip.id, clip.speaker, short_reason(str(error), clip.path), str(error)))
        except (OSError, ValueError, RuntimeError, MemoryError) as error:
            # Whatever a library makes of one bad file, the other clips are worth their hours.
            reason = f"{type(error).__name__} while it was read"
            skipped.append((clip.id, clip.speaker, reason, f"{clip.path} cannot be used: {error!r}"))
        yield seconds
    write_shard(path, made, skipped=skipped, clips=names, settings=settings)


def _report(plan: _Plan, store: FeatureStore, skipped_elsewhere: dict[tuple[str, str], str]) -> None:
    """Keep the reasons why clips were left out, in this run and in others, and say how often each was."""
    everything = {f"{speaker}/{name}": reason for (name, speaker), reason in skipped_elsewhere.items()}
    everything |= {f"{speaker}/{name}": reason for (name, speaker), reason in store.skipped.items()}
    replace_file(plan.cache / "skipped.json", json.dumps(everything, indent=1, sort_keys=True).encode())
    if store.skipped:
        reasons = ", ".join(f"{count} {reason}" for reason, count in store.reasons.most_common())
        print(
            f"{len(store.skipped)} of {len(plan.clips)} clips were left out ({reasons}); "
            f"each one's reason is in {plan.cache / 'skipped.json'}"
        )


def _made_folder(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CorpusError(
            f"Cannot make the folder {folder} for the features: {error.strerror}. Choose another one."
        ) from error
    return folder
