"""Fine-tuning: the shipped weights learn one speaker from minutes of speech, and say what it brought.

The fast way to a voice is a voiceprint of a few seconds. Where minutes are there, the whole network can
move towards the speaker; it then speaks for this speaker alone. Sentences that are held out tell whether
it did: spoken before and after, they are compared with the speaker's own recordings.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from tinyclone.array_files import replace_file
from tinyclone.audio import normalise_loudness, save_audio
from tinyclone.batching import BatchSequence
from tinyclone.checkpoints import require_same
from tinyclone.cloner import Cloner
from tinyclone.config import AudioConfig
from tinyclone.corpora import tinyvoices
from tinyclone.durations import Alignment
from tinyclone.features import Features, prepare
from tinyclone.fitting import require_writable
from tinyclone.griffin_lim import mel_to_wav
from tinyclone.mel import log_mel
from tinyclone.pretrained import load_cloner
from tinyclone.shipped import shipped_folder
from tinyclone.speaker_clips import (
    align_speaker,
    hold_out,
    require_enough_held_out,
    speech_of_one_speaker,
)
from tinyclone.speaker_quality import Heard, Quality, SpeakerJudge, as_heard
from tinyclone.synthesis import clone
from tinyclone.text import word_symbols
from tinyclone.training import train_cloner
from tinyclone.voice import Voice, require_consent

MOST_HELD_OUT = 20
# Every minute of speech is seen about fifty times, whatever their number; 1,200 steps take 10 minutes.
STEPS_PER_MINUTE, FEWEST_STEPS, MOST_STEPS = 80, 300, 1200
EPOCHS = 6
LEARNING_RATE, WARMUP_STEPS, EMA_MOMENTUM = 3e-4, 50, 0.99
CLIPS_OF_A_VOICE = 40
SAMPLES = 5


@dataclass(frozen=True)
class FinetuneReport:
    """What a fine-tuning brought, measured on sentences of the speaker that it did not train on.

    Parameters
    ----------
    speaker : str
    minutes : float
        Speech that was trained on.
    n_held_out : int
        Sentences that were measured.
    before, after, recordings : Quality
        Of the starting weights, of the new ones, and of the recordings made sound again by Griffin-Lim:
        as good as it can get.
    other_voices : float
        Similarity of voices that are not the speaker.
    weights, voice, samples : Path
        ``cloner.npz``, ``voice.npz``, and the folder of recordings to compare.

    Notes
    -----
    Lesson: lessons/08_your_own_voice.ipynb
    """

    speaker: str
    minutes: float
    n_held_out: int
    before: Quality
    after: Quality
    recordings: Quality
    other_voices: float
    weights: Path
    voice: Path
    samples: Path

    def table(self) -> str:
        """Return the numbers for people."""
        rows = (("before", self.before), ("after", self.after), ("copied recordings", self.recordings))
        lines = [f"{self.n_held_out} held-out sentences  similarity  phones  distortion"]
        lines += [
            f"{name:<21} {one.similarity:11.3f}  {one.phones:5.0%}  {one.distortion_db:7.1f} dB"
            for name, one in rows
        ]
        return "\n".join([*lines, f"{'other voices':<21} {self.other_voices:11.3f}"])


def finetune(
    folder: str | Path,
    run: str | Path,
    *,
    consent: str | None,
    minutes: float = 15.0,
    initial: str | Path | None = None,
    steps: int | None = None,
    learning_rate: float = LEARNING_RATE,
    say: Callable[[str], object] = print,
) -> FinetuneReport:
    """Adapt weights to the speaker of a folder, or go on where an earlier call was stopped.

    Parameters
    ----------
    folder : str or Path
        Recordings of one speaker with their texts, in any layout of `tinyclone.corpora.load_corpus`.
    run : str or Path
        Folder for everything that is made; a stopped run in it is resumed.
    consent : str
        Who agreed to this, see `tinyclone.voice.require_consent`.
    minutes : float
        Speech to use at most: clips after that are left alone. 5 to 20 are best.
    initial : str or Path, optional
        A ``.npz`` of `tinyclone.pretrained.save_cloner` to start from; the shipped weights by default.
    steps : int, optional
        Training steps; by default 80 for each minute of speech, 300 to 1,200.
    learning_rate : float
        At its highest. A third of what training began with keeps what the network knows.
    say : callable
        Is told what happens.

    Returns
    -------
    FinetuneReport

    Raises
    ------
    ConsentError
        If nobody is named who agreed.
    CorpusError
        If the folder holds several speakers, or too little speech, or texts that do not fit.
    CheckpointError
        If the weights cannot be used, or `run` holds another fine-tuning.

    Notes
    -----
    The speaker's clips are aligned together with tinyvoices: from a few minutes alone the aligner cannot
    learn all phones. Training sees the speaker's clips only, so other voices get worse.

    Lesson: lessons/08_your_own_voice.ipynb
    """
    consent, run, folder = require_consent(consent), Path(run), Path(folder)
    initial = Path(initial) if initial is not None else None
    require_writable(run)
    features = speech_of_one_speaker(folder, run / "features", minutes=minutes)
    start = load_cloner(initial)
    training, held_out = hold_out(features, folder)
    speaker, n_frames = features[0].speaker, sum(len(one.mel) for one in training)
    n_minutes = n_frames / 60 / start.config.audio.frames_per_sec
    steps = steps or int(np.clip(STEPS_PER_MINUTE * n_minutes, FEWEST_STEPS, MOST_STEPS))
    plan = {"speaker": speaker, "weights": start.fingerprint, "clips": len(features), "steps": steps}
    _require_same_plan(run / "finetune.json", {**plan, "learning_rate": learning_rate})
    others = _other_voices(features, run / "features")
    alignments = align_speaker(run / "alignments.npz", features, others, folder=folder)
    held_out = [one for one in held_out if (one.id, one.speaker) in alignments][:MOST_HELD_OUT]
    require_enough_held_out(len(held_out), folder)
    speech = _Speech(training, held_out, others, alignments)
    say(f"{speaker}: {len(training)} clips, {n_minutes:.1f} minutes to learn from, {len(held_out)} held out.")
    _train(run, speech, start, initial=initial, steps=steps, learning_rate=learning_rate)
    say("Speaking the held-out sentences before and after.")
    tuned = load_cloner(run / "cloner.npz")
    voices = {
        name: voice_of(cloner, training, consent=consent, source=f"{n_minutes:.1f} minutes of {speaker}")
        for name, cloner in (("before", start), ("after", tuned))
    }
    return FinetuneReport(
        speaker=speaker,
        minutes=n_minutes,
        n_held_out=len(held_out),
        **_compare(
            speech, start, {"before": (start, voices["before"]), "after": (tuned, voices["after"])}, run
        ),
        weights=run / "cloner.npz",
        voice=voices["after"].save(run / "voice.npz"),
        samples=run / "samples",
    )


def _other_voices(features: Sequence[Features], cache: Path) -> list[Features]:
    """Return the clips of tinyvoices, but not those of a voice of tinyvoices that is itself learned."""
    own = {one.id for one in features}
    clips = tinyvoices()
    same = {clip.speaker for clip in clips if clip.id in own}
    return list(prepare([clip for clip in clips if clip.speaker not in same], cache))


@dataclass(frozen=True)
class _Speech:
    """What is learned from, what is held out, the voices of tinyvoices, and the alignments of all."""

    training: list[Features]
    held_out: list[Features]
    others: list[Features]
    alignments: Mapping[tuple[str, str], Alignment]


def _train(
    run: Path, speech: _Speech, start: Cloner, *, initial: Path | None, steps: int, learning_rate: float
) -> None:
    """Train on the speaker's clips, from where an earlier call was stopped."""
    data = {"config": start.config, "speakers": [speech.training[0].speaker]}
    train_cloner(
        run,
        BatchSequence(speech.training, speech.alignments, steps=steps, **data),
        config=start.config,
        epochs=min(EPOCHS, steps),
        validation=BatchSequence(speech.held_out, speech.alignments, steps=4, seed=1, **data),
        initial_weights=initial or shipped_folder() / "cloner.npz",
        learning_rate=learning_rate,
        warmup_steps=max(1, min(WARMUP_STEPS, steps // 4)),
        # Over so few steps, an average of a hundred would still hold half of the start.
        ema_momentum=min(EMA_MOMENTUM, steps / (steps + 5)),
    )


def _compare(
    speech: _Speech, judge_model: Cloner, models: Mapping[str, tuple[Cloner, Voice]], run: Path
) -> dict[str, Quality | float]:
    """Speak the held-out sentences with each model, copy the recordings, and judge all of it."""
    held_out, config = speech.held_out, judge_model.config.audio
    judge = SpeakerJudge(
        judge_model,
        recordings=[*speech.training, *speech.others],
        alignments=speech.alignments,
        held_out=held_out,
    )
    quality: dict[str, Quality | float] = {}
    for name, (cloner, voice) in models.items():
        progress = tqdm(held_out, desc=f"speaking, {name}", unit="sentence")
        spoken = [clone(one.text, voice, cloner=cloner) for one in progress]
        _save_samples(run / "samples", name, [one.wav for one in spoken], config)
        quality[name] = judge.quality([as_heard(one, cloner) for one in spoken])
    copies = [mel_to_wav(one.mel.astype(np.float32), config=config) for one in held_out]
    _save_samples(run / "samples", "recording", copies, config)
    durations = [speech.alignments[one.id, one.speaker].durations for one in held_out]
    quality["recordings"] = judge.quality(
        [
            Heard(log_mel(wav, config=config), frames, word_symbols(one.words))
            for wav, frames, one in zip(copies, durations, held_out, strict=True)
        ]
    )
    one_of_each = {one.speaker: one.mel for one in speech.others}
    return {**quality, "other_voices": judge.similarity(list(one_of_each.values()))}


def voice_of(cloner: Cloner, features: Sequence[Features], *, consent: str, source: str) -> Voice:
    """Make one voice of up to 40 recordings of a speaker, evenly chosen: steadier than of one."""
    chosen = features[:: -(-len(features) // CLIPS_OF_A_VOICE)]
    voiceprint = cloner.voiceprint(np.concatenate([one.mel for one in chosen]))
    fingerprint = getattr(cloner, "fingerprint", "")
    return Voice(features[0].speaker, voiceprint, consent, source, cloner_fingerprint=fingerprint)


def _require_same_plan(file: Path, plan: Mapping[str, object]) -> None:
    """Note what a run was started with, or refuse to go on with something else."""
    if file.exists():
        advice = "Choose another folder for this run, or start it with the same values to resume it."
        what = f"The fine-tuning in {file.parent} was started"
        require_same(json.loads(file.read_text(encoding="utf-8")), plan, what=what, advice=advice)
    replace_file(file, json.dumps(plan).encode())


def _save_samples(folder: Path, name: str, waves: Sequence[np.ndarray], config: AudioConfig) -> None:
    folder.mkdir(exist_ok=True)
    for number, wav in enumerate(waves[:SAMPLES], start=1):
        path = folder / f"{number}_{name}.wav"
        save_audio(path, normalise_loudness(wav, config=config), sample_rate_hz=config.sample_rate_hz)
