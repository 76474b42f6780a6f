"""Fine-tuning: before and after on held-out sentences, resuming, and what is refused."""

from __future__ import annotations

import csv
import dataclasses
import functools
import os
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
from made_corpus import SMALL, made_corpus

from tinyclone import finetuning, speaker_clips
from tinyclone.alignment import align_corpus
from tinyclone.cloner import Cloner
from tinyclone.config import AudioConfig
from tinyclone.corpora import tinyvoices, tinyvoices_folder
from tinyclone.durations import CorpusAlignment
from tinyclone.errors import CheckpointError, ConsentError, CorpusError, VoiceError
from tinyclone.finetuning import finetune
from tinyclone.pretrained import load_cloner, save_cloner
from tinyclone.speaker_clips import align_speaker, hold_out, speech_of_one_speaker
from tinyclone.speaker_quality import Heard, SpeakerJudge
from tinyclone.synthesis import clone
from tinyclone.text import word_symbols
from tinyclone.voice import Voice

CONSENT = "I am Ana Lopez and this is my own voice."
VOICE = "rms"


def speaker_folder(folder: Path, *, n_clips: int = 14, texts: str | None = None) -> Path:
    """Write a corpus of one voice of tinyvoices, its sounds linked."""
    clips = [clip for clip in tinyvoices() if clip.id.startswith(f"{VOICE}-")][:n_clips]
    (folder / "wavs").mkdir(parents=True)
    for clip in clips:
        shutil.copy(clip.path, folder / "wavs" / clip.path.name)
    lines = [f"{clip.id}|{texts or clip.text}|{texts or clip.text}\n" for clip in clips]
    (folder / "metadata.csv").write_text("".join(lines), encoding="utf-8")
    return folder


def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Align with Gaussians alone, next to few clips of others, and be content with little speech."""
    others = [clip for clip in tinyvoices() if clip.id.startswith("slt-")][:4]
    monkeypatch.setattr(finetuning, "tinyvoices", lambda: others)
    short = functools.partial(align_corpus, gaussian_rounds=2, classifier_rounds=0)
    monkeypatch.setattr(speaker_clips, "align_corpus", short)
    monkeypatch.setattr(speaker_clips, "LEAST_MINUTES", 0.2)


@pytest.fixture
def quick(monkeypatch):
    hurry(monkeypatch)


@pytest.fixture(scope="module")
def start(tmp_path_factory) -> Path:
    """Weights that have learned nothing yet."""
    keras.utils.set_random_seed(0)
    cloner = Cloner(SMALL).build_all()
    for variable in cloner.trainable_variables:
        variable.assign(0.5 * np.asarray(variable))  # untrained mels are too loud for any sound
    return save_cloner(tmp_path_factory.mktemp("start") / "start.npz", cloner)


@pytest.fixture(scope="module")
def learned(start, tmp_path_factory):
    """A speaker's recordings, the folder of a finished fine-tuning, its report and what it said."""
    folder, run = tmp_path_factory.mktemp("learned") / "ana", tmp_path_factory.mktemp("learned") / "run"
    said: list[str] = []
    with pytest.MonkeyPatch.context() as monkeypatch:
        hurry(monkeypatch)
        report = finetune(
            speaker_folder(folder), run, consent=CONSENT, initial=start, steps=12, say=said.append
        )
    return folder, run, report, said


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*minutes of usable speech")
def test_a_speaker_is_learned_measured_and_can_speak(learned, quick, start):
    folder, run, report, said = learned
    arguments = {"consent": CONSENT, "initial": start, "steps": 12, "say": said.append}
    assert report.speaker == "ana"
    assert report.n_held_out >= 3
    assert 0.2 < report.minutes < 2
    for quality in (report.before, report.after, report.recordings):
        assert -1 <= quality.similarity <= 1
        assert 0 <= quality.phones <= 1
        assert np.isfinite(quality.distortion_db)
    assert report.before != report.after
    # A copy of a recording is nearer to it than what an untrained network says.
    assert report.recordings.distortion_db < report.before.distortion_db
    assert report.recordings.phones > report.before.phones
    with open(run / "log.csv", newline="") as file:
        errors = [float(row["val_loss"]) for row in csv.DictReader(file)]
    assert len(errors) == finetuning.EPOCHS
    assert errors[-1] < errors[0]
    table = report.table().splitlines()
    assert table[1].split()[:2] == ["before", f"{report.before.similarity:.3f}"]
    assert table[2].split()[-2:] == [f"{report.after.distortion_db:.1f}", "dB"]
    assert f"{report.n_held_out} held out" in said[0]

    sounds = {path.name for path in report.samples.iterdir()}
    assert {"1_before.wav", "1_after.wav", "1_recording.wav"} <= sounds
    assert len(sounds) == 3 * min(report.n_held_out, finetuning.SAMPLES)

    voice = Voice.load(report.voice)
    assert (voice.name, voice.consent) == ("ana", CONSENT)
    assert len(clone("Hello there.", voice, cloner=load_cloner(report.weights)).wav) > 0
    with pytest.raises(VoiceError, match="made with other weights"):
        clone("Hello there.", voice, cloner=load_cloner(start))

    # The same command again trains nothing and measures the same; another is refused.
    written = (run / "state.json").stat().st_mtime_ns
    again = finetune(folder, run, **arguments)
    assert (run / "state.json").stat().st_mtime_ns == written
    assert again.after.distortion_db == pytest.approx(report.after.distortion_db, rel=1e-3)
    with pytest.raises(CheckpointError, match=r"steps = 12 \(now 24\).*Choose another folder"):
        finetune(folder, run, **{**arguments, "steps": 24})


