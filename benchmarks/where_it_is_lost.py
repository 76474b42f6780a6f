"""Where a clone loses what the recording has: true values take the place of predicted ones, one by one.

    python benchmarks/where_it_is_lost.py --features runs/shipped --limit 22

Speaks the held-out recordings of the named voices with what their alignments and pitch tracks say. Writes
where_it_is_lost.md and where_it_is_lost.json.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")

import bench
import heldout
import numpy as np
import report
import systems
from tqdm import tqdm
from train_weights import corpora, still_aligned
from utterances import Settings, Utterance

from tinyclone import audio
from tinyclone.array_files import replace_file
from tinyclone.config import AudioConfig, ClonerConfig
from tinyclone.durations import load_alignments
from tinyclone.evaluation import mel_cepstral_distortion
from tinyclone.examples import token_prosody
from tinyclone.excitation import measured_contour, table_rows
from tinyclone.features import Features, prepare
from tinyclone.mel import log_mel
from tinyclone.mel_speaker import DURATION_CORRECTION, MelSpeaker
from tinyclone.pretrained import load_speaker
from tinyclone.text import encode_symbols, word_symbols
from tinyclone.vocoder_weights import load_wave_speaker
from tinyclone.wave_speaker import WaveSpeaker

DURATION, PITCH, ENERGY = (0,), (1, 2), (3,)


@dataclass(frozen=True)
class Case:
    """What is true in one row of the table; the rest is predicted."""

    title: str
    columns: tuple[int, ...] = ()  # of the variances
    contour: bool = False  # the pitch of every frame, not one for each token
    own_voice: bool = False  # the voiceprint of this very recording, not the voice's mean
    mel: bool = False
    read_pitch: bool = False  # the vocoder reads the pitch off the mel, and is not told the cloner's


CASES = (
    Case("nothing: the clone"),
    Case("nothing, and the vocoder reads the pitch off the mel", read_pitch=True),
    Case("durations", DURATION),
    Case("pitch and voicing", PITCH),
    Case("energy", ENERGY),
    Case("durations, pitch, voicing, energy", DURATION + PITCH + ENERGY),
    Case("the same, pitch frame by frame", DURATION + PITCH + ENERGY, contour=True),
    Case("the same, voice of this recording", DURATION + PITCH + ENERGY, contour=True, own_voice=True),
    Case("the mel: a vocoder copy", mel=True, read_pitch=True),
)


@dataclass(frozen=True)
class Truth:
    """A held-out recording with what is known of it."""

    features: Features
    durations: np.ndarray
    recording: heldout.Recording

    def variances(self, config: ClonerConfig) -> np.ndarray:
        """Return what the network should have predicted. (T, 4)"""
        one = self.features
        mel, pitch_hz = one.mel.astype(np.float32), one.pitch_hz.astype(np.float32)
        pitch, voiced, energy = token_prosody(mel, pitch_hz, self.durations, config=config).T
        voicing = np.log(np.clip(voiced, 1e-3, 1 - 1e-3) / np.clip(1 - voiced, 1e-3, 1 - 1e-3))
        return np.stack([np.log1p(self.durations / DURATION_CORRECTION), pitch, voicing, energy], axis=1)

    def contour_hz(self, n_frames: int) -> np.ndarray:
        """Return the pitch of every frame, with straight lines through what is unvoiced.

        The cloner makes phones of one frame longer: the recording's pitch is stretched to so many frames.
        """
        pitch_hz = self.features.pitch_hz.astype(np.float32)
        contour_hz = np.exp(measured_contour(pitch_hz, log_pitch_if_none=0.0))
        place = np.linspace(0, len(contour_hz) - 1, n_frames)
        return np.interp(place, np.arange(len(contour_hz)), contour_hz).astype(np.float32)


class InformedCloner(MelSpeaker):
    """A cloner that is told a part of the truth.

    Parameters
    ----------
    cloner : MelSpeaker
        Does everything else.
    case : Case
    truth : Truth
    """

    def __init__(self, cloner: MelSpeaker, case: Case, truth: Truth) -> None:
        self.cloner, self.config, self.case, self.truth = cloner, cloner.config, case, truth
        self.hear_looks = cloner.hear_looks

    def read_tokens(self, tokens: np.ndarray, encoded: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Replace columns of what the network says about the tokens."""
        states, variances = self.cloner.read_tokens(tokens, encoded)
        variances, columns = np.array(variances), list(self.case.columns)
        true = self.truth.variances(self.config)
        variances[: len(true), columns] = true[:, columns]
        return states, variances

    def draw_mel(
        self, states: np.ndarray, prosody: np.ndarray, encoded: np.ndarray, layout: dict[str, np.ndarray]
    ) -> np.ndarray:
        """Replace the pitch of every frame."""
        if self.case.contour:
            n_frames = int(layout["frame_mask"].sum())
            layout["pitch_row"][:n_frames] = table_rows(np.log(self.truth.contour_hz(n_frames)))
        return self.cloner.draw_mel(states, prosody, encoded, layout)


def main() -> None:
    """Speak, have it judged, and write the table."""
    options = parse()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        held_out = heldout.prepare(options.data, work, limit=options.limit)
        known = known_recordings(options.data, options.features, held_out)
        utterances = [said for case in CASES for said in spoken(case, known, held_out, work, options)]
        left_out: list[str] = []
        scores = bench.judge(utterances, work, options, left_out)
    rows = report.rows_of(list(zip(utterances, scores, strict=True)))
    kept = ("n", "wer", "wer_low", "wer_high", "mos", "cosine", "mcd_db")
    results = [{"true": row["system"], **{name: row.get(name) for name in kept}} for row in rows]
    replace_file(options.out.with_suffix(".json"), (json.dumps(results, indent=1) + "\n").encode())
    replace_file(options.out.with_suffix(".md"), markdown(results, left_out).encode())
    print(markdown(results, left_out))


