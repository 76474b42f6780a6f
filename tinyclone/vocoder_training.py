"""Training the vocoder with `fit`: spectra first, then critics beside them, then mels that a cloner made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import keras
import numpy as np
from keras import ops

from tinyclone.audio import save_audio
from tinyclone.checkpoints import Checkpoints, averaged_weights, require_same
from tinyclone.config import VocoderConfig
from tinyclone.excitation import HIGHEST_HZ, LOWEST_HZ
from tinyclone.fitting import fit_or_go_on, load_start, require_start, require_writable, steps_of_epoch
from tinyclone.trainer import FEATURE_LOSS_WEIGHT, adversarial_losses
from tinyclone.vocoder import Vocoder
from tinyclone.vocoder_batches import VocoderBatches
from tinyclone.vocoder_losses import CRITIC_WINDOWS, SpectrumCritic, spectral_losses
from tinyclone.vocoder_weights import load_vocoder, save_vocoder

LOSS_WEIGHTS = {"convergence": 1.0, "log_magnitude": 1.0, "mel": 1.0, "pitch": 0.1, "voicing": 0.1}
# Critics are dear: they hear so many clips of each batch.
CLIPS_JUDGED = 8


class VocoderTrainer(keras.Model):
    """A vocoder with what only training needs: the losses, and critics if they are wanted.

    Parameters
    ----------
    vocoder : Vocoder
        The model to train.
    adversarial_weight : float >= 0
        Above 0, critics learn to tell its waves from recordings, and their opinion counts so much in its
        loss.

    Notes
    -----
    Lesson: lessons/07_neural_vocoder.ipynb
    """

    def __init__(self, vocoder: Vocoder, *, adversarial_weight: float = 0.0) -> None:
        super().__init__()
        self.vocoder, self.adversarial_weight = vocoder, adversarial_weight
        windows = CRITIC_WINDOWS if adversarial_weight > 0 else ()
        self.critics = [SpectrumCritic(window) for window in windows]
        names = [*LOSS_WEIGHTS, *(["critic", "deceived", "features"] if windows else [])]
        self.parts = {name: keras.metrics.Mean(name=name) for name in names}

    def build(self, shapes=None) -> None:
        """Make the weights of the critics; Keras builds the vocoder when it is called."""
        for critic in self.critics:
            critic(ops.zeros((1, 2 * max(CRITIC_WINDOWS))))
        self.built = True

    def call(self, inputs, training=False):
        """Run the vocoder."""
        return self.vocoder(inputs, training=training)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Return the weighted sum of all losses and note each of them."""
        real, made = y["wav"], y_pred["wav"]
        losses = spectral_losses(made, real, config=self.vocoder.config.audio)
        losses |= pitch_losses(y["pitch_hz"], y_pred["pitch_scores"])
        total = sum(weight * losses[name] for name, weight in LOSS_WEIGHTS.items())
        if self.critics:
            judged = (real[:CLIPS_JUDGED], made[:CLIPS_JUDGED], None)
            opinions = [adversarial_losses(critic, *judged) for critic in self.critics]
            losses |= {name: sum(one[name] for one in opinions) / len(opinions) for name in opinions[0]}
            opinion = losses["deceived"] + FEATURE_LOSS_WEIGHT * losses["features"]
            total = total + losses["critic"] + self.adversarial_weight * opinion
        for name, loss in losses.items():
            self.parts[name].update_state(loss)
        return total


def pitch_losses(pitch_hz, scores) -> dict:
    """Compare a measured pitch (B, F), 0 where unvoiced, with scores (B, F, classes + 1).

    Returns
    -------
    dict
        ``pitch``, cross-entropy of the classes in voiced frames, each pitch spread over its neighbours;
        ``voicing``, binary cross-entropy in all frames.

    Notes
    -----
    Spread classes: Kim et al. 2018, "CREPE", equation 3.

    Lesson: lessons/07_neural_vocoder.ipynb
    """
    n_classes = scores.shape[-1] - 1
    voiced = ops.cast(pitch_hz > 0, "float32")
    height = ops.log(ops.maximum(pitch_hz, LOWEST_HZ) / LOWEST_HZ) / np.log(HIGHEST_HZ / LOWEST_HZ)
    place = ops.expand_dims(height * (n_classes - 1), -1)  # (B, F, 1)
    wanted = ops.softmax(-0.5 * ops.square(np.arange(n_classes, dtype=np.float32) - place))
    cross_entropy = -ops.sum(wanted * ops.log_softmax(scores[..., :-1]), axis=-1)
    odds = scores[..., -1]
    return {
        "pitch": ops.sum(voiced * cross_entropy) / (ops.sum(voiced) + 1e-6),
        "voicing": ops.mean(ops.softplus(odds) - voiced * odds),
    }


