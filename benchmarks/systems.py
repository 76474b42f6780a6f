"""The ways of speaking that are compared, each a function from what is held out to utterances."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np
from heldout import TRAINING_CLIPS_FOR_A_VOICE, HeldOut, NamedVoice, Recording
from tqdm import tqdm

from tinyclone import audio
from tinyclone.config import AudioConfig
from tinyclone.errors import TinycloneError
from tinyclone.evaluation import mel_cepstral_distortion
from tinyclone.griffin_lim import mel_to_wav
from tinyclone.mel import log_mel

if TYPE_CHECKING:
    from tinyclone import Voice
    from tinyclone.mel_speaker import MelSpeaker

CONSENT = "Readers of LibriSpeech, published under CC BY 4.0; cloned here only to measure the quality."
TRAINING_CONSENT = "The readers of the training corpora, whose licences allow it; see the model card."
CONFIG = AudioConfig()


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


def human(held_out: HeldOut, settings: Settings) -> Iterator[Utterance]:
    """The recordings themselves: as good as it gets."""
    for voice in held_out.named:
        for index, recording in enumerate(voice.recordings):
            yield _of_named("human", held_out, voice, recording.text, recording.wav_path, index)
    for index, voice in enumerate(held_out.unseen):
        utterance = _of_unseen("human", held_out, index, voice.recording.text, voice.recording.wav_path)
        # A recording must not be compared with a piece of itself.
        if voice.rest is None:
            utterance = replace(utterance, references=[], others=[])
        yield replace(utterance, voice_wav_path=voice.rest)


def copy_synthesis(held_out: HeldOut, settings: Settings) -> Iterator[Utterance]:
    """The recordings' mels made sound again by Griffin-Lim: the best that any model of ours could be."""
    for voice in held_out.named:
        for index, recording in enumerate(voice.recordings):
            utterance = _of_named("copy", held_out, voice, recording.text, recording.wav_path, index)
            yield _copy(utterance, settings)
    for index, voice in enumerate(held_out.unseen):
        utterance = _of_unseen("copy", held_out, index, voice.recording.text, voice.recording.wav_path)
        rest = voice.rest and _copy(replace(utterance, wav_path=voice.rest), settings).wav_path
        references, others = (utterance.references, utterance.others) if rest else ([], [])
        yield replace(_copy(utterance, settings), voice_wav_path=rest, references=references, others=others)


def ours(held_out: HeldOut, settings: Settings) -> Iterator[Utterance]:
    """Voices of training saying new sentences, and voices that training never heard."""
    cloner = load_weights(settings)
    voices = named_voices(held_out, settings, cloner)
    _warm_up(held_out, next(iter(voices.values())), cloner)
    for named in held_out.named:
        recordings = {recording.text: recording for recording in named.recordings}
        for index, text in enumerate(named.sentences):
            path = settings.work / f"ours/{named.name}-{index}.wav"
            utterance = _of_named("ours", held_out, named, text, path, index)
            yield _speak(utterance, voices[named.name], cloner, recordings.get(text))
    for index, unseen in enumerate(held_out.unseen):
        voice = _voice_of(unseen.reference, unseen.name, cloner)
        for number, text in enumerate(unseen.sentences):
            path = settings.work / f"ours/{unseen.name}-{number}.wav"
            yield _speak(_of_unseen("ours", held_out, index, text, path), voice, cloner, None)


def espeak_ng(held_out: HeldOut, settings: Settings) -> Iterator[Utterance]:
    """The formant synthesiser of most Linux desktops."""
    yield from _by_program("espeak-ng", ["-v", "en-us", "-w", "{wav}", "--", "{text}"], held_out, settings)


def flite(held_out: HeldOut, settings: Settings) -> Iterator[Utterance]:
    """A small engine that joins pieces of recordings of one voice."""
    yield from _by_program("flite", ["-voice", "slt", "-t", "{text}", "-o", "{wav}"], held_out, settings)


SYSTEMS: dict[str, Callable[[HeldOut, Settings], Iterator[Utterance]]] = {
    "human": human,
    "copy": copy_synthesis,
    "ours": ours,
    "flite": flite,
    "espeak-ng": espeak_ng,
}
TITLES = {
    "human": "human recordings",
    "copy": "Griffin-Lim copy of the recordings",
    "ours": "tinyclone (clone + Griffin-Lim)",
    "flite": "flite (slt)",
    "espeak-ng": "espeak-ng (en-us)",
}


def collect(name: str, held_out: HeldOut, settings: Settings) -> list[Utterance]:
    """Let one system speak everything, with a progress bar.

    Raises
    ------
    Missing
        When the system, or all that it could speak, is not here.
    """
    try:
        utterances = list(tqdm(SYSTEMS[name](held_out, settings), desc=name, unit="clip", mininterval=2.0))
    except TinycloneError as error:
        raise Missing(f"it failed: {error}") from error
    if not utterances:
        raise Missing("there are no held-out recordings: say where the corpora are with --data")
    for utterance in utterances:
        utterance.duration_sec = audio_seconds(utterance.wav_path)
    return utterances


