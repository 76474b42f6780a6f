"""What `fit` calls while the cloner trains: sound to listen to, logs, and a guard against NaN."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import keras
import numpy as np

from tinyclone.array_files import replace_file
from tinyclone.audio import save_audio
from tinyclone.checkpoints import Checkpoints, averaged_weights
from tinyclone.errors import TrainingError
from tinyclone.griffin_lim import mel_to_wav
from tinyclone.phone_models import GaussianScorer, cepstra, phone_class
from tinyclone.text import decode, encode

if TYPE_CHECKING:
    from tinyclone.batching import BatchSequence
    from tinyclone.mel_speaker import Prediction

__all__ = ["Auditions", "Checkpoints", "Forecast", "LossTable", "NanGuard", "TensorBoardLog"]

# Sound at full scale stays below; the first epochs of a network may not.
FULL_SCALE_LOG_MEL = 3.0


class Auditions(keras.callbacks.Callback):
    """Every few epochs, speak held-out sentences from their text alone, as a user would.

    A loss with true durations can fall while free-running speech is gibberish; ears tell. So does
    ``alignment`` in the logs: the share of frames that sound like the phone they were made for, to the
    ears of the Gaussians that `scorer` holds.

    Parameters
    ----------
    folder : Path
        Where ``epoch-N_VOICE_I.wav`` go, with a picture of the mel beside each.
    references : mapping from voice name to np.ndarray [shape=(R, n_mels)]
        Natural-log mels of the voices.
    texts : sequence of str
        Sentences that training does not contain.
    every : int
        Epochs between two auditions.
    scorer : GaussianScorer, optional
        Fitted to recordings; see `fitted_scorer`.
    draw : function of (path, prediction, text), optional
        Draws a picture to a ``.png`` path.

    Notes
    -----
    Lesson: lessons/05_gpu_training.ipynb
    """

    def __init__(
        self,
        folder: Path,
        *,
        references: Mapping[str, np.ndarray],
        texts: Sequence[str],
        every: int = 10,
        scorer: GaussianScorer | None = None,
        draw: Callable[[Path, Prediction, str], object] | None = None,
    ) -> None:
        super().__init__()
        self.folder, self.references, self.texts, self.every = folder, references, texts, every
        self.scorer, self.draw = scorer, draw
        self.newest: list[Path] = []

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Write the recordings and the pictures."""
        self.newest, scores = [], []
        if (epoch + 1) % self.every == 0:
            self.folder.mkdir(parents=True, exist_ok=True)
            with averaged_weights(self.model):
                for name, reference in self.references.items():
                    voiceprint = self.model.cloner.voiceprint(reference)
                    for number, text in enumerate(self.texts):
                        path = self.folder / f"epoch-{epoch + 1:03d}_{name.replace('/', '-')}_{number}.wav"
                        scores.append(self._speak(path, text, voiceprint))
        if self.scorer is not None and logs is not None:
            logs["alignment"] = float(np.mean(scores)) if scores else float("nan")

    def _speak(self, path: Path, text: str, voiceprint: np.ndarray) -> float:
        """Write one recording and return its alignment score, NaN without a scorer."""
        config, tokens = self.model.cloner.config.audio, encode(text)
        prediction = self.model.cloner.predict_mel(tokens, voiceprint)
        wav = mel_to_wav(np.minimum(prediction.mel, FULL_SCALE_LOG_MEL), config=config)
        save_audio(path, wav, sample_rate_hz=config.sample_rate_hz)
        if self.draw is not None:
            self.draw(path.with_suffix(".png"), prediction, text)
        self.newest.append(path)
        if self.scorer is None:
            return float("nan")
        return alignment_score(self.scorer, prediction.mel, prediction.durations, decode(tokens))


def alignment_score(
    scorer: GaussianScorer, mel: np.ndarray, durations: np.ndarray, symbols: Sequence[str]
) -> float:
    """Return the share of frames whose most likely phone class is that of their token, from 0 to 1.

    Recordings themselves reach about a half with these simple models.

    Notes
    -----
    Lesson: lessons/05_gpu_training.ipynb
    """
    wanted = np.repeat([phone_class(symbol) for symbol in symbols], durations)
    (likelihood,) = scorer.score([cepstra(mel)])
    return float(np.mean(likelihood.argmax(axis=1) == wanted))