class PowerCut(Exception):
    """Stands for anything that ends a training."""


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*minutes of usable speech")
def test_a_stopped_run_goes_on(quick, start, tmp_path, monkeypatch):
    class Cut(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise PowerCut

    folder, run, whole = speaker_folder(tmp_path / "ana"), tmp_path / "run", finetuning.train_cloner
    arguments = {"consent": CONSENT, "initial": start, "steps": 6, "say": lambda _: None}
    with monkeypatch.context() as context:
        context.setattr(finetuning, "train_cloner", functools.partial(whole, callbacks=[Cut()]))
        with pytest.raises(PowerCut):
            finetune(folder, run, **arguments)
    aligned = (run / "alignments.npz").stat().st_mtime_ns
    finetune(folder, run, **arguments)
    assert (run / "alignments.npz").stat().st_mtime_ns == aligned
    with open(run / "log.csv", newline="") as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["0", "1", "2", "3", "4", "5"]


def test_a_voice_of_tinyvoices_is_not_one_of_the_others(quick, tmp_path):
    features, _ = made_corpus(speakers=("ana",))
    others = finetuning._other_voices(features, tmp_path)
    assert {one.speaker for one in others} == {"slt"}
    # The folder may have another name: a clip is known by its own.
    own = [dataclasses.replace(features[0], id="slt-002")]
    assert finetuning._other_voices(own, tmp_path) == []


@pytest.mark.parametrize("consent", [None, "", "yes"])
def test_without_consent_nothing_is_done(tmp_path, consent):
    with pytest.raises(ConsentError, match="must be a sentence that says who agreed"):
        finetune(tmp_path / "nowhere", tmp_path / "run", consent=consent)
    assert not (tmp_path / "run").exists()


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(CorpusError, match="Expected a corpus folder, found nothing"):
        finetune(tmp_path / "nowhere", tmp_path / "run", consent=CONSENT)


def test_several_speakers_are_refused_and_named(tmp_path):
    with pytest.raises(CorpusError, match=r"8 speakers \(\w+.*, \.\.\.\), but fine-tuning adapts to one"):
        speech_of_one_speaker(tinyvoices_folder(), tmp_path, minutes=15)


def test_too_little_speech_is_refused_and_counted(tmp_path):
    folder = speaker_folder(tmp_path / "ana", n_clips=3)
    with pytest.raises(CorpusError, match=r"holds 0\.\d minutes of usable speech\. At least 2 are needed"):
        speech_of_one_speaker(folder, tmp_path / "cache", minutes=15)


def test_little_speech_is_used_with_a_warning(quick, tmp_path):
    folder = speaker_folder(tmp_path / "ana")
    with pytest.warns(UserWarning, match=r"0\.\d minutes of usable speech\. At least .*5 to 20 are best"):
        features = speech_of_one_speaker(folder, tmp_path / "cache", minutes=0.5)
    frames = sum(len(one.mel) for one in features)
    assert 0.4 * 60 * 62.5 < frames <= 0.5 * 60 * 62.5


def test_clips_that_name_no_speaker_are_those_of_the_folder(quick, tmp_path):
    table = speaker_folder(tmp_path / "table")
    folder = tmp_path / "ana"
    folder.mkdir()
    for line in (table / "metadata.csv").read_text(encoding="utf-8").splitlines():
        name, text, _ = line.split("|")
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")
        shutil.copy(next((table / "wavs").glob(f"{name}.*")), folder)
    with pytest.warns(UserWarning):
        features = speech_of_one_speaker(folder, tmp_path / "cache", minutes=15)
    assert {one.speaker for one in features} == {"ana"}


def test_a_tenth_of_the_texts_is_held_out_and_never_a_text_of_training():
    features, _ = made_corpus(speakers=("ann",))
    many = [dataclasses.replace(features[0], id=str(n), text=f"sentence {n // 2}") for n in range(200)]
    training, held_out = hold_out(many, Path("ana"))
    assert len(training) + len(held_out) == 200
    assert 8 <= len(held_out) <= 36
    assert not {one.text for one in training} & {one.text for one in held_out}


def test_one_sentence_said_often_is_too_little_to_measure_with():
    features, _ = made_corpus(speakers=("ann",))
    same = [dataclasses.replace(features[0], id=str(number)) for number in range(20)]
    with pytest.raises(CorpusError, match="Only [01] sentences of ana can be held out.*at least 3"):
        hold_out(same, Path("ana"))


def test_texts_of_other_recordings_are_refused(tmp_path, monkeypatch):
    features, _ = made_corpus(speakers=("ann", "ben"))
    reason = "score 0.10 is below 1.0: wrong text or noise?"
    rejected = CorpusAlignment(rejected={(one.id, one.speaker): reason for one in features})
    monkeypatch.setattr(speaker_clips, "align_corpus", lambda *_, **__: rejected)
    with pytest.raises(CorpusError, match="Only 0 of 4 clips of ann sound like their texts.*score 0.10"):
        align_speaker(tmp_path / "alignments.npz", features[:4], features[4:], folder=Path("ann"))
    # With mended texts the same command can be given again.
    assert not (tmp_path / "alignments.npz").exists()


@pytest.mark.filterwarnings("ignore:.*minutes of usable speech")
def test_weights_that_do_not_fit_are_refused(quick, tmp_path):
    folder = speaker_folder(tmp_path / "ana", n_clips=8)
    other = dataclasses.replace(SMALL, audio=AudioConfig(hop_length=200))
    wrong = save_cloner(tmp_path / "wrong.npz", Cloner(other).build_all())
    with pytest.raises(CheckpointError, match="hop_length = 200"):
        finetune(folder, tmp_path / "run", consent=CONSENT, initial=wrong)
    (tmp_path / "broken.npz").write_bytes(b"not weights")
    with pytest.raises(CheckpointError, match="broken.npz"):
        finetune(folder, tmp_path / "run", consent=CONSENT, initial=tmp_path / "broken.npz")


def test_recordings_are_their_own_best_copy():
    features, alignments = made_corpus(speakers=("ann", "ben"))
    cloner = Cloner(SMALL).build_all()
    held_out = features[:4]
    judge = SpeakerJudge(cloner, recordings=features, alignments=alignments, held_out=held_out)

    def heard(chosen):
        return [
            Heard(one.mel, alignments[one.id, one.speaker].durations, word_symbols(one.words))
            for one in chosen
        ]

    own, shifted = judge.quality(heard(held_out)), judge.quality(heard(features[4:]))
    assert own.distortion_db == pytest.approx(0.0, abs=1e-6)
    assert shifted.distortion_db > 1.0
    assert own.phones > 0.9
    backwards = [
        one._replace(durations=one.durations[::-1], symbols=one.symbols[::-1]) for one in heard(held_out)
    ]
    assert judge.quality(backwards).phones < 0.5


def test_a_sentence_is_not_compared_with_its_own_recording():
    features, alignments = made_corpus(speakers=("ann",))
    cloner = Cloner(SMALL).build_all()
    judge = SpeakerJudge(cloner, recordings=features, alignments=alignments, held_out=features[:2])
    first, second = judge.prints
    np.testing.assert_allclose(judge._target(without=0), second)
    np.testing.assert_allclose(judge._target(without=1), first)
    cosine = first @ second / np.linalg.norm(first) / np.linalg.norm(second)
    spoken = [
        Heard(one.mel, alignments[one.id, one.speaker].durations, word_symbols(one.words))
        for one in features[:2]
    ]
    assert judge.quality(spoken).similarity == pytest.approx(cosine, abs=1e-5)


def run_command(*arguments: str):
    from click.testing import CliRunner

    from tinyclone.commands_training import finetune_command

    return CliRunner().invoke(finetune_command, [str(one) for one in arguments])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*minutes of usable speech")
def test_the_command_prints_the_table_and_where_to_listen(learned, quick, start):
    folder, run, report, _ = learned
    options = ("--voice", folder, "--out", run, "--initial", start, "--consent", CONSENT)
    result = run_command(*options, "--steps", 12)
    assert result.exit_code == 0, result.output
    for row in ("before ", "after ", "copied recordings ", "other voices "):
        assert row in result.output
    assert f"{report.recordings.distortion_db:.1f} dB" in result.output
    assert f"--voice {run / 'voice.npz'} --weights {run / 'cloner.npz'}" in result.output
    assert f"Listen to {run / 'samples'}" in result.output


def test_the_command_refuses_what_it_cannot_use(tmp_path):
    assert isinstance(run_command("--voice", tmp_path, "--out", tmp_path).exception, ConsentError)
    nowhere = run_command("--voice", tmp_path / "no", "--out", tmp_path / "run", "--consent", CONSENT)
    assert isinstance(nowhere.exception, CorpusError)
    negative = run_command("--voice", tmp_path, "--out", tmp_path, "--minutes", -1)
    assert negative.exit_code == 2
    assert "--minutes" in negative.output
    assert run_command("--out", tmp_path).exit_code == 2


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(CheckpointError, match="cannot be written"):
        finetune(tmp_path, tmp_path / "locked" / "run", consent=CONSENT)
