"""A teacher who holds back: without it a decoder guesses each frame from the one before and never reads.

For both Tacotrons. Shapes in comments: B sentences, D decoder steps, F frames, N of a cut, M mel bands, r
frames a step.
"""

from __future__ import annotations

from collections.abc import Callable

from keras import layers, ops


class Teacher(layers.Layer):
    """Decides in training what each decoder step is told of the frame before it.

    Parameters
    ----------
    teacher_dropout : float in [0, 1)
        Share of the frames that are withheld.
    hears_itself : float in [0, 1)
        Share of the sentences in which the frames are those that the decoder itself has made.

    Notes
    -----
    Liu et al. 2019, "Maximizing mutual information for Tacotron", section 3.2, withhold frames so that the
    text has to be asked. Bengio et al. 2015, "Scheduled sampling for sequence prediction with recurrent
    neural networks", let a decoder hear itself as it will when it speaks; that both passes can be made over
    all steps at once is from Mihaylova & Martins 2019, "Scheduled sampling for transformers".

    Lesson: lessons/papers/tacotron.ipynb
    """

    def __init__(self, *, teacher_dropout: float, hears_itself: float) -> None:
        super().__init__()
        self.frames, self.sentences = layers.Dropout(teacher_dropout), layers.Dropout(hears_itself)
        self.hears_itself, self.built = hears_itself, True

    def call(self, recorded, decode: Callable):
        """Return what is told in training.

        Parameters
        ----------
        recorded : tensor, shape (B, D, M)
            The recorded frame before each step.
        decode : callable
            Returns what the decoder makes of what it is told; ``frames`` (B, D, r * M) is looked at.

        Returns
        -------
        tensor, shape (B, D, M)
            0 where a frame is withheld.
        """
        told = recorded * self._kept(self.frames, recorded[..., :1])
        if not self.hears_itself:
            return told
        last = ops.stop_gradient(decode(told)["frames"])[
            ..., -recorded.shape[-1] :
        ]  # (B, D, M), of each step
        own = ops.pad(last[:, :-1], [[0, 0], [1, 0], [0, 0]])  # (B, D, M)
        taught = self._kept(self.sentences, recorded[:, :1, :1])  # (B, 1, 1)
        return told * taught + own * (1 - taught)

    @staticmethod
    def _kept(dropout, like):
        """Return 0 where dropout drops, else 1, in the shape of a tensor."""
        return ops.cast(dropout(ops.ones_like(like), training=True) > 0, like.dtype)


def cut_of(x, inputs: dict):
    """Return the part of each sentence that is taught, where a whole one would take too long.

    Parameters
    ----------
    x : tensor, shape (B, F) or (B, F, M)
    inputs : dict
        May have ``cut`` (B, N), the numbers of the frames.

    Returns
    -------
    tensor, shape (B, N) or (B, N, M)
        x itself where there is no cut.

    Notes
    -----
    Lesson: lessons/papers/tacotron.ipynb
    """
    if "cut" not in inputs:
        return x
    frames = inputs["cut"] if len(x.shape) == 2 else ops.expand_dims(inputs["cut"], -1)
    return ops.take_along_axis(x, frames, axis=1)