class NanGuard(keras.callbacks.Callback):
    """Stop as soon as the loss is no number any more, and say which clips were in the batch.

    Parameters
    ----------
    batches : BatchSequence
        What is trained on; batch n is made again to look at it.
    steps_per_epoch : int
        To know which batch it was.

    Raises
    ------
    TrainingError
        From `fit`. The last checkpoint is from before, and good.

    Notes
    -----
    Lesson: lessons/05_gpu_training.ipynb
    """

    def __init__(self, batches: BatchSequence, *, steps_per_epoch: int) -> None:
        super().__init__()
        self.batches, self.steps_per_epoch, self.epoch = batches, steps_per_epoch, 0

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Note the epoch."""
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Look at the loss: once it is NaN, the epoch's mean stays so."""
        loss = (logs or {}).get("loss", 0.0)
        if not np.isfinite(loss):
            self._stop(self.epoch * self.steps_per_epoch + batch, f"The loss is {loss}")

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Look at the weights too: the last step of an epoch may have broken them."""
        if not all(np.isfinite(np.asarray(one)).all() for one in self.model.trainable_variables):
            self._stop((epoch + 1) * self.steps_per_epoch - 1, "Weights are not finite")

    def _stop(self, step: int, what: str) -> None:
        clips, broken = self.batches.clips_of_step(step)
        if broken:
            reason = f"These clips of the batch hold values that are not finite: {', '.join(broken)}"
            advice = "Take them out of the corpus, or delete their features and prepare them again"
        else:
            reason = f"All its values are finite; its clips are {', '.join(clips)}"
            advice = "Lower the learning rate or train without mixed precision, in another folder"
        raise TrainingError(
            f"{what} after step {step + 1}. {reason}. {advice}. "
            "The last checkpoint is from before it and good."
        )


class LossTable(keras.callbacks.Callback):
    """Write one row for each epoch to a CSV file, which appears whole or not at all.

    Rows of epochs that a killed run did not finish are replaced when they are trained again.

    Parameters
    ----------
    path : Path
        The file.

    Notes
    -----
    Lesson: lessons/05_gpu_training.ipynb
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Add the row."""
        rows = [row for row in self._rows() if int(row["epoch"]) < epoch]
        rows.append({"epoch": epoch, **(logs or {})})
        columns = ["epoch", *sorted({name for row in rows for name in row} - {"epoch"})]
        table = io.StringIO()
        writer = csv.DictWriter(table, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        replace_file(self.path, table.getvalue().encode())

    def _rows(self) -> list[dict]:
        if not self.path.exists():
            return []
        rows = csv.DictReader(self.path.read_text(encoding="utf-8").splitlines())
        return [row for row in rows if (row.get("epoch") or "").isdigit()]


class Forecast(keras.callbacks.Callback):
    """Say once, after the first steps, how long the training will take."""

    def __init__(self, *, say: Callable[[str], object] = print, after: int = 20) -> None:
        super().__init__()
        self.say, self.after, self.seen, self.epoch = say, after, 0, 0

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Note the epoch."""
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Count; the first quarter of the steps, in which graphs are compiled, is not timed."""
        untimed = max(1, self.after // 4)
        self.seen += 1
        if self.seen == untimed:
            self.start_sec = time.monotonic()
        elif self.seen == self.after:
            step_sec = (time.monotonic() - self.start_sec) / (self.after - untimed)
            to_go = (self.params["epochs"] - self.epoch) * self.params["steps"] - batch - 1
            self.say(f"\n{1 / step_sec:.2g} steps a second: about {to_go * step_sec / 60:.0f} minutes to go.")


class TensorBoardLog(keras.callbacks.Callback):
    """Write losses, and the sound and the pictures of `Auditions`, where TensorBoard finds them.

    ``tensorboard --logdir FOLDER`` shows them. The events are written without the package tensorboard,
    which not everybody has who has TensorFlow.

    Parameters
    ----------
    folder : Path
        Where the file of events goes.
    steps_per_epoch : int
        To count steps by.
    auditions : Auditions, optional
        The callback that comes before this one and speaks.

    Notes
    -----
    Lesson: lessons/05_gpu_training.ipynb
    """

    def __init__(self, folder: Path, *, steps_per_epoch: int, auditions: Auditions | None = None) -> None:
        super().__init__()
        self.folder, self.steps_per_epoch, self.auditions = folder, steps_per_epoch, auditions

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Open a file of events."""
        import tensorflow

        if keras.backend.backend() != "tensorflow":
            # It would take the memory of the card from the library that computes.
            tensorflow.config.set_visible_devices([], "GPU")
        self.folder.mkdir(parents=True, exist_ok=True)
        self.messages = tensorflow.compat.v1
        path = self.folder / f"events.out.tfevents.{time.time_ns()}.tinyclone"
        self.writer = tensorflow.io.TFRecordWriter(str(path))
        self._write(0, file_version="brain.Event:2")

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Write what the epoch has brought."""
        value = self.messages.Summary.Value
        values = [value(tag=name, simple_value=float(number)) for name, number in (logs or {}).items()]
        for path in self.auditions.newest if self.auditions is not None else ():
            tag = path.stem.split("_", 1)[1]
            rate_hz = self.model.cloner.config.audio.sample_rate_hz
            sound = self.messages.Summary.Audio(
                sample_rate=rate_hz,
                num_channels=1,
                encoded_audio_string=path.read_bytes(),
                content_type="audio/wav",
            )
            values.append(value(tag=f"speech/{tag}", audio=sound))
            if (picture := path.with_suffix(".png")).exists():
                image = self.messages.Summary.Image(encoded_image_string=picture.read_bytes(), colorspace=4)
                values.append(value(tag=f"mel/{tag}", image=image))
        self._write((epoch + 1) * self.steps_per_epoch, summary=self.messages.Summary(value=values))

    def _write(self, step: int, **contents: object) -> None:
        event = self.messages.Event(wall_time=time.time(), step=step, **contents)
        self.writer.write(event.SerializeToString())
        self.writer.flush()