class VocoderCheckpoints(Checkpoints):
    """After each epoch, write what a run needs to go on, and ``vocoder.npz`` for `load_vocoder`."""

    def export(self) -> None:
        """Write the model alone."""
        save_vocoder(self.run / "vocoder.npz", self.model.vocoder)


class CopySynthesis(keras.callbacks.Callback):
    """Every few epochs, let the vocoder speak mels of recordings that it does not train on.

    Parameters
    ----------
    folder : Path
        Where ``epoch-N_NAME.wav`` go.
    mels : mapping from name to np.ndarray [shape=(F, n_mels)]
        Natural-log mels, of recordings or of a cloner.
    every : int
        Epochs between two auditions.

    Notes
    -----
    Lesson: lessons/07_neural_vocoder.ipynb
    """

    def __init__(self, folder: Path, *, mels: Mapping[str, np.ndarray], every: int = 5) -> None:
        super().__init__()
        self.folder, self.mels, self.every = folder, mels, every

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Write the recordings."""
        if (epoch + 1) % self.every:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        vocoder = self.model.vocoder
        with averaged_weights(self.model):
            for name, mel in self.mels.items():
                path = self.folder / f"epoch-{epoch + 1:03d}_{name.replace('/', '-')}.wav"
                save_audio(path, vocoder.speak(mel), sample_rate_hz=vocoder.config.audio.sample_rate_hz)


def train_vocoder(
    run: Path,
    batches: VocoderBatches,
    *,
    config: VocoderConfig,
    epochs: int,
    validation: VocoderBatches | None = None,
    initial_weights: Path | None = None,
    learning_rate: float = 1e-3,
    warmup_steps: int = 100,
    adversarial_weight: float = 0.0,
    ema_momentum: float | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> Vocoder:
    """Train a vocoder, or go on where an earlier call with the same arguments was stopped.

    Parameters
    ----------
    run : Path
        Folder for checkpoints and ``log.csv``; an unfinished run in it is resumed.
    batches : VocoderBatches
        The training data, all of it: as many batches as steps are to be taken.
    config : VocoderConfig
        Sizes of the model.
    epochs : int
        Checkpoints to write, evenly over all batches; the learning rate falls to zero along a cosine.
    validation : VocoderBatches, optional
        Held-out data, scored after each epoch.
    initial_weights : Path, optional
        Weights to start from: a ``.npz`` of `save_vocoder`, or the ``.weights.h5`` of a run, which must
        have had critics if this one has them.
    learning_rate : float
        Of Adam at its highest, after `warmup_steps` steps.
    adversarial_weight : float >= 0
        See `VocoderTrainer`.
    ema_momentum : float in (0, 1), optional
        Keep a running average of the weights for validation, auditions and ``vocoder.npz``.
    callbacks : sequence of keras callbacks
        `CopySynthesis`, and what else you like.

    Returns
    -------
    Vocoder

    Raises
    ------
    CheckpointError
        If the folder holds a run of another configuration or a damaged checkpoint, or the weights to
        start from do not fit.
    TrainingError
        If the loss is no number any more; the message names the clips.

    Notes
    -----
    Lesson: lessons/07_neural_vocoder.ipynb
    """
    require_writable(run)
    steps_of_epoch(batches, epochs)
    identity = {
        "model": config.to_dict(),
        "seed": batches.seed,
        "steps": batches.steps,
        "epochs": epochs,
        "learning_rate": learning_rate,
        "warmup_steps": warmup_steps,
        "adversarial_weight": adversarial_weight,
        "ema_momentum": ema_momentum,
        "data": batches.fingerprint,
    }
    keras.utils.set_random_seed(batches.seed)
    trainer = VocoderTrainer(Vocoder(config), adversarial_weight=adversarial_weight)
    trainer({name: value[:1] for name, value in batches[0][0].items()})
    if initial_weights is not None:
        _start_from(trainer, Path(initial_weights))
    fit_or_go_on(
        trainer,
        batches,
        checkpoints=VocoderCheckpoints(run, identity),
        epochs=epochs,
        validation=validation,
        learning_rate=learning_rate,
        warmup_steps=warmup_steps,
        ema_momentum=ema_momentum,
        # With critics, a long memory of gradients makes both sides circle each other.
        beta_1=0.8 if adversarial_weight > 0 else 0.9,
        callbacks=callbacks,
    )
    return trainer.vocoder


def _start_from(trainer: VocoderTrainer, weights: Path) -> None:
    """Load the weights of an earlier training into a built trainer, or say what is different."""
    advice = "Start from weights of the same sizes, or train with the config of those."
    require_start(weights)
    if weights.suffix == ".npz":
        earlier = load_vocoder(weights, audio=trainer.vocoder.config.audio)
        now = trainer.vocoder.config.to_dict()
        require_same(earlier.config.to_dict(), now, what=f"{weights} was made", advice=advice)
        trainer.vocoder.set_weights(earlier.get_weights())
        return
    advice += " Critics have weights too: a .npz leaves them out."
    load_start(trainer, weights, advice=advice)
