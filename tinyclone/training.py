"""Training the cloner with `fit`: losses, schedule, checkpoints that resume, and sound to listen to."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import keras
import numpy as np
from keras import layers, ops

from tinyclone.audio import save_audio
from tinyclone.batching import BatchSequence
from tinyclone.cloner import Cloner, ClonerConfig
from tinyclone.errors import CheckpointError
from tinyclone.griffin_lim import mel_to_wav
from tinyclone.pretrained import save_cloner
from tinyclone.text import encode

VARIANCE_LOSS_WEIGHTS = (0.3, 0.2, 0.1, 0.2)
SPEAKER_LOSS_WEIGHT = 0.03


class ClonerTrainer(keras.Model):
    """A cloner with what only training needs: the losses and a classifier of speakers.

    The mel loss is MAE plus MSE on normalised mels. The classifier gives the voiceprint a reason to
    tell speakers apart before the decoder has learned to use it.

    Parameters
    ----------
    cloner : Cloner
        The model to train.
    n_speakers : int
        Speakers in the training data.

    Notes
    -----
    Lesson: lessons/05_gpu_training.ipynb
    """

    def __init__(self, cloner: Cloner, *, n_speakers: int) -> None:
        super().__init__()
        self.cloner = cloner
        self.speaker_classifier = layers.Dense(n_speakers)
        self.parts = {
            name: keras.metrics.Mean(name=name)
            for name in ("mel_mae", "mel_mse", "duration", "pitch", "voicing", "energy", "speaker")
        }

    def call(self, inputs, training=False):
        """Run the cloner and guess the speaker of each reference."""
        outputs = self.cloner(inputs, training=training)
        return {**outputs, "speaker": self.speaker_classifier(outputs["voiceprint"])}

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Return the weighted sum of all losses and note each of them."""
        frame_mask = ops.expand_dims(x["frame_mask"], -1)
        error = (y["mel"] - y_pred["mel"]) * frame_mask
        values = ops.sum(frame_mask) * ops.cast(ops.shape(error)[-1], "float32")
        losses = {
            "mel_mae": ops.sum(ops.abs(error)) / values,
            "mel_mse": ops.sum(ops.square(error)) / values,
        }
        total = losses["mel_mae"] + losses["mel_mse"]
        token_mask = ops.cast(ops.not_equal(x["tokens"], 0), "float32")
        for index, name in enumerate(("duration", "pitch", "voicing", "energy")):
            weight = y["variance_weights"][..., index] * token_mask
            target, predicted = y["variances"][..., index], y_pred["variances"][..., index]
            if name == "voicing":
                difference = ops.softplus(predicted) - target * predicted  # binary cross-entropy of a logit
            else:
                difference = ops.square(target - predicted)
            losses[name] = ops.sum(weight * difference) / (ops.sum(weight) + 1e-6)
            total = total + VARIANCE_LOSS_WEIGHTS[index] * losses[name]
        known = ops.cast(y["speaker"] >= 0, "float32")
        cross_entropy = keras.losses.sparse_categorical_crossentropy(
            ops.maximum(y["speaker"], 0), y_pred["speaker"], from_logits=True
        )
        losses["speaker"] = ops.sum(known * cross_entropy) / (ops.sum(known) + 1e-6)
        for name, loss in losses.items():
            self.parts[name].update_state(loss)
        return total + SPEAKER_LOSS_WEIGHT * losses["speaker"]


class Checkpoints(keras.callbacks.Callback):
    """After each epoch, write everything that a run needs to go on.

    The weights and the optimizer go to ``epoch-N.weights.h5`` under a temporary name first;
    ``state.json`` then names the file, so that a kill at any moment leaves a whole checkpoint.
    ``cloner.npz`` is the model for `tinyclone.pretrained.load_cloner`.

    Parameters
    ----------
    run : Path
        Folder of the run.
    identity : dict
        What must be equal for a run to be resumed: configs, speakers, seed, steps.

    Notes
    -----
    Lesson: lessons/05_gpu_training.ipynb
    """

    def __init__(self, run: Path, identity: dict) -> None:
        super().__init__()
        self.run, self.identity = run, json.loads(json.dumps(identity))

    @property
    def _state(self) -> Path:
        return self.run / "state.json"

    def resume(self, trainer: ClonerTrainer) -> int:
        """Load the newest checkpoint into a built trainer and return the number of finished epochs.

        Raises
        ------
        CheckpointError
            If the folder holds a run of another identity; the message names the differences.
        """
        if not self._state.exists():
            return 0
        state = json.loads(self._state.read_text())
        differences = [
            f"{name} = {_short(state['identity'].get(name))} (now {_short(value)})"
            for name, value in self.identity.items()
            if state["identity"].get(name) != value
        ]
        if differences:
            raise CheckpointError(
                f"The run in {self.run} was started with {'; '.join(differences)}. "
                "Choose another folder for this run, or start it with the same values to resume it."
            )
        trainer.load_weights(self.run / state["weights"])
        return state["epochs"]

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Let the dropout of an epoch depend on the seed and the epoch alone, as the batches do."""
        states = [one for one in self.model.variables if one.path.endswith("seed_generator_state")]
        for number, state in enumerate(states):
            state.assign([self.identity["seed"], 1000 * epoch + number])

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Write the checkpoint of this epoch and remove the one before."""
        name = f"epoch-{epoch + 1}.weights.h5"
        temporary = self.run / f"unfinished-{name}"
        self.model.save_weights(temporary)
        os.replace(temporary, self.run / name)
        save_cloner(self.run / "cloner.npz", self.model.cloner)
        state = {"epochs": epoch + 1, "weights": name, "identity": self.identity}
        unfinished = self._state.with_suffix(".unfinished")
        unfinished.write_text(json.dumps(state))
        os.replace(unfinished, self._state)
        for old in self.run.glob("epoch-*.weights.h5"):
            if old.name != name:
                old.unlink()