def audio_seconds(path: Path) -> float:
    """Return how long a wave file plays."""
    import soundfile

    return float(soundfile.info(str(path)).duration)


def load_weights(settings: Settings) -> MelSpeaker:
    """Load the cloner that is measured."""
    from tinyclone.pretrained import load_speaker

    try:
        return load_speaker(settings.weights)
    except (TinycloneError, ImportError) as error:
        raise Missing(f"the weights cannot be loaded: {error}") from error


def named_voices(held_out: HeldOut, settings: Settings, cloner: MelSpeaker) -> dict[str, Voice]:
    """Return the shipped voices, or with other weights those of a file or of the training recordings."""
    from tinyclone import Voice
    from tinyclone.voice import load_voices

    names = [named.name for named in held_out.named]
    if settings.voices:
        shipped = load_voices(settings.voices)
        return {name: shipped[name] for name in names}
    if settings.weights is None:
        return {name: Voice.named(name) for name in names}
    return {named.name: _average_voice(named, cloner) for named in held_out.named}


def _average_voice(named: NamedVoice, cloner: MelSpeaker) -> Voice:
    """Average the voiceprints of training recordings, which vary less together than alone."""
    voices = []
    step = max(1, len(named.training_clips) // (2 * TRAINING_CLIPS_FOR_A_VOICE))
    for clip in named.training_clips[::step]:
        try:
            voices.append(_voice_of(clip.path, named.name, cloner, consent=TRAINING_CONSENT))
        except TinycloneError:
            continue  # too short to be a reference
        if len(voices) == TRAINING_CLIPS_FOR_A_VOICE:
            break
    if not voices:
        raise Missing(f"other weights need training recordings of {named.name} (--data), or --voices FILE")
    return replace(voices[0], voiceprint=np.mean([voice.voiceprint for voice in voices], axis=0))


def _voice_of(recording: Path, name: str, cloner: MelSpeaker, *, consent: str = CONSENT) -> Voice:
    from tinyclone import Voice

    return Voice.from_recording(recording, consent=consent, name=name, cloner=cloner)


def _warm_up(held_out: HeldOut, voice: Voice, cloner: MelSpeaker) -> None:
    """Meet every length once: what is compiled at a first call is not what a second call costs."""
    from tinyclone import clone

    by_length = sorted(held_out.sentences, key=len)
    for position in np.linspace(0, len(by_length) - 1, min(6, len(by_length))).astype(int):
        clone(by_length[position], voice, cloner=cloner)


def _speak(utterance: Utterance, voice: Voice, cloner: MelSpeaker, recording: Recording | None) -> Utterance:
    from tinyclone import clone

    start = perf_counter()
    speech = clone(utterance.text, voice, cloner=cloner)
    seconds = perf_counter() - start
    _save(utterance.wav_path, speech.wav)
    mcd_db = _distortion(recording.wav_path, speech.wav) if recording else None
    return replace(utterance, synthesis_sec=seconds, mcd_db=mcd_db)


def _copy(utterance: Utterance, settings: Settings) -> Utterance:
    wav = audio.load_audio(utterance.wav_path, config=CONFIG)
    start = perf_counter()
    copied = mel_to_wav(log_mel(wav, config=CONFIG), config=CONFIG)
    seconds = perf_counter() - start
    path = settings.work / "copy" / utterance.wav_path.name
    mcd_db = _distortion(utterance.wav_path, copied)
    _save(path, copied)
    return replace(utterance, wav_path=path, synthesis_sec=seconds, mcd_db=mcd_db)


def _by_program(
    name: str, arguments: list[str], held_out: HeldOut, settings: Settings
) -> Iterator[Utterance]:
    program = shutil.which(name)
    if program is None:
        raise Missing(f"{name} is not installed; on Debian or Ubuntu: sudo apt install {name}")
    for index, text in enumerate(held_out.sentences):
        path = settings.work / name / f"{index}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        start = perf_counter()
        command = [argument.format(wav=path, text=text) for argument in arguments]
        subprocess.run([program, *command], check=True, capture_output=True, timeout=60)
        seconds = perf_counter() - start
        yield Utterance(name, "its own", text, path, synthesis_sec=seconds)


def _of_named(
    system: str, held_out: HeldOut, voice: NamedVoice, text: str, path: Path, index: int
) -> Utterance:
    references = voice.references(text, start=index)
    return Utterance(system, voice.name, text, path, references, held_out.references)


def _of_unseen(system: str, held_out: HeldOut, index: int, text: str, path: Path) -> Utterance:
    voice = held_out.unseen[index]
    others = [reference for reference in held_out.references if reference != voice.reference]
    return Utterance(system, "unseen", text, path, [voice.reference], others)


def _distortion(recording: Path, wav: np.ndarray) -> float:
    reference = audio.load_audio(recording, config=CONFIG)
    # Silence at the ends is no timbre, and a quiet copy is no worse than a loud one.
    mels = [log_mel(audio.trim_silence(sound, config=CONFIG), config=CONFIG) for sound in (reference, wav)]
    return mel_cepstral_distortion(*mels)


def _save(path: Path, wav: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    audio.save_audio(path, wav, sample_rate_hz=CONFIG.sample_rate_hz)