def spoken(
    case: Case,
    known: Sequence[tuple[heldout.NamedVoice, Truth]],
    held_out: heldout.HeldOut,
    work: Path,
    options: argparse.Namespace,
) -> Iterator[Utterance]:
    """Speak every recording that is aligned."""
    cloner, vocoder = load_speaker(options.weights), load_wave_speaker(options.vocoder)
    config = cloner.config.audio
    voices = systems.named_voices(held_out, Settings(work, options.weights), cloner)
    for index, (named, truth) in enumerate(tqdm(known, desc=case.title, unit="clip", mininterval=2.0)):
        wav = wave_of(case, truth, voices[named.name].voiceprint, cloner, vocoder)
        path = work / str(CASES.index(case)) / truth.recording.wav_path.name
        path.parent.mkdir(exist_ok=True)
        audio.save_audio(path, wav, sample_rate_hz=config.sample_rate_hz)
        text, references = truth.recording.text, named.references(truth.recording.text, start=index)
        distortion = distance(truth, wav, config)
        yield Utterance(case.title, "", text, path, references, held_out.references, mcd_db=distortion)


def wave_of(
    case: Case, truth: Truth, voiceprint: np.ndarray, cloner: MelSpeaker, vocoder: WaveSpeaker
) -> np.ndarray:
    """Speak one recording's text. (N,)"""
    mel, contour_hz = truth.features.mel.astype(np.float32), None
    if not case.mel:
        voiceprint = cloner.voiceprint(mel) if case.own_voice else voiceprint
        tokens = np.asarray(encode_symbols(word_symbols(truth.features.words)))
        prediction = InformedCloner(cloner, case, truth).predict_mel(tokens, voiceprint)
        mel, contour_hz = prediction.mel, prediction.contour_hz
        if case.contour:
            contour_hz = truth.contour_hz(len(mel))
    wav = vocoder.speak(mel, pitch_hz=None if case.read_pitch else contour_hz)
    return audio.normalise_loudness(wav, config=cloner.config.audio)


def parse() -> argparse.Namespace:
    """Read the options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    add, data = parser.add_argument, bench.ROOT.parent / "shared" / "data"
    add("--data", type=Path, default=data, help="folder with the corpora (default: ../shared/data)")
    add("--features", type=Path, required=True, help="run of train_weights.py, for features and alignments")
    add("--weights", type=Path, help="cloner to measure; the shipped one by default")
    add("--vocoder", type=Path, help="vocoder to use; the shipped one by default")
    add("--limit", type=int, help="at most so many recordings a voice")
    add("--out", type=Path, default=bench.ROOT / "benchmarks" / "where_it_is_lost", help="without suffix")
    bench.add_judges_options(parser)
    return parser.parse_args()


def known_recordings(
    data: Path, run: Path, held_out: heldout.HeldOut
) -> list[tuple[heldout.NamedVoice, Truth]]:
    """Return the recordings whose alignment is known, each with its voice."""
    clips = [clip for _, held_out_clips, _ in corpora(data) for clip in held_out_clips]
    features = {(one.speaker, one.id): one for one in prepare(clips, run / "features")}
    alignments = still_aligned(load_alignments(run / "alignments.npz").alignments, list(features.values()))
    known = []
    for named, recording in recordings_of(held_out):
        one = features.get((recording.speaker, recording.wav_path.stem))
        found = one and alignments.get((one.id, one.speaker))
        if found:
            known.append((named, Truth(one, found.durations, recording)))
    return known


def recordings_of(held_out: heldout.HeldOut) -> Iterator[tuple[heldout.NamedVoice, heldout.Recording]]:
    """Yield the recordings of all named voices."""
    for named in held_out.named:
        for recording in named.recordings:
            yield named, recording


def distance(truth: Truth, wav: np.ndarray, config: AudioConfig) -> float:
    """Return the mel cepstral distortion in dB."""
    recording = audio.load_audio(truth.recording.wav_path, config=config)
    sounds = (audio.trim_silence(sound, config=config) for sound in (recording, wav))
    return mel_cepstral_distortion(*(log_mel(sound, config=config) for sound in sounds))


def markdown(results: Sequence[dict], left_out: Sequence[str]) -> str:
    """Return the table."""
    lines = [
        "# Where a clone loses what the recording has\n",
        "\nHeld-out recordings of the named voices, spoken by the shipped cloner and vocoder. In each row ",
        "something predicted is replaced by what the recording says.\n",
        "\n| true instead of predicted | n | word errors | predicted mark | cosine | distortion |\n",
        "|---|--:|--:|--:|--:|--:|\n",
    ]
    for row in results:
        cells = [row["true"], str(row["n"]), report.word_errors(row)]
        cells += [report.number(row[name], 2) for name in ("mos", "cosine")]
        lines.append(f"| {' | '.join(cells)} | {row['mcd_db']:.1f} dB |\n")
    lines += ["\nLeft out:\n\n", *(f"- {line}\n" for line in left_out)] if left_out else []
    return "".join(lines)


if __name__ == "__main__":
    main()
