"""What only training needs of the cloner: the losses, and a classifier that tells speakers apart."""

from __future__ import annotations

import keras
from keras import layers, ops

from tinyclone.cloner import Cloner
from tinyclone.discriminator import Discriminator
from tinyclone.distribution import replica_mean

VARIANCE_LOSS_WEIGHTS = (0.3, 0.2, 0.1, 0.2)
SPEAKER_LOSS_WEIGHT = 0.03
FEATURE_LOSS_WEIGHT = 1.0


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
    adversarial_weight : float >= 0
        Above 0, a `Discriminator` learns beside the cloner, and its opinion counts so much in the
        cloner's loss: a mel then must look like speech and not only lie near its mean.

    Notes
    -----
    Lesson: lessons/05_gpu_training.ipynb
    """

    def __init__(self, cloner: Cloner, *, n_speakers: int, adversarial_weight: float = 0.0) -> None:
        super().__init__()
        self.cloner = cloner
        self.speaker_classifier = layers.Dense(n_speakers, dtype="float32")
        self.adversarial_weight = adversarial_weight
        self.discriminator = Discriminator() if adversarial_weight > 0 else None
        names = ["mel_mae", "mel_mse", "duration", "pitch", "voicing", "energy", "speaker"]
        names += ["critic", "deceived", "features"] if adversarial_weight > 0 else []
        self.parts = {name: keras.metrics.Mean(name=name) for name in names}

    def build(self, shapes=None) -> None:
        """Make the weights of the discriminator; Keras builds the other layers when they are called."""
        if self.discriminator is not None:
            empty = ops.zeros((1, 16, self.cloner.config.audio.n_mels))
            self.discriminator(empty, empty)
        self.built = True

    def call(self, inputs, training=False):
        """Run the cloner and guess the speaker of each reference."""
        outputs = self.cloner(inputs, training=training)
        return {**outputs, "speaker": self.speaker_classifier(outputs["voiceprint"])}

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Return the weighted sum of all losses and note each of them."""
        frame_mask = ops.expand_dims(x["frame_mask"], -1)
        error = (y["mel"] - y_pred["mel"]) * frame_mask
        values = replica_mean(ops.sum(frame_mask)) * ops.cast(ops.shape(error)[-1], "float32")
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
            losses[name] = ops.sum(weight * difference) / (replica_mean(ops.sum(weight)) + 1e-6)
            total = total + VARIANCE_LOSS_WEIGHTS[index] * losses[name]
        known = ops.cast(y["speaker"] >= 0, "float32")
        cross_entropy = keras.losses.sparse_categorical_crossentropy(
            ops.maximum(y["speaker"], 0), y_pred["speaker"], from_logits=True
        )
        losses["speaker"] = ops.sum(known * cross_entropy) / (replica_mean(ops.sum(known)) + 1e-6)
        if self.discriminator is not None:
            harmonics = ops.take(ops.convert_to_tensor(self.cloner.decoder.harmonics), x["pitch_row"], axis=0)
            mask = ops.expand_dims(x["frame_mask"], -1)
            losses |= adversarial_losses(self.discriminator, y["mel"], y_pred["mel"], harmonics * mask)
            opinion = losses["deceived"] + FEATURE_LOSS_WEIGHT * losses["features"]
            total = total + losses["critic"] + self.adversarial_weight * opinion
        for name, loss in losses.items():
            self.parts[name].update_state(loss)
        return total + SPEAKER_LOSS_WEIGHT * losses["speaker"]


def adversarial_losses(discriminator: Discriminator, real, made, harmonics) -> dict:
    """Return the discriminator's own loss and the two that its opinion gives the model.

    One backward pass trains both: the discriminator's loss does not reach the model, and the model's
    losses pass through a frozen discriminator.

    Parameters
    ----------
    discriminator : Discriminator
        The critic.
    real, made, harmonics : tensor [shape=(B, F, M)]
        Recorded and predicted normalised mels, and the harmonics of the recorded pitch; 0 on padding.

    Returns
    -------
    dict
        ``critic``, to tell recorded (1) from made (0); ``deceived``, for made to pass as recorded;
        ``features``, the distance of what its convolutions see.

    Notes
    -----
    Mao et al. 2017, "Least Squares Generative Adversarial Networks", equation 2; feature matching:
    Kumar et al. 2019, "MelGAN", equation 3.

    Lesson: lessons/07_neural_vocoder.ipynb
    """
    real_verdict, real_seen = discriminator(real, harmonics)
    made_verdict, _ = discriminator(ops.stop_gradient(made), harmonics)
    verdict, seen = discriminator(made, harmonics, frozen=True)
    distances = [
        ops.mean(ops.abs(one - ops.stop_gradient(other)))
        / (ops.mean(ops.abs(ops.stop_gradient(other))) + 1e-6)
        for one, other in zip(seen, real_seen)
    ]
    return {
        "critic": ops.mean(ops.square(real_verdict - 1)) + ops.mean(ops.square(made_verdict)),
        "deceived": ops.mean(ops.square(verdict - 1)),
        "features": sum(distances) / len(distances),
    }
