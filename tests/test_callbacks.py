"""What `fit` calls: rows that are never doubled, sound from text alone, a guard that names clips, events."""

from __future__ import annotations

import csv
from types import SimpleNamespace

import numpy as np
import pytest
from made_corpus import SENTENCES, SMALL, made_corpus

from tinyclone.audio import load_audio
from tinyclone.callbacks import (
    Auditions,
    Forecast,
    LossTable,
    NanGuard,
    TensorBoardLog,
    alignment_score,
)
from tinyclone.errors import TrainingError
from tinyclone.mel_speaker import Prediction
from tinyclone.phone_models import GaussianScorer, cepstra, phone_class
from tinyclone.text import decode, encode, word_symbols

# --- the table of losses


def rows_of(path) -> list[dict]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_rows_of_unfinished_epochs_are_replaced(tmp_path):
    table = LossTable(tmp_path / "log.csv")
    for epoch in range(4):
        table.on_epoch_end(epoch, {"loss": float(epoch), "mel": 0.5})
    resumed = LossTable(tmp_path / "log.csv")
    resumed.on_epoch_end(2, {"loss": 20.0, "mel": 0.5})
    assert [(row["epoch"], row["loss"]) for row in rows_of(tmp_path / "log.csv")] == [
        ("0", "0.0"), ("1", "1.0"), ("2", "20.0")
    ]  # fmt: skip


