"""What a notebook and the command line draw: mels, the durations over them, waves, a corpus."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tinyclone.config import AudioConfig
from tinyclone.errors import TinycloneError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from tinyclone.corpus_report import CorpusReport
    from tinyclone.synthesis import Speech

TICKS_HZ = (250, 500, 1000, 2000, 4000, 8000)
INCHES_PER_SEC = 2.4
WIDTH_RANGE_INCHES = (9.0, 40.0)
MOST_LABELS = 250


def plot_mel(
    mel: np.ndarray, *, config: AudioConfig = AudioConfig(), title: str = "", axis: Axes | None = None
) -> Axes:
    """Draw a log-mel-spectrogram: time to the right, frequency upwards, brighter is louder.

    Parameters
    ----------
    mel : np.ndarray [shape=(F, n_mels)]
    config : AudioConfig
    title : str
    axis : matplotlib Axes, optional
        Where to draw; a new figure if not given.

    Returns
    -------
    matplotlib Axes

    Notes
    -----
    Lesson: lessons/02_mel_extraction.ipynb
    """
    axis = axis if axis is not None else _new_axis()
    half_frame_sec = 0.5 / config.frames_per_sec
    extent = (-half_frame_sec, len(mel) / config.frames_per_sec - half_frame_sec, -0.5, config.n_mels - 0.5)
    # Below the 5th percentile is silence: showing it would leave few colours for speech.
    axis.imshow(
        np.asarray(mel, np.float32).T,
        origin="lower",
        aspect="auto",
        extent=extent,
        vmin=float(np.percentile(mel, 5)),
        cmap="magma",
        interpolation="nearest",
    )
    ticks_hz = [hz for hz in TICKS_HZ if config.fmin_hz <= hz <= config.fmax_hz]
    axis.set_yticks([_band_at(hz, config=config) for hz in ticks_hz], [_label_hz(hz) for hz in ticks_hz])
    axis.set(xlabel="time (s)", ylabel="frequency", title=title)
    # The lowest and the highest band reach one band further, to fmin and fmax.
    axis.set(ylim=(-1, config.n_mels), facecolor="black")
    return axis


def plot_durations(
    axis: Axes, durations: np.ndarray, tokens: Sequence[str], *, config: AudioConfig = AudioConfig()
) -> Axes:
    """Draw each token's borders and its label over a mel that `plot_mel` drew.

    Parameters
    ----------
    axis : matplotlib Axes
    durations : np.ndarray [shape=(T,)]
        Frames of each token.
    tokens : sequence of str [length T]
    config : AudioConfig

    Returns
    -------
    matplotlib Axes

    Notes
    -----
    Lesson: lessons/03_alignment.ipynb
    """
    durations = np.asarray(durations)
    if len(durations) != len(tokens):
        raise ValueError(
            f"{len(durations)} durations came with {len(tokens)} tokens: one of each was expected."
        )
    # Frame f reaches half a hop to both sides of its centre, f * hop_length samples.
    borders_sec = (np.concatenate([[0], np.cumsum(durations)]) - 0.5) / config.frames_per_sec
    axis.vlines(borders_sec, -1, config.n_mels, colors="white", linewidth=0.6, alpha=0.7)
    spoken = [index for index in range(len(tokens)) if durations[index] > 0]
    for place, index in enumerate(spoken[:MOST_LABELS]):
        axis.text(
            (borders_sec[index] + borders_sec[index + 1]) / 2,
            # Short tokens stand close together, so neighbours take turns in three rows.
            config.n_mels - 4 - 6 * (place % 3),
            tokens[index].replace(" ", "\u2423"),
            color="white",
            fontsize=7,
            ha="center",
            va="center",
            parse_math=False,
            clip_on=True,
            bbox={"facecolor": "black", "alpha": 0.5, "linewidth": 0, "pad": 0.8},
        )
    axis.set_ylim(-1, config.n_mels)
    return axis


def plot_wave(
    wav: np.ndarray, *, sample_rate_hz: int = 16000, title: str = "", axis: Axes | None = None
) -> Axes:
    """Draw a wave.

    Parameters
    ----------
    wav : np.ndarray [shape=(N,)]
    sample_rate_hz : int
    title : str
    axis : matplotlib Axes, optional
        Where to draw; a new figure if not given.

    Returns
    -------
    matplotlib Axes

    Notes
    -----
    Lesson: lessons/02_mel_extraction.ipynb
    """
    axis = axis if axis is not None else _new_axis()
    axis.plot(np.arange(len(wav)) / sample_rate_hz, wav, linewidth=0.4)
    axis.set(xlabel="time (s)", ylabel="amplitude", title=title, ylim=(-1, 1))
    axis.set_xlim(0, max(len(wav), 1) / sample_rate_hz)
    return axis


def plot_speech(
    speech: Speech,
    *,
    reference_mel: np.ndarray | None = None,
    config: AudioConfig = AudioConfig(),
    figure: Figure | None = None,
) -> Figure:
    """Draw a speech on one sheet: the reference's mel if given, its own mel with durations, its wave.

    Parameters
    ----------
    speech : Speech
    reference_mel : np.ndarray [shape=(R, n_mels)], optional
        What the reference encoder heard.
    config : AudioConfig
    figure : matplotlib Figure, optional
        Where to draw; a new one of pyplot's if not given, which a notebook then shows.

    Returns
    -------
    matplotlib Figure

    Notes
    -----
    Lesson: lessons/00_hear_it_first.ipynb
    """
    if figure is None:
        from matplotlib import pyplot

        figure = pyplot.figure()
    rows = 2 if reference_mel is None else 3
    width = float(np.clip(speech.duration_sec * INCHES_PER_SEC, *WIDTH_RANGE_INCHES))
    figure.set_size_inches(width, 3.0 * rows)
    figure.set_layout_engine("constrained")
    axes = list(figure.subplots(rows, 1))
    if reference_mel is not None:
        plot_mel(reference_mel, config=config, title="What the cloner heard: the reference", axis=axes.pop(0))
    text = speech.text if len(speech.text) <= 80 else speech.text[:80] + "..."
    # A dollar sign would start mathematics in a matplotlib title.
    axis = plot_mel(
        speech.mel, config=config, title=f"What it said: {text}".replace("$", r"\$"), axis=axes[0]
    )
    plot_durations(axis, speech.durations, speech.tokens, config=config)
    plot_wave(speech.wav, sample_rate_hz=speech.sample_rate_hz, title="The wave", axis=axes[1])
    axes[1].set_xlim(axis.get_xlim())
    return figure


def save_speech_plot(
    path: str | Path,
    speech: Speech,
    *,
    reference_mel: np.ndarray | None = None,
    config: AudioConfig = AudioConfig(),
) -> Path:
    """Draw a speech with `plot_speech` into an image file, without a screen.

    Parameters
    ----------
    path : str or Path
        The suffix decides the format: .png, .svg or .pdf.
    speech : Speech
    reference_mel : np.ndarray [shape=(R, n_mels)], optional
    config : AudioConfig

    Returns
    -------
    Path

    Raises
    ------
    TinycloneError
        If the file cannot be written; an existing one is then kept.

    Notes
    -----
    Lesson: lessons/00_hear_it_first.ipynb
    """
    from matplotlib.figure import Figure

    check_plot_path(path)
    return save_figure(path, plot_speech(speech, reference_mel=reference_mel, config=config, figure=Figure()))


def plot_report(report: CorpusReport, *, figure: Figure) -> Figure:
    """Draw histograms of a corpus: lengths and loudness of its clips, minutes a speaker, words a second.

    Notes
    -----
    Lesson: lessons/05_gpu_training.ipynb
    """
    usable = report.usable
    panels = {
        "length of a clip (s)": [clip.seconds for clip in usable],
        "loudness (dB of full scale)": [clip.loudness_db for clip in usable],
        "minutes of a speaker": list(report.speaker_minutes.values()),
        "words a second": [clip.words_a_second for clip in usable],
    }
    figure.set_size_inches(9, 6)
    figure.set_layout_engine("constrained")
    for axis, (label, values) in zip(figure.subplots(2, 2).flat, panels.items()):
        axis.hist(values, bins=30)
        axis.yaxis.get_major_locator().set_params(integer=True)
        axis.set(xlabel=label, ylabel="speakers" if "speaker" in label else "clips")
    return figure


def save_figure(path: str | Path, figure: Figure) -> Path:
    """Write a figure to a file of `check_plot_path`; an existing one is kept if that fails."""
    path = check_plot_path(path)
    temporary = ""
    try:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        os.close(descriptor)
        figure.savefig(temporary, format=path.suffix[1:].lower(), dpi=110)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        raise TinycloneError(f"Cannot write the plot {path}: {error.strerror}.") from error
    return path


def check_plot_path(path: str | Path) -> Path:
    """Return the path, or raise `TinycloneError` if no plot can be written there."""
    path = Path(path)
    if path.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise TinycloneError(f"A plot is saved as .png, .svg or .pdf, but {path} was asked for.")
    if path.is_dir() or not path.parent.is_dir():
        raise TinycloneError(f"Cannot write the plot {path}: give a file name in a folder that exists.")
    return path


def _new_axis() -> Axes:
    from matplotlib import pyplot

    return pyplot.subplots(figsize=(10, 3), layout="constrained")[1]


def _label_hz(hz: float) -> str:
    return f"{hz / 1000:g} kHz" if hz >= 1000 else f"{hz:g} Hz"


def _band_at(hz: float, *, config: AudioConfig) -> float:
    """Return which mel band, with a fraction, has its centre at a frequency."""
    low, high, here = (_hz_to_mel(value) for value in (config.fmin_hz, config.fmax_hz, hz))
    return (here - low) / (high - low) * (config.n_mels + 1) - 1


def _hz_to_mel(hz: float) -> float:
    """Slaney's mel scale: straight to 1 kHz, logarithmic above."""
    return 3 * hz / 200 if hz < 1000 else 15 + 27 * float(np.log(hz / 1000) / np.log(6.4))
