from __future__ import annotations

import os

import librosa
import matplotlib
import numpy as np
import pytest

matplotlib.use("Agg")

from matplotlib import pyplot
from matplotlib.figure import Figure

from tinyclone.config import AudioConfig
from tinyclone.errors import TinycloneError
from tinyclone.plots import plot_durations, plot_mel, plot_speech, plot_wave, save_speech_plot
from tinyclone.synthesis import Speech


@pytest.fixture
def speech() -> Speech:
    mel = np.random.default_rng(0).normal(-5, 2, (20, 80)).astype(np.float32)
    wav = np.sin(np.arange(19 * 256) / 9).astype(np.float32) * 0.5
    return Speech(wav, 16000, mel, np.array([5, 0, 7, 8]), ["^", "$", " ", "AH0"], "It costs $5 and $6_7^8.")


@pytest.fixture
def axis():
    return Figure().subplots()


def test_mel_stands_upright_and_in_seconds(axis):
    mel = np.zeros((10, 80))
    mel[3, 70] = 1.0
    plot_mel(mel, axis=axis)
    picture = axis.images[0]
    assert picture.get_array().shape == (80, 10)
    assert picture.get_array()[70, 3] == 1.0 and picture.origin == "lower"
    left, right, bottom, top = picture.get_extent()
    assert (left, right) == pytest.approx((-0.008, 0.152))
    assert (bottom, top) == (-0.5, 79.5)


@pytest.mark.parametrize("config", [AudioConfig(), AudioConfig(fmin_hz=60.0, fmax_hz=7600.0, n_mels=40)])
def test_frequency_ticks_lie_where_librosa_puts_the_bands(axis, config):
    plot_mel(np.random.default_rng(0).normal(size=(5, config.n_mels)), config=config, axis=axis)
    centres_hz = librosa.mel_frequencies(n_mels=config.n_mels + 2, fmin=config.fmin_hz, fmax=config.fmax_hz)
    labels = [label.get_text() for label in axis.get_yticklabels()]
    for tick, label in zip(axis.get_yticks(), labels, strict=True):
        hz = float(label.split()[0]) * (1000 if "kHz" in label else 1)
        assert np.interp(tick + 1, np.arange(config.n_mels + 2), centres_hz) == pytest.approx(hz, rel=0.002)
    assert ("8 kHz" in labels) == (config.fmax_hz == 8000.0)


def test_duration_borders_and_labels(axis):
    plot_durations(axis, np.array([2, 0, 6]), ["^", "B", "AA1"])
    borders_sec = sorted({segment[0, 0] for segment in axis.collections[0].get_segments()})
    np.testing.assert_allclose(borders_sec, [-0.008, 0.024, 0.12], atol=1e-9)
    assert [(text.get_text(), round(text.get_position()[0], 4)) for text in axis.texts] == [
        ("^", 0.008),
        ("AA1", 0.072),
    ]


def test_durations_and_tokens_must_be_as_many(axis):
    with pytest.raises(ValueError, match="2 durations came with 1 tokens"):
        plot_durations(axis, np.array([2, 3]), ["^"])


def test_wave(axis):
    plot_wave(np.linspace(-1, 1, 8000), sample_rate_hz=16000, axis=axis)
    assert axis.get_xlim() == (0, 0.5)
    assert len(axis.lines[0].get_ydata()) == 8000


def test_without_an_axis_pyplot_makes_one():
    count = len(pyplot.get_fignums())
    plot_mel(np.random.default_rng(0).normal(size=(5, 80)))
    plot_wave(np.zeros(100))
    assert len(pyplot.get_fignums()) == count + 2
    pyplot.close("all")


def test_sheet_with_and_without_reference(speech):
    assert len(plot_speech(speech, figure=Figure()).axes) == 2
    figure = plot_speech(speech, reference_mel=speech.mel[:9], figure=Figure())
    assert len(figure.axes) == 3
    assert figure.axes[0].images[0].get_array().shape == (80, 9)
    assert len(figure.axes[1].texts) == 3


@pytest.mark.parametrize(("suffix", "start"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")])
def test_saved_picture(speech, tmp_path, suffix, start):
    path = save_speech_plot(tmp_path / f"speech{suffix}", speech, reference_mel=speech.mel)
    assert path.read_bytes().startswith(start)
    assert os.listdir(tmp_path) == [path.name]


def test_saved_picture_opens_no_pyplot_figure(speech, tmp_path):
    pyplot.close("all")
    save_speech_plot(tmp_path / "speech.png", speech)
    assert pyplot.get_fignums() == []


def test_a_very_long_speech_is_still_a_picture_of_reasonable_size(tmp_path):
    frames, tokens = 20000, 5000
    mel = np.random.default_rng(0).normal(size=(frames, 80)).astype(np.float32)
    wav = np.zeros(frames * 256, np.float32)
    speech = Speech(wav, 16000, mel, np.full(tokens, 4), ["AA1"] * tokens, "long " * 4000)
    figure = plot_speech(speech, figure=Figure())
    assert figure.get_size_inches()[0] == 40
    assert len(figure.axes[0].texts) == 250


def test_unwritable_places(speech, tmp_path):
    for path in (tmp_path / "missing" / "a.png", tmp_path / "a.docx", tmp_path / "a"):
        with pytest.raises(TinycloneError, match="plot"):
            save_speech_plot(path, speech)


def test_failed_save_keeps_the_old_picture(speech, tmp_path, monkeypatch):
    path = tmp_path / "speech.png"
    path.write_bytes(b"old")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(TinycloneError, match="No space left"):
        save_speech_plot(path, speech)
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["speech.png"]
