"""What a benchmark is made of: something said by a system, and what the system asks of a machine."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


class Missing(Exception):
    """A system that cannot be measured here; the message says how to get it."""


@dataclass
class Utterance:
    """One wave file to judge, and what is known about it."""

    system: str
    voice: str
    text: str
    wav_path: Path
    references: list[Path] = field(default_factory=list)  # recordings of the same speaker
    others: list[Path] = field(default_factory=list)  # recordings of other speakers
    voice_wav_path: Path | None = None  # judged for its voice in place of wav_path
    mcd_db: float | None = None
    synthesis_sec: float | None = None
    duration_sec: float = 0.0


@dataclass
class Settings:
    """What the systems need to know beside what is held out."""

    work: Path
    weights: Path | None = None
    voices: Path | None = None
    vocoder: Path | None = None
    footprints: dict[str, Footprint] = field(default_factory=dict)


@dataclass
class Footprint:
    """What a system asks of a machine."""

    cold_sec: float | None = None  # from the start of a fresh process to the first sentence on disk
    n_bytes: int | None = None  # models and dictionaries on disk
    parameters: int | None = None
