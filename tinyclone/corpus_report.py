"""What an inspection found, clip by clip and as a table."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

MOST_NAMES = 5
MOST_WORDS = 15


@dataclass(frozen=True)
class ClipReport:
    """What was found in one clip; what could not be read is None.

    Parameters
    ----------
    id, speaker : str
    seconds : float
        Length of the recording, silence included, as its header states it.
    rate_hz, channels : int
        As recorded.
    loudness_db : float
        Root mean square of the speech, without its pauses, in dB relative to full scale.
    peak : float
        Loudest sample, 1 is full scale.
    clipped : bool
        Whether more than a thousandth of the samples are at full scale.
    n_words : int
    unknown_words : tuple of str
        Words that the dictionary lacks; how they sound is guessed from their letters.
    unknown_characters : tuple of str
        Characters that are left out because nothing says how to read them.
    reason : str
        Why the clip cannot be used, in a few words; empty if it can.
    message : str
        The same in full.

    Notes
    -----
    Lesson: lessons/05_gpu_training.ipynb
    """

    id: str
    speaker: str
    seconds: float | None = None
    rate_hz: int | None = None
    channels: int | None = None
    loudness_db: float | None = None
    peak: float | None = None
    clipped: bool = False
    n_words: int = 0
    unknown_words: tuple[str, ...] = ()
    unknown_characters: tuple[str, ...] = ()
    reason: str = ""
    message: str = ""

    @property
    def words_a_second(self) -> float:
        """How fast the clip is spoken, its silence included."""
        return self.n_words / max(self.seconds or 0.0, 1e-3)


@dataclass(frozen=True)
class CorpusReport:
    """What `inspect_corpus` found; `str` of it is a table.

    Parameters
    ----------
    path : str
        The corpus.
    clips : list of ClipReport
        The clips whose recordings were read.
    unlisted : dict of str to list of str
        Names of what the corpus lists but does not have, by reason.
    notes : tuple of str
        What else is worth knowing.

    Notes
    -----
    Lesson: lessons/05_gpu_training.ipynb
    """

    path: str
    clips: list[ClipReport]
    unlisted: dict[str, list[str]]
    notes: tuple[str, ...] = ()

    @property
    def usable(self) -> list[ClipReport]:
        """The clips that training can use."""
        return [clip for clip in self.clips if not clip.reason]

    @property
    def left_out(self) -> dict[str, list[str]]:
        """Names of the clips that cannot be used, by reason, the most frequent reason first."""
        names = {reason: list(ids) for reason, ids in self.unlisted.items()}
        for clip in self.clips:
            if clip.reason:
                names.setdefault(clip.reason, []).append(clip.id)
        return dict(sorted(names.items(), key=lambda item: -len(item[1])))

    @property
    def speaker_minutes(self) -> dict[str, float]:
        """Minutes of usable recordings of each speaker, most first."""
        minutes: dict[str, float] = defaultdict(float)
        for clip in self.usable:
            minutes[clip.speaker] += (clip.seconds or 0.0) / 60
        return dict(sorted(minutes.items(), key=lambda item: -item[1]))

    def to_dict(self) -> dict[str, Any]:
        """Return everything as a dictionary that JSON can hold."""
        return {
            "path": self.path,
            "clips": [asdict(clip) for clip in self.clips],
            "left_out": self.left_out,
            "speaker_minutes": self.speaker_minutes,
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        return "\n".join([self.path, *_table(self)])


def _table(report: CorpusReport) -> Iterator[str]:
    """Yield the lines of the summary."""
    usable, left_out = report.usable, report.left_out
    n_listed = len(report.clips) + sum(map(len, report.unlisted.values()))
    minutes = report.speaker_minutes
    yield f"  clips          {n_listed:,}, of them usable {len(usable):,}"
    if usable:
        seconds = [clip.seconds for clip in usable]
        rates = Counter(f"{clip.rate_hz} Hz" + (" stereo" if clip.channels == 2 else "") for clip in usable)
        words = Counter(word for clip in usable for word in clip.unknown_words)
        characters = Counter(one for clip in usable for one in clip.unknown_characters)
        n_words, n_clipped = sum(clip.n_words for clip in usable), sum(clip.clipped for clip in usable)
        yield f"  speech         {sum(minutes.values()):.1f} minutes"
        yield f"  speakers       {len(minutes):,}, minutes each: {_spread(list(minutes.values()), '.1f')}"
        yield f"  seconds a clip {_spread(seconds, '.2f')}"
        yield f"  sample rates   {_counts(rates)}"
        yield f"  loudness       {_spread([clip.loudness_db for clip in usable], '.1f')} dB of full scale"
        peaks = _spread([clip.peak for clip in usable], ".2f")
        yield f"  peaks          {peaks}; {n_clipped:,} clips are clipped"
        pace = _spread([clip.words_a_second for clip in usable], ".1f")
        yield f"  words          {n_words:,}, {pace} a second"
        share = sum(words.values()) / max(n_words, 1)
        yield f"  not in the dictionary    {sum(words.values()):,} words ({share:.1%}): {_counts(words)}"
        shown = Counter({f"{one!r} (U+{ord(one):04X})": count for one, count in characters.items()})
        yield f"  characters not readable  in {sum(characters.values()):,} places: {_counts(shown)}"
    for reason, names in left_out.items():
        more = f" and {len(names) - MOST_NAMES:,} more" if len(names) > MOST_NAMES else ""
        yield f"  left out       {len(names):,} {reason}: {', '.join(names[:MOST_NAMES])}{more}"
    for note in report.notes:
        yield f"  note           {note}"


def _spread(values: Sequence[float | None], form: str) -> str:
    known = np.array([value for value in values if value is not None])
    return f"{known.min():{form}} to {known.max():{form}}, median {np.median(known):{form}}"


def _counts(counts: Counter[str]) -> str:
    most = [f"{name} ({count:,})" for name, count in counts.most_common(MOST_WORDS)]
    return ", ".join(most) + (", ..." if len(counts) > MOST_WORDS else "") if most else "none"