def test_a_half_written_row_is_dropped_and_new_columns_are_added(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("epoch,loss\n0,1.0\n1,0.9\n,0.8\nloss\n")
    LossTable(path).on_epoch_end(2, {"loss": 0.7, "alignment": 0.4})
    assert rows_of(path) == [
        {"epoch": "0", "alignment": "", "loss": "1.0"},
        {"epoch": "1", "alignment": "", "loss": "0.9"},
        {"epoch": "2", "alignment": "0.4", "loss": "0.7"},
    ]


# --- auditions


def scorer_of_made_corpus() -> tuple[GaussianScorer, list, dict]:
    features, alignments = made_corpus(speakers=("ann",))
    frames = [cepstra(one.mel) for one in features]
    labels = [
        np.repeat(
            [phone_class(one) for one in word_symbols(clip.words)], alignments[clip.id, "ann"].durations
        )
        for clip in features
    ]
    scorer = GaussianScorer()
    scorer.fit(frames, labels)
    return scorer, features, alignments


def test_the_alignment_score_is_high_for_the_right_text_and_low_for_another():
    scorer, features, alignments = scorer_of_made_corpus()
    one = features[0]
    durations, symbols = alignments[one.id, "ann"].durations, word_symbols(one.words)
    right = alignment_score(scorer, one.mel, durations, symbols)
    wrong = alignment_score(scorer, one.mel, durations, [symbols[0], *symbols[:0:-1]])
    assert 0.6 < right <= 1 and wrong < right - 0.3
    by_hand = scorer.score([cepstra(one.mel)])[0].argmax(axis=1)
    expected = np.repeat([phone_class(symbol) for symbol in symbols], durations)
    assert right == pytest.approx(np.mean(by_hand == expected))


class SpeakingCloner:
    """A cloner whose mels are those of the made corpus."""

    def __init__(self, mel, durations) -> None:
        self.config, self.mel, self.durations = SMALL, mel, durations
        self.heard = []

    def voiceprint(self, reference):
        self.heard.append(len(reference))
        return np.zeros(SMALL.voiceprint_length, np.float32)

    def predict_mel(self, tokens, voiceprint):
        assert len(tokens) == len(self.durations)
        return Prediction(self.mel.astype(np.float32), self.durations, *[np.zeros(0)] * 3)


def model_of(cloner) -> SimpleNamespace:
    optimizer = SimpleNamespace(finalize_variable_values=lambda variables: None)
    return SimpleNamespace(cloner=cloner, optimizer=optimizer, trainable_variables=[])


def made_auditions(folder, **settings) -> tuple[Auditions, GaussianScorer]:
    scorer, features, alignments = scorer_of_made_corpus()
    one = features[0]
    auditions = Auditions(
        folder, references={"ann": one.mel}, texts=[SENTENCES[0]], **{"scorer": scorer, **settings}
    )
    auditions.set_model(model_of(SpeakingCloner(one.mel, alignments[one.id, "ann"].durations)))
    return auditions, scorer


def test_every_few_epochs_sound_a_picture_and_a_score_are_made(tmp_path):
    drawn = []
    auditions, scorer = made_auditions(
        tmp_path, every=2, draw=lambda path, prediction, text: drawn.append((path.name, text))
    )
    for epoch in range(4):
        logs = {"loss": 1.0}
        auditions.on_epoch_end(epoch, logs)
        if epoch % 2:
            mel, durations = auditions.model.cloner.mel, auditions.model.cloner.durations
            symbols = decode(encode(SENTENCES[0]))
            assert logs["alignment"] == pytest.approx(
                alignment_score(scorer, mel, durations, symbols), abs=0.02
            )
            assert [path.name for path in auditions.newest] == [f"epoch-{epoch + 1:03d}_ann_0.wav"]
        else:
            assert np.isnan(logs["alignment"]) and auditions.newest == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["epoch-002_ann_0.wav", "epoch-004_ann_0.wav"]
    wav = load_audio(tmp_path / "epoch-002_ann_0.wav")
    assert len(wav) == pytest.approx(len(auditions.model.cloner.mel) * 256, abs=512)
    assert drawn == [("epoch-002_ann_0.png", SENTENCES[0]), ("epoch-004_ann_0.png", SENTENCES[0])]


def test_without_a_scorer_the_logs_stay_as_they_are(tmp_path):
    auditions, _ = made_auditions(tmp_path, every=1, scorer=None)
    logs = {"loss": 1.0}
    auditions.on_epoch_end(0, logs)
    assert logs == {"loss": 1.0} and len(auditions.newest) == 1


# --- NaN


class KnownBatches:
    """Batches of which only the clips are asked for."""

    def __init__(self, broken) -> None:
        self.broken, self.asked = broken, []

    def clips_of_step(self, step):
        self.asked.append(step)
        return ["a (ann)", "b (ben)"], self.broken


@pytest.mark.parametrize("loss", [np.nan, np.inf])
def test_the_guard_names_the_broken_clips_of_the_very_batch(loss):
    batches = KnownBatches(["b (ben)"])
    guard = NanGuard(batches, steps_per_epoch=10)
    guard.on_epoch_begin(2)
    guard.on_train_batch_end(3, {"loss": 1.0})
    with pytest.raises(TrainingError, match=r"after step 25. These clips .* not finite: b .ben.. Take them"):
        guard.on_train_batch_end(4, {"loss": loss})
    assert batches.asked == [24]


def test_the_guard_blames_the_learning_rate_if_no_clip_is_broken():
    guard = NanGuard(KnownBatches([]), steps_per_epoch=10)
    with pytest.raises(TrainingError, match="its clips are a .ann., b .ben.. Lower the learning rate"):
        guard.on_train_batch_end(0, {"loss": np.nan})


def test_weights_that_broke_in_the_last_step_of_an_epoch_never_reach_a_checkpoint():
    batches = KnownBatches([])
    guard = NanGuard(batches, steps_per_epoch=10)
    guard.set_model(SimpleNamespace(trainable_variables=[np.ones(3), np.ones(2)]))
    guard.on_epoch_end(0, {"loss": 1.0})
    guard.model.trainable_variables[1][0] = np.nan
    with pytest.raises(TrainingError, match="Weights are not finite after step 20"):
        guard.on_epoch_end(1, {"loss": 1.0})
    assert batches.asked == [19]


# --- time to go


def test_the_forecast_counts_the_steps_that_are_left(monkeypatch):
    clock = iter([100.0, 130.0])
    monkeypatch.setattr("tinyclone.callbacks.time.monotonic", lambda: next(clock))
    said = []
    forecast = Forecast(say=said.append, after=20)
    forecast.set_params({"epochs": 5, "steps": 12})
    for epoch in (1, 2):  # resumed: the first epoch is done
        forecast.on_epoch_begin(epoch)
        for batch in range(12):
            forecast.on_train_batch_end(batch)
    # 15 steps took 30 s; after 20 steps of 60 - 12, there are 28 to go.
    assert said == ["\n0.5 steps a second: about 1 minutes to go."]


# --- TensorBoard


def test_events_hold_losses_sound_and_pictures(tmp_path):
    tensorflow = pytest.importorskip("tensorflow")
    wav, picture = tmp_path / "epoch-001_ann_0.wav", tmp_path / "epoch-001_ann_0.png"
    wav.write_bytes(b"RIFF sound")
    picture.write_bytes(b"PNG picture")
    heard = SimpleNamespace(newest=[wav])
    log = TensorBoardLog(tmp_path / "events", steps_per_epoch=50, auditions=heard)
    log.set_model(SimpleNamespace(cloner=SimpleNamespace(config=SMALL)))
    log.on_train_begin()
    log.on_epoch_end(0, {"loss": 2.5, "val_loss": 3.0})
    heard.newest = []
    log.on_epoch_end(1, {"loss": 1.5})
    (file,) = (tmp_path / "events").iterdir()
    assert ".tfevents." in file.name
    records = tensorflow.data.TFRecordDataset(str(file)).as_numpy_iterator()
    events = [tensorflow.compat.v1.Event.FromString(record) for record in records]
    assert events[0].file_version == "brain.Event:2"
    assert [event.step for event in events] == [0, 50, 100]
    values = {value.tag: value for value in events[1].summary.value}
    assert values["loss"].simple_value == 2.5 and values["val_loss"].simple_value == 3.0
    assert values["speech/ann_0"].audio.encoded_audio_string == b"RIFF sound"
    assert values["speech/ann_0"].audio.sample_rate == 16000
    assert values["mel/ann_0"].image.encoded_image_string == b"PNG picture"
    assert [value.tag for value in events[2].summary.value] == ["loss"]
