"""The ways of speaking that are compared, each a function from what is held out to utterances."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np
from heldout import TRAINING_CLIPS_FOR_A_VOICE, HeldOut, NamedVoice, Recording
from other_programs import PEERS, PROGRAMS, by_peer, by_program
from tqdm import tqdm
from utterances import Missing, Settings, Utterance

from tinyclone import audio
from tinyclone.config import AudioConfig
from tinyclone.errors import TinycloneError
from tinyclone.evaluation import mel_cepstral_distortion
from tinyclone.griffin_lim import mel_to_wav
from tinyclone.mel import log_mel
from tinyclone.synthesis import GRIFFIN_LIM, Speech, clone
from tinyclone.vocoder_weights import load_wave_speaker

if TYPE_CHECKING:
    from tinyclone import Voice
    from tinyclone.mel_speaker import MelSpeaker
    from tinyclone.wave_speaker import WaveSpeaker

CONSENT = "Readers of LibriSpeech, published under CC BY 4.0; cloned here only to measure the quality."
TRAINING_CONSENT = "The readers of the training corpora, whose licences allow it; see the model card."
CONFIG = AudioConfig()


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


def copies(system: str, held_out: HeldOut, settings: Settings) -> Iterator[Utterance]:
    """The recordings' mels made sound again: the best that any model of ours could be."""
    wave_of = _wave_maker(system, settings)
    wave_of(log_mel(np.zeros(CONFIG.sample_rate_hz, np.float32), config=CONFIG))
    for voice in held_out.named:
        for index, recording in enumerate(voice.recordings):
            utterance = _of_named(system, held_out, voice, recording.text, recording.wav_path, index)
            yield _copy(utterance, wave_of, settings)
    for index, voice in enumerate(held_out.unseen):
        utterance = _of_unseen(system, held_out, index, voice.recording.text, voice.recording.wav_path)
        rest = voice.rest and _copy(replace(utterance, wav_path=voice.rest), wave_of, settings).wav_path
        references, others = (utterance.references, utterance.others) if rest else ([], [])
        copied = _copy(utterance, wave_of, settings)
        yield replace(copied, voice_wav_path=rest, references=references, others=others)


def ours(system: str, held_out: HeldOut, settings: Settings) -> Iterator[Utterance]:
    """Voices of training saying new sentences, and voices that training never heard."""
    cloner = load_weights(settings)
    voices = named_voices(held_out, settings, cloner)
    speak = partial(clone, cloner=cloner, vocoder=_vocoder(system, settings))
    _warm_up(held_out, next(iter(voices.values())), speak)
    for named in held_out.named:
        recordings = {recording.text: recording for recording in named.recordings}
        for index, text in enumerate(named.sentences):
            path = settings.work / f"{system}/{named.name}-{index}.wav"
            utterance = _of_named(system, held_out, named, text, path, index)
            yield _speak(utterance, voices[named.name], speak, recordings.get(text))
    for index, unseen in enumerate(held_out.unseen):
        voice = _voice_of(unseen.reference, unseen.name, cloner)
        for number, text in enumerate(unseen.sentences):
            path = settings.work / f"{system}/{unseen.name}-{number}.wav"
            yield _speak(_of_unseen(system, held_out, index, text, path), voice, speak, None)


SYSTEMS: dict[str, Callable[[HeldOut, Settings], Iterator[Utterance]]] = {
    "human": human,
    "copy-gl": partial(copies, "copy-gl"),
    "copy": partial(copies, "copy"),
    "ours-gl": partial(ours, "ours-gl"),
    "ours": partial(ours, "ours"),
    **{name: partial(by_program, name) for name in PROGRAMS},
    **{name: partial(by_peer, name) for name in PEERS},
}
TITLES = {
    "human": "human recordings",
    "copy-gl": "Griffin-Lim copy of the recordings",
    "copy": "vocoder copy of the recordings",
    "ours-gl": "tinyclone (clone + Griffin-Lim)",
    "ours": "tinyclone (clone + vocoder)",
    "flite": "flite (slt)",
    "espeak-ng": "espeak-ng (en-us)",
    "pico": "pico (en-US)",
    "piper": "piper (en_US-joe-medium)",
    "hibari": "hibari (heart)",
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


def _vocoder(system: str, settings: Settings) -> WaveSpeaker | str:
    if system.endswith("-gl"):
        return GRIFFIN_LIM
    try:
        return load_wave_speaker(settings.vocoder)
    except (TinycloneError, ImportError) as error:
        raise Missing(f"the vocoder cannot be loaded: {error}") from error


def _wave_maker(system: str, settings: Settings) -> Callable[[np.ndarray], np.ndarray]:
    vocoder = _vocoder(system, settings)
    return partial(mel_to_wav, config=CONFIG) if vocoder == GRIFFIN_LIM else vocoder.speak


def _warm_up(held_out: HeldOut, voice: Voice, speak: Callable[..., Speech]) -> None:
    """Meet every length once: what is compiled at a first call is not what a second call costs."""
    by_length = sorted(held_out.sentences, key=len)
    for position in np.linspace(0, len(by_length) - 1, min(6, len(by_length))).astype(int):
        speak(by_length[position], voice)


def _speak(
    utterance: Utterance, voice: Voice, speak: Callable[..., Speech], recording: Recording | None
) -> Utterance:
    start = perf_counter()
    speech = speak(utterance.text, voice)
    seconds = perf_counter() - start
    _save(utterance.wav_path, speech.wav)
    mcd_db = _distortion(recording.wav_path, speech.wav) if recording else None
    return replace(utterance, synthesis_sec=seconds, mcd_db=mcd_db)


def _copy(utterance: Utterance, wave_of: Callable[[np.ndarray], np.ndarray], settings: Settings) -> Utterance:
    wav = audio.load_audio(utterance.wav_path, config=CONFIG)
    start = perf_counter()
    copied = wave_of(log_mel(wav, config=CONFIG))
    seconds = perf_counter() - start
    path = settings.work / utterance.system / utterance.wav_path.name
    mcd_db = _distortion(utterance.wav_path, copied)
    _save(path, copied)
    return replace(utterance, wav_path=path, synthesis_sec=seconds, mcd_db=mcd_db)


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
