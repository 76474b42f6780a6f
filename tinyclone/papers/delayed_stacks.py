"""The three stacks of MelNet, which see all that comes before an element and nothing that comes after.

Shapes in comments: B clips, T frames, M bands, C channels. `tinyclone.papers.melnet` puts them together.
"""

from __future__ import annotations

from keras import initializers, layers, ops


class DelayedLayer(layers.Layer):
    """One layer of the time-delayed, the frequency-delayed and, if there is one, the centralised stack.

    Parameters
    ----------
    channels : int
        Of every stack.
    centralised : bool
        Whether there is a stack that reads whole frames.

    Notes
    -----
    Vasquez & Lewis 2019, sections 4.1 to 4.3, equations 6 to 9.

    Lesson: lessons/papers/melnet.ipynb
    """

    def __init__(self, channels: int, *, centralised: bool) -> None:
        super().__init__()
        self.up, self.down, self.later = (recurrent(channels, channels) for _ in range(3))
        self.join_time = dense(3 * channels, channels)
        self.within_frame = recurrent(channels, channels)
        self.join_frequency = dense(channels, channels)
        self.frame_by_frame = recurrent(channels, channels) if centralised else None
        self.join_centre = dense(channels, channels) if centralised else None

    def call(self, time_delayed, frequency_delayed, centre=None):
        """Run one layer of each stack.

        Parameters
        ----------
        time_delayed : tensor, shape (B, T, M, C)
            At frame i, anything of the frames before i.
        frequency_delayed : tensor, shape (B, T, M, C)
            At frame i and band j, anything of the bands before j in frame i.
        centre : tensor, shape (B, T, C), optional
            At frame i, anything of the frames before i.

        Returns
        -------
        three tensors of the same shapes, or None for the last
        """
        # What comes from earlier frames may be read upwards and downwards: none of it is of this frame.
        seen = [
            along_frequency(self.up, time_delayed),
            along_frequency(self.down, time_delayed, downwards=True),
            along_time(self.later, time_delayed),
        ]
        time_delayed = time_delayed + self.join_time(ops.concatenate(seen, axis=-1))  # (B, T, M, C)
        everything = frequency_delayed + time_delayed
        if centre is not None:
            centre = centre + self.join_centre(self.frame_by_frame(centre))  # (B, T, C)
            everything = everything + ops.expand_dims(centre, 2)
        read = along_frequency(self.within_frame, everything)  # (B, T, M, C)
        return time_delayed, frequency_delayed + self.join_frequency(read), centre


class FeatureLayer(layers.Layer):
    """Reads a finished, coarser spectrogram in all four directions, for the tier that refines it.

    Parameters
    ----------
    channels : int

    Notes
    -----
    Vasquez & Lewis 2019, section 6.1.

    Lesson: lessons/papers/melnet.ipynb
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.up, self.down, self.later, self.earlier = (recurrent(channels, channels) for _ in range(4))
        self.join = dense(4 * channels, channels)

    def call(self, x, n_frames):
        """Return features of the same shape.

        Parameters
        ----------
        x : tensor, shape (B, T, M, C)
        n_frames : tensor, shape (B,), int
            How many frames are not padding.

        Returns
        -------
        tensor, shape (B, T, M, C)
        """
        backwards = turned_over(along_time(self.earlier, turned_over(x, n_frames)), n_frames)
        seen = [
            along_frequency(self.up, x),
            along_frequency(self.down, x, downwards=True),
            along_time(self.later, x),
            backwards,
        ]
        return x + self.join(ops.concatenate(seen, axis=-1))  # (B, T, M, C)


# Layers that know their inputs have their weights at once: a run on zeros would take long here.
def recurrent(inputs: int, channels: int) -> layers.GRU:
    """Return the recurrent layer that all stacks are made of, with its weights."""
    layer = layers.GRU(channels, return_sequences=True)
    layer.build((None, None, inputs))
    return layer


def dense(inputs: int, channels: int, *, scale: float = 1.0) -> layers.Dense:
    """Return a dense layer with its weights, of the usual size at first or smaller."""
    layer = layers.Dense(
        channels, kernel_initializer=initializers.VarianceScaling(scale**2, "fan_avg", "uniform")
    )
    layer.build((None, inputs))
    return layer


def embedding(rows: int, channels: int) -> layers.Embedding:
    """Return an embedding with its weights."""
    layer = layers.Embedding(rows, channels)
    layer.build()
    return layer


def along_time(layer, x):
    """Run a recurrent layer through the frames of each band. (B, T, M, C) -> (B, T, M, C)"""
    n_clips, n_frames, n_bands, channels = ops.shape(x)
    rows = ops.reshape(ops.transpose(x, (0, 2, 1, 3)), (n_clips * n_bands, n_frames, channels))
    read = ops.reshape(layer(rows), (n_clips, n_bands, n_frames, layer.units))
    return ops.transpose(read, (0, 2, 1, 3))


def along_frequency(layer, x, *, downwards: bool = False):
    """Run a recurrent layer through the bands of each frame. (B, T, M, C) -> (B, T, M, C)"""
    n_clips, n_frames, n_bands, channels = ops.shape(x)
    columns = ops.reshape(x, (n_clips * n_frames, n_bands, channels))
    read = ops.flip(layer(ops.flip(columns, 1)), 1) if downwards else layer(columns)
    return ops.reshape(read, (n_clips, n_frames, n_bands, layer.units))


def turned_over(x, lengths):
    """Turn each row's first `lengths` steps around, so that its last real step comes first.

    Doing it twice changes nothing, and padding stays behind what is real.

    Parameters
    ----------
    x : tensor, shape (B, T, ...)
    lengths : tensor, shape (B,), int

    Returns
    -------
    tensor, shape (B, T, ...)
    """
    n_steps = ops.shape(x)[1]
    last = ops.expand_dims(ops.cast(lengths, "int32"), 1) - 1  # (B, 1)
    step = ops.mod(last - ops.arange(n_steps, dtype="int32"), n_steps)  # (B, T)
    for _ in x.shape[2:]:
        step = ops.expand_dims(step, -1)
    return ops.take_along_axis(x, step, axis=1)


def later_in_time(x):
    """Move everything one frame later, zeros first. (B, T, M) -> (B, T, M)"""
    return ops.concatenate([x[:, :1] * 0, x[:, :-1]], axis=1)


def higher_in_frequency(x):
    """Move everything one band higher, zeros first. (B, T, M) -> (B, T, M)"""
    return ops.concatenate([x[:, :, :1] * 0, x[:, :, :-1]], axis=2)
