"""`tinyclone train`: what it refuses, what it says, and what it hands to the training."""

from __future__ import annotations

import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from made_corpus import SMALL, made_corpus

from tinyclone.commands_training import train_command
from tinyclone.corpora import tinyvoices_folder
from tinyclone.durations import CorpusAlignment
from tinyclone.errors import CheckpointError, CorpusError, TinycloneError
from tinyclone.feature_store import FeatureStore
from tinyclone.training_data import TrainingData


def run_train(*arguments: object):
    return CliRunner().invoke(train_command, [str(one) for one in arguments])


@pytest.fixture
def gathered(monkeypatch):
    """Stand in for features and alignments; note what was asked for."""
    asked = {}

    def gather(corpora, run, **settings):
        asked.update(settings, clips=sum(map(len, corpora)))
        features, alignments = made_corpus()
        rejected = {("x", "ann"): "score 0.01 is below 0.25"}
        held_out = [one for one in features if one.text in ("The cat sat.", "Rain fell here.")]
        training = [one for one in features if one.text not in ("The cat sat.", "Rain fell here.")]
        aligned = CorpusAlignment(alignments, rejected)
        return TrainingData(FeatureStore([training]), FeatureStore([held_out]), aligned, 3)

    monkeypatch.setattr("tinyclone.training_data.gather", gather)
    return asked


@pytest.fixture
def trained(monkeypatch):
    """Stand in for the training; note what it was given."""
    given = {}

    def train_cloner(run, batches, **settings):
        given.update(settings, run=run, batches=batches)

    monkeypatch.setattr("tinyclone.training.train_cloner", train_cloner)
    return given


def test_what_is_wrong_is_refused_before_anything_is_made(tmp_path):
    run = tmp_path / "run"
    tries = {
        "There is no preset 'huge'. The presets are laptop": (tinyvoices_folder(), "--preset", "huge"),
        "The strategy is 'telepathy'": (tinyvoices_folder(), "--strategy", "telepathy"),
        "Expected a corpus folder, found nothing": (tmp_path / "nowhere",),
    }
    for message, arguments in tries.items():
        result = run_train(*arguments, "--run", run)
        assert isinstance(result.exception, TinycloneError), result.output
        assert message in str(result.exception) and not run.exists()
    empty = tmp_path / "empty"
    empty.mkdir()
    assert isinstance(run_train(empty, "--run", run).exception, CorpusError)
    assert run_train(tinyvoices_folder()).exit_code == 2  # no --run
    assert run_train("--run", run).exit_code == 2  # no PATH
    for wrong in (("--epochs", 0), ("--ema", 1), ("--held-out-fraction", 0), ("--max-seconds", 0)):
        assert run_train(tinyvoices_folder(), "--run", run, *wrong).exit_code == 2


def test_a_run_folder_that_cannot_be_written_in_is_refused(tmp_path, gathered):
    (tmp_path / "file").write_text("")
    result = run_train(tinyvoices_folder(), "--run", tmp_path / "file" / "run")
    assert isinstance(result.exception, CheckpointError) and gathered == {}


def test_a_dry_run_says_what_it_would_train_and_trains_nothing(tmp_path, gathered, trained):
    result = run_train(
        tinyvoices_folder(), "--run", tmp_path, "--dry-run", "--epochs", 3, "--steps-per-epoch", 10,
        "--pseudo-speakers", 4, "--max-seconds", 7, "--cache", tmp_path / "cache",
    )  # fmt: skip
    assert result.exit_code == 0, result.exception
    assert "2 voices, " in result.output and "3 clips could not be used, 1 do not fit" in result.output
    assert "x (ann): score 0.01 is below 0.25" in result.output
    assert "30 steps of about 3,072 frames, a checkpoint every 10; preset laptop." in result.output
    assert gathered["clips"] == 320 and gathered["pseudo_speakers"] == 4 and gathered["max_seconds"] == 7
    assert gathered["cache"] == tmp_path / "cache" and trained == {}


