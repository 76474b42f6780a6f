"""What training never saw: sentences to speak, recordings to compare with, voices to clone."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tinyclone import audio, corpora
from tinyclone.config import AudioConfig
from tinyclone.corpora import Clip
from tinyclone.errors import TinycloneError

# The split that the shipped weights were trained with: change it only together with the training.
SALT = "tinyclone"
HELD_OUT_TEXTS = 0.06
HELD_OUT_SPEAKERS = 0.1

NAMED_VOICES = {"kathleen": "kathleen", "lj": "lj16k"}  # voice: folder of its corpus
READERS_FOLDER = "LibriSpeech"
LEAST_WORDS, MOST_WORDS = 4, 25
SENTENCES_A_NAMED_VOICE = 60
SENTENCES_AN_UNSEEN_VOICE = 3
REFERENCES_OF_A_NAMED_VOICE = 3
REFERENCE_SEC = 10.0
LEAST_REFERENCE_SEC = 3.0
# What is left of a reader's clip after the reference must be enough to judge the voice by.
REST_SEC = 3.0
TRAINING_CLIPS_FOR_A_VOICE = 12
CONFIG = AudioConfig()


@dataclass(frozen=True)
class Recording:
    """A held-out recording, prepared: mono 16 kHz, no silence at its ends, usual loudness."""

    wav_path: Path
    text: str
    speaker: str


@dataclass(frozen=True)
class NamedVoice:
    """A voice that training knows, with texts that it does not."""

    name: str
    sentences: list[str]
    recordings: list[Recording] = field(default_factory=list)
    training_clips: list[Clip] = field(default_factory=list)

    def references(self, text: str, *, start: int) -> list[Path]:
        """Return recordings of other sentences, to compare the voice with."""
        others = [recording.wav_path for recording in self.recordings if recording.text != text]
        count = min(REFERENCES_OF_A_NAMED_VOICE, len(others))
        return [others[(start + step) % len(others)] for step in range(count)]


@dataclass(frozen=True)
class UnseenVoice:
    """A reader of whom training heard nothing: a reference, and the rest of the same clip."""

    name: str
    sentences: list[str]
    recording: Recording
    reference: Path
    rest: Path | None


@dataclass(frozen=True)
class HeldOut:
    """Everything that is spoken and compared."""

    named: list[NamedVoice]
    unseen: list[UnseenVoice]
    references: list[Path]  # of all unseen voices, also of those that a limit keeps silent
    left_out: list[str]

    @property
    def sentences(self) -> list[str]:
        """The sentences of the named voices, each once."""
        return list(dict.fromkeys(text for voice in self.named for text in voice.sentences))


def prepare(data: Path, work: Path, *, limit: int | None) -> HeldOut:
    """Choose what is held out and write the recordings as wave files into `work`.

    Parameters
    ----------
    data : Path
        Folder with the corpora `kathleen`, `lj16k` and `LibriSpeech`; what is missing is left out.
    work : Path
        Folder for the prepared recordings.
    limit : int, optional
        At most so many sentences for each named voice, and for all unseen voices together.
    """
    left_out: list[str] = []
    train, held_out = {}, {}
    for voice, folder in NAMED_VOICES.items():
        train[voice], held_out[voice] = corpora.split_by_text(
            _load(data / folder, left_out), held_out_fraction=HELD_OUT_TEXTS, salt=SALT
        )
    sentences = {voice: speakable(clip.text for clip in clips) for voice, clips in held_out.items()}
    if not any(sentences.values()):
        left_out.append("held-out sentences of the training corpora: those of tinyvoices are spoken instead")
        sentences = {voice: speakable(clip.text for clip in corpora.tinyvoices()) for voice in NAMED_VOICES}
    count = min(limit or SENTENCES_A_NAMED_VOICE, SENTENCES_A_NAMED_VOICE)
    named = []
    for voice in NAMED_VOICES:
        others = [text for other in NAMED_VOICES if other != voice for text in sentences[other]]
        own_first = list(dict.fromkeys(sentences[voice] + others))
        clips = one_take_a_text(held_out[voice])[:count]
        recordings = [_prepare_recording(clip, work) for clip in clips]
        named.append(NamedVoice(voice, own_first[:count], recordings, train[voice]))
    spoken = [text for pair in zip_longest_flat(*sentences.values()) for text in pair]
    readers = corpora.split_by_speaker(
        _load(data / READERS_FOLDER, left_out), held_out_fraction=HELD_OUT_SPEAKERS, salt=SALT
    )[1]
    unseen = _prepare_readers(readers, spoken, work)
    short = len({clip.speaker for clip in readers}) - len(unseen)
    if short:
        left_out.append(f"held-out readers with less than {LEAST_REFERENCE_SEC:g} s of speech: {short}")
    references = [voice.reference for voice in unseen]
    if limit:
        unseen = unseen[: -(-limit // SENTENCES_AN_UNSEEN_VOICE)]
    return HeldOut(named, unseen, references, left_out)


def zip_longest_flat(*lists: list[str]) -> list[list[str]]:
    """Take the first of each list, the second of each, and so on; shorter lists just end."""
    longest = max(len(items) for items in lists)
    return [[items[i] for items in lists if i < len(items)] for i in range(longest)]


def one_take_a_text(clips: list[Clip]) -> list[Clip]:
    """Keep the first clip of each text: some sentences were recorded several times."""
    return list({clip.text: clip for clip in reversed(clips)}.values())[::-1]


def speakable(texts: Iterable[str]) -> list[str]:
    """Return each text once, cut at a clause if it is long; texts too short or too long are left out."""
    cut = (cut_at_clause(text) for text in texts)
    return list(dict.fromkeys(text for text in cut if LEAST_WORDS <= len(text.split()) <= MOST_WORDS))


def cut_at_clause(text: str) -> str:
    """Return the text up to the last comma, semicolon or colon that leaves at most 25 words."""
    if len(text.split()) <= MOST_WORDS:
        return text
    ends = [found.start() for found in re.finditer(r"[,;:.](?=\s)", text)]
    short = [text[:end] for end in ends if LEAST_WORDS <= len(text[:end].split()) <= MOST_WORDS]
    return f"{short[-1]}." if short else text


def _load(folder: Path, left_out: list[str]) -> list[Clip]:
    try:
        return corpora.load_corpus(folder)
    except TinycloneError:
        left_out.append(f"{folder.name}: no corpus in {folder.name}/ of the data folder (see --data)")
        return []


def _prepare_recording(clip: Clip, work: Path) -> Recording:
    wav = audio.trim_silence(audio.load_audio(clip.path, config=CONFIG), config=CONFIG)
    path = work / "recordings" / f"{clip.id}.wav"
    _write(path, audio.normalise_loudness(wav, config=CONFIG))
    return Recording(path, clip.text, clip.speaker)


def _prepare_readers(clips: list[Clip], spoken: list[str], work: Path) -> list[UnseenVoice]:
    clips = list({clip.speaker: clip for clip in reversed(clips)}.values())[::-1]
    voices = []
    for index, clip in enumerate(clips):
        recording = _prepare_recording(clip, work)
        reference_wav, rest_wav = cut_reference(audio.load_audio(recording.wav_path, config=CONFIG))
        if len(reference_wav) < LEAST_REFERENCE_SEC * CONFIG.sample_rate_hz:
            continue
        reference = work / "references" / f"{clip.speaker}.wav"
        _write(reference, reference_wav)
        rest = work / "references" / f"{clip.speaker}-rest.wav" if len(rest_wav) else None
        if rest:
            _write(rest, rest_wav)
        first = index * SENTENCES_AN_UNSEEN_VOICE
        sentences = [spoken[(first + step) % len(spoken)] for step in range(SENTENCES_AN_UNSEEN_VOICE)]
        voices.append(UnseenVoice(clip.speaker, sentences, recording, reference, rest))
    return voices


def cut_reference(wav: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cut a clip into a reference and the rest; a short clip is all reference, and has no rest."""
    longest = int(REFERENCE_SEC * CONFIG.sample_rate_hz)
    cut = min(longest, len(wav) * 2 // 3)
    if len(wav) - cut < REST_SEC * CONFIG.sample_rate_hz:
        return wav[:longest], wav[:0]
    return wav[:cut], wav[cut:]


def _write(path: Path, wav: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    audio.save_audio(path, wav, sample_rate_hz=CONFIG.sample_rate_hz)