class Auditions(keras.callbacks.Callback):
    """Every few epochs, speak held-out sentences from their text alone, as a user would.

    A loss with true durations can fall while free-running speech is gibberish; ears tell.

    Parameters
    ----------
    folder : Path
        Where ``epoch-N_VOICE_I.wav`` go.
    references : mapping from voice name to np.ndarray [shape=(R, n_mels)]
        Natural-log mels of the voices.
    texts : sequence of str
        Sentences that training does not contain.
    every : int
        Epochs between two auditions.

    Notes
    -----
    Lesson: lessons/05_gpu_training.ipynb
    """

    def __init__(
        self, folder: Path, *, references: Mapping[str, np.ndarray], texts: Sequence[str], every: int = 10
    ) -> None:
        super().__init__()
        self.folder, self.references, self.texts, self.every = folder, references, texts, every

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Write the recordings."""
        if (epoch + 1) % self.every:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        cloner = self.model.cloner
        for name, reference in self.references.items():
            voiceprint = cloner.voiceprint(reference)
            for number, text in enumerate(self.texts):
                prediction = cloner.predict_mel(encode(text), voiceprint)
                wav = mel_to_wav(prediction.mel, config=cloner.config.audio)
                path = self.folder / f"epoch-{epoch + 1:03d}_{name}_{number}.wav"
                save_audio(path, wav, sample_rate_hz=cloner.config.audio.sample_rate_hz)


def train_cloner(
    run: Path,
    batches: BatchSequence,
    *,
    config: ClonerConfig,
    epochs: int,
    validation: BatchSequence | None = None,
    initial_weights: Path | None = None,
    learning_rate: float = 1e-3,
    warmup_steps: int = 200,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> Cloner:
    """Train a cloner, or go on where an earlier call with the same arguments was stopped.

    Parameters
    ----------
    run : Path
        Folder for checkpoints and ``log.csv``; an unfinished run in it is resumed.
    batches : BatchSequence
        The training data, all of it: as many batches as steps are to be taken.
    config : ClonerConfig
        Sizes of the model.
    epochs : int
        Checkpoints to write, evenly over all batches; the learning rate falls to zero along a cosine.
    validation : BatchSequence, optional
        Held-out data, scored after each epoch with true durations.
    initial_weights : Path, optional
        A ``.weights.h5`` of an earlier run with the same config and speakers to start from.
    learning_rate : float
        Of Adam at its highest, after `warmup_steps` steps.
    callbacks : sequence of keras callbacks
        Auditions, TensorBoard, and what else you like.

    Returns
    -------
    Cloner

    Raises
    ------
    CheckpointError
        If the folder holds a run of another configuration.

    Notes
    -----
    Lesson: lessons/05_gpu_training.ipynb
    """
    run.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(batches.seed)
    trainer = ClonerTrainer(Cloner(config), n_speakers=len(batches.speaker_number))
    trainer(batches[0][0])
    if initial_weights is not None:
        # Before compiling: the earlier run's optimizer stays behind.
        trainer.load_weights(initial_weights)
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=learning_rate / 100,
        decay_steps=max(1, batches.steps - warmup_steps),
        warmup_target=learning_rate,
        warmup_steps=warmup_steps,
        alpha=0.01,
    )
    trainer.compile(optimizer=keras.optimizers.Adam(schedule, clipnorm=1.0))
    trainer.optimizer.build(trainer.trainable_variables)
    identity = {
        "model": config.to_dict(),
        "speakers": list(batches.speaker_number),
        "seed": batches.seed,
        "steps": batches.steps,
        "epochs": epochs,
        "learning_rate": learning_rate,
    }
    checkpoints = Checkpoints(run, identity)
    finished = checkpoints.resume(trainer)
    steps_per_epoch = batches.steps // epochs
    batches.first_step = finished * steps_per_epoch
    if finished < epochs:
        trainer.fit(
            batches,
            epochs=epochs,
            initial_epoch=finished,
            steps_per_epoch=steps_per_epoch,
            validation_data=validation,
            shuffle=False,
            verbose=2 if os.environ.get("CI") else "auto",
            callbacks=[checkpoints, keras.callbacks.CSVLogger(run / "log.csv", append=True), *callbacks],
        )
    return trainer.cloner


def _short(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) < 60 else shown[:57] + "..."