def test_the_preset_reaches_the_training_and_options_go_before_it(tmp_path, gathered, trained):
    from tinyclone.presets import PRESETS

    result = run_train(tinyvoices_folder(), "--run", tmp_path, "--preset", "gpu", "--ema", 0, "--seed", 5)
    assert result.exit_code == 0, result.exception
    preset = PRESETS["gpu"]
    assert trained["config"] == preset.config and trained["epochs"] == preset.epochs
    assert trained["mixed_precision"] is True and trained["ema_momentum"] is None
    assert trained["batches"].steps == preset.steps and trained["batches"].seed == 5
    assert trained["batches"].shapes == preset.buckets
    assert trained["validation"].speaker_number == trained["batches"].speaker_number
    kinds = [type(one).__name__ for one in trained["callbacks"]]
    assert kinds[:2] == ["Auditions", "Forecast"]
    run_train(tinyvoices_folder(), "--run", tmp_path, "--no-mixed-precision", "--preset", "gpu")
    assert trained["mixed_precision"] is False and trained["ema_momentum"] == preset.ema_momentum


def test_the_end_names_the_model_and_the_command_that_speaks_with_it(tmp_path, gathered, trained):
    from tinyclone.cli import commands

    result = run_train(tinyvoices_folder(), "--run", tmp_path)
    weights = str(tmp_path / "cloner.npz")
    assert f"The model is in {weights}" in result.output and f"--weights {weights}" in result.output
    known = {option for parameter in commands.commands["clone"].params for option in parameter.opts}
    line = result.output.split("tinyclone clone", 1)[1]
    assert {word for word in line.split() if word.startswith("--")} <= known


def test_an_audition_is_drawn(tmp_path):
    from tinyclone.commands_training import _draw
    from tinyclone.mel_speaker import Prediction
    from tinyclone.text import encode

    n_tokens = len(encode("Costs $5."))
    mel = np.random.default_rng(0).normal(-5, 2, (2 * n_tokens, 80)).astype(np.float32)
    durations = np.full(n_tokens, 2)
    _draw(tmp_path / "a.png", Prediction(mel, durations, *[np.zeros(0)] * 3), "Costs $5.")
    assert (tmp_path / "a.png").read_bytes()[:4] == b"\x89PNG"


def part_of_tinyvoices(folder: Path, *voices: str) -> Path:
    """Write a corpus of some voices of tinyvoices."""
    whole = tinyvoices_folder()
    (folder / "wavs").mkdir(parents=True)
    shutil.copy(whole / "speakers.csv", folder)
    lines = (whole / "metadata.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    chosen = [line for line in lines if line.split("-")[0] in voices]
    (folder / "metadata.csv").write_text("".join(chosen), encoding="utf-8")
    for line in chosen:
        shutil.copy(next((whole / "wavs").glob(f"{line.split('|')[0]}.*")), folder / "wavs")
    return folder


@pytest.mark.slow
def test_a_small_corpus_is_trained_from_its_sound_to_a_model_and_resumed(tmp_path, monkeypatch):
    from tinyclone import training_data
    from tinyclone.presets import PRESETS
    from tinyclone.pretrained import load_cloner

    coarse = partial(training_data.align_corpus, classifier_rounds=0)
    monkeypatch.setattr(training_data, "align_corpus", coarse)
    small = replace(PRESETS["laptop"], config=SMALL, buckets=((416, 144, 4),))
    monkeypatch.setitem(PRESETS, "laptop", small)
    corpus = part_of_tinyvoices(tmp_path / "corpus", "slt", "rms")
    arguments = (
        corpus, "--run", tmp_path, "--steps-per-epoch", 1, "--pseudo-speakers", 0,
    )  # fmt: skip
    first = run_train(*arguments, "--epochs", 2)
    assert first.exit_code == 0, first.exception
    assert load_cloner(tmp_path / "cloner.npz").config.audio.hop_length == 256
    heard = sorted(path.name for path in (tmp_path / "auditions").iterdir())
    assert any(name.startswith("epoch-002") and name.endswith(".wav") for name in heard)
    assert any(name.endswith(".png") for name in heard)
    header, *rows = (tmp_path / "log.csv").read_text().splitlines()
    assert {"alignment", "loss", "val_loss"} <= set(header.split(",")) and len(rows) == 2
    assert list((tmp_path / "events").iterdir())
    written = (tmp_path / "state.json").stat().st_mtime_ns
    assert run_train(*arguments, "--epochs", 2).exit_code == 0
    assert (tmp_path / "state.json").stat().st_mtime_ns == written
    refused = run_train(*arguments, "--epochs", 3)
    assert "epochs = 2 (now 3)" in str(refused.exception)
    assert Path(tmp_path / "alignments.npz").exists()
