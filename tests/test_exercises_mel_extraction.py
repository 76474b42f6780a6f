"""The checkers of lesson 2 know a right answer, and say of a wrong one what is wrong with it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tinyclone import AudioConfig
from tinyclone import log_mel as log_mel_of_tinyclone
from tinyclone.errors import AudioError
from tinyclone.exercises import check_find_fricative, check_frame_times, check_log_mel
from tinyclone.exercises.hisses import hissing_clips
from tinyclone.mel import mel_filterbank, stft

NEPER_DB = 20 / np.log(10)


def refuse(*_: Any) -> float:
    raise ZeroDivisionError("division by zero")


def periodic(n_fft: int) -> np.ndarray:
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft)


def my_log_mel(
    wav: np.ndarray,
    config: AudioConfig,
    *,
    pad: Callable[[np.ndarray, int], np.ndarray] = np.pad,
    window: Callable[[int], np.ndarray] = periodic,
    exponent: float = 1.0,
    filters: Callable[[AudioConfig], np.ndarray] = mel_filterbank,
    log: Callable[[np.ndarray, float], np.ndarray] = lambda mel, floor: np.log(np.maximum(mel, floor)),
) -> np.ndarray:
    padded = pad(wav, config.n_fft // 2)
    frames = [
        padded[start : start + config.n_fft]
        for start in range(0, len(padded) - config.n_fft + 1, config.hop_length)
    ]
    magnitude = np.abs(np.fft.rfft(np.stack(frames) * window(config.n_fft))) ** exponent
    with np.errstate(divide="ignore"):
        return log(magnitude @ filters(config).T, config.log_floor)


def variant(**changes: Any) -> Callable[[np.ndarray, AudioConfig], np.ndarray]:
    return lambda wav, config: my_log_mel(wav, config, **changes)


def in_db(mel: np.ndarray, floor: float) -> np.ndarray:
    return 20 * np.log10(np.maximum(mel, floor))


def triangles(config: AudioConfig) -> np.ndarray:
    return mel_filterbank(config) / mel_filterbank(config).max(axis=1, keepdims=True)


class TestLogMel:
    @pytest.mark.parametrize(
        "right",
        [
            my_log_mel,
            lambda wav, config: log_mel_of_tinyclone(wav, config=config),
            lambda wav, config: log_mel_of_tinyclone(wav, config=config).astype(np.float64),
        ],
    )
    def test_a_right_answer(self, right, capsys):
        assert check_log_mel(right) is True
        assert "Solved: my_log_mel." in capsys.readouterr().out

    @pytest.mark.parametrize(
        "wrong, hint",
        [
            (variant(log=in_db), "your mel is in dB, the natural logarithm was expected"),
            (variant(exponent=2, log=lambda x, a: 10 * np.log10(np.maximum(x, a**2))), "your mel is in dB"),
            (variant(log=lambda x, a: in_db(x, a) - in_db(x, a).max()), "your mel is in dB"),
            (variant(log=lambda x, a: np.log10(np.maximum(x, a))), "base 10"),
            (variant(log=lambda x, a: np.log2(np.maximum(x, a))), "base 2"),
            (variant(log=lambda x, a: np.log1p(x)), "log1p"),
            (variant(log=lambda x, a: x), "the logarithm is missing"),
            (variant(log=lambda x, a: np.log(x)), "there is no floor"),
            (variant(log=lambda x, a: np.log(x + a)), "The floor was added".lower()),
            (variant(log=lambda x, a: np.maximum(np.log(np.maximum(x, 1e-30)), a)), "after the logarithm"),
            (variant(exponent=2), "power instead of magnitude"),
            (lambda wav, config: 2 * my_log_mel(wav, config), "power instead of magnitude"),
            (variant(window=np.ones), "the window is missing"),
            (variant(window=np.hanning), "np.hanning"),
            (variant(pad=lambda wav, half: wav), "frames are not centred"),
            (variant(pad=lambda wav, half: np.pad(wav, (0, 2 * half))), "frames are not centred"),
            (
                variant(
                    pad=lambda wav, half: np.pad(wav, half, "reflect" if len(wav) > half else "constant")
                ),
                "its own reflection",
            ),
            (variant(filters=triangles), "the height 1"),
            (variant(filters=lambda config: np.eye(1 + config.n_fft // 2)), "Sum them with the filterbank"),
            (lambda wav, config: my_log_mel(wav, config).T, "time is not the first axis"),
            (lambda wav, config: my_log_mel(wav, config)[None], "one row for each frame"),
            (lambda wav, config: my_log_mel(wav, config)[:-1], "How many hops"),
            (lambda wav, config: my_log_mel(wav, AudioConfig()), "the sizes of `AudioConfig()`"),
            (lambda wav, config: my_log_mel(32768 * wav, config), "3.28e+04 times"),
            (lambda wav, config: my_log_mel(wav[::-1], config), "Compare each step"),
            (lambda wav, config: stft(wav, config=config)[:, :80], "np.abs"),
            (lambda wav, config: my_log_mel(wav, config).astype(int), "int64 values"),
            (lambda wav, config: my_log_mel(wav, config).tolist(), "expected ndarray"),
            (lambda wav, config: np.zeros((36, 80)), "Compare each step"),
            (lambda wav, config: None, "returned nothing"),
            (lambda wav: wav, "raised TypeError"),
            (refuse, "raised ZeroDivisionError"),
            (None, "wants the function itself"),
            (np.zeros((3, 80)), "wants the function itself"),
        ],
    )
    def test_a_wrong_answer_gets_its_hint(self, capsys, wrong, hint):
        assert check_log_mel(wrong) is False
        printed = capsys.readouterr().out
        assert printed.startswith("Not yet: ") and hint in printed

    def test_a_refusal_by_tinyclone_is_told(self, capsys):
        def refused(wav, config):
            raise AudioError("The wave is empty.")

        assert not check_log_mel(refused)
        assert "refused by tinyclone: The wave is empty." in capsys.readouterr().out

    def test_a_function_that_spoils_the_wave_does_not_spoil_the_check(self):
        def spoiling(wav, config):
            mel = my_log_mel(wav, config)
            wav *= 0
            return mel

        assert check_log_mel(spoiling)


def frame_to_sec(frame, config):
    return frame * config.hop_length / config.sample_rate_hz


def sec_to_frame(seconds, config):
    return round(seconds * config.sample_rate_hz / config.hop_length)


class TestFrameTimes:
    def test_a_right_answer(self, capsys):
        assert check_frame_times(frame_to_sec, sec_to_frame) is True
        assert "Solved" in capsys.readouterr().out

    def test_numbers_of_numpy_are_numbers(self):
        assert check_frame_times(
            lambda frame, config: np.float64(frame_to_sec(frame, config)),
            lambda seconds, config: np.int64(sec_to_frame(seconds, config)),
        )

    @pytest.mark.parametrize(
        "wrong, hint",
        [
            (lambda frame, config: frame * config.hop_length, "in samples"),
            (lambda frame, config: frame_to_sec(frame, config) * 1000, "milliseconds"),
            (lambda frame, config: frame * config.sample_rate_hz / config.hop_length, "turn the ratio over"),
            (lambda frame, config: frame_to_sec(frame, AudioConfig()), "the sizes of `AudioConfig()`"),
            (lambda frame, config: frame * config.hop_length / 16000, "sample rate is in the config"),
            (
                lambda frame, config: frame_to_sec(frame, config) + 512 / config.sample_rate_hz,
                "half a window",
            ),
            (lambda frame, config: frame_to_sec(frame, config) - 512 / config.sample_rate_hz, "starts"),
            (lambda frame, config: frame_to_sec(frame + 0.5, config), "half a hop late"),
            (lambda frame, config: frame_to_sec(frame + 1, config), "one hop late"),
            (lambda frame, config: frame * config.n_fft / config.sample_rate_hz, "frames overlap"),
            (lambda frame, config: 7.0, "How far is it"),
            (lambda frame, config: np.array([1.0]), "expected one number"),
            (lambda frame, config: "0", "expected one number"),
            (lambda frame, config: math.nan, "expected one number"),
            (lambda frame, config: 1j, "expected one number"),
            (lambda frame, config: None, "returned nothing"),
            (refuse, "raised ZeroDivisionError"),
            (None, "wants the function itself"),
        ],
    )
    def test_a_wrong_time_gets_its_hint(self, capsys, wrong, hint):
        assert check_frame_times(wrong, sec_to_frame) is False
        printed = capsys.readouterr().out
        assert printed.startswith("Not yet: ") and hint in printed

    @pytest.mark.parametrize(
        "wrong, hint",
        [
            (lambda sec, config: int(sec * config.sample_rate_hz / config.hop_length), "was cut off"),
            (lambda sec, config: math.ceil(sec * config.sample_rate_hz / config.hop_length), "rounded up"),
            (lambda sec, config: sec * config.sample_rate_hz / config.hop_length, "whole number"),
            (lambda sec, config: float(sec_to_frame(sec, config)), "not an int"),
            (lambda sec, config: sec_to_frame(sec, AudioConfig()), "the sizes of `AudioConfig()`"),
            (lambda sec, config: round(sec * config.sample_rate_hz), "in samples"),
            (lambda sec, config: round(sec * config.sample_rate_hz / config.n_fft), "frames overlap"),
            (
                lambda sec, config: round((sec * config.sample_rate_hz - 512) / config.hop_length),
                "the centre counts",
            ),
            (
                lambda sec, config: round(sec * config.hop_length / config.sample_rate_hz),
                "turn the ratio over",
            ),
            (lambda sec, config: min(sec_to_frame(sec, config), 100), "How far is it"),
            (lambda sec, config: [0], "expected one number"),
            (lambda sec, config: ..., "returned nothing"),
            (refuse, "raised ZeroDivisionError"),
            (3, "wants the function itself"),
        ],
    )
    def test_a_wrong_frame_gets_its_hint(self, capsys, wrong, hint):
        assert check_frame_times(frame_to_sec, wrong) is False
        printed = capsys.readouterr().out
        assert printed.startswith("Not yet: ") and hint in printed


def bands(wav: np.ndarray, low: slice, high: slice) -> tuple[np.ndarray, np.ndarray]:
    mel = log_mel_of_tinyclone(wav)
    return mel[:, low].mean(axis=1), mel[:, high].mean(axis=1)


def find_fricative(wav):
    low, high = bands(wav, slice(30), slice(60, None))
    return float((high - low).argmax()) * 256 / 16000


class TestFindFricative:
    def test_a_right_answer(self, capsys):
        assert check_find_fricative(find_fricative) is True
        assert "Solved: find_fricative." in capsys.readouterr().out

    @pytest.mark.parametrize(
        "wrong, hint",
        [
            (lambda wav: bands(wav, slice(1), slice(80))[1].argmax() / 62.5, "A loud vowel has"),
            (
                lambda wav: bands(wav, slice(1), slice(60, None))[1].argmax() / 62.5,
                "a soft hiss after a loud, bright vowel",
            ),
            (lambda wav: bands(wav, slice(30), slice(1))[0].argmin() / 62.5, "there it is quiet"),
            (lambda wav: round(find_fricative(wav) * 62.5), "the number of the frame"),
            (lambda wav: round(find_fricative(wav) * 16000), "which is a sample"),
            (lambda wav: find_fricative(wav) * 1000, "milliseconds"),
            (lambda wav: -1.0, "lasts from 0 to"),
            (lambda wav: 99.0, "lasts from 0 to"),
            (lambda wav: (0.1, 0.2), "expected one number"),
            (lambda wav: np.nan, "returned nan"),
            (lambda wav: True, "of type bool"),
            (lambda wav: None, "returned nothing"),
            (refuse, "raised ZeroDivisionError"),
            (None, "wants the function itself"),
        ],
    )
    def test_a_wrong_answer_gets_its_hint(self, capsys, wrong, hint):
        assert check_find_fricative(wrong) is False
        printed = capsys.readouterr().out
        assert printed.startswith("Not yet: ") and hint in printed

    def test_every_clip_hisses_where_it_says(self):
        for clip in hissing_clips():
            assert clip.wav.dtype == np.float32 and np.abs(clip.wav).max() <= 1
            low, high = bands(clip.wav, slice(30), slice(60, None))
            for start_sec, end_sec in clip.hisses_sec:
                middle = round((start_sec + end_sec) / 2 * 62.5)
                assert high[middle] > low[middle] + 1, clip.what
