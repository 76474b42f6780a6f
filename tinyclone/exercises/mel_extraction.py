"""Checkers for lesson 2."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinyclone.config import AudioConfig
from tinyclone.exercises.hisses import HissingClip, hissing_clips
from tinyclone.exercises.judging import Wrong, call, judge, kind_of
from tinyclone.exercises.mel_mistakes import MEL_TOLERANCE, why_other_values
from tinyclone.mel import log_mel

SMALL_CONFIG = AudioConfig(n_fft=512, hop_length=160, n_mels=40)
OTHER_RATE_CONFIG = AudioConfig(sample_rate_hz=22050, hop_length=300)
TIMES_TOLERANCE_SEC = 1e-6
FIXED_SIZES = "these are the sizes of `AudioConfig()`; take them from the config you get"
# A frame away from the edge of the hiss is still right.
HISS_MARGIN_SEC = 0.016


def check_log_mel(my_log_mel: Callable[[np.ndarray, AudioConfig], np.ndarray] | None) -> bool:
    """Check a function that makes log-mel-spectrograms of any config.

    Parameters
    ----------
    my_log_mel : callable
        ``my_log_mel(wav, config)`` returns what `tinyclone.log_mel` does, of shape (F, n_mels).

    Returns
    -------
    bool
        Whether all trials passed; what was right or wrong is printed.

    Notes
    -----
    Lesson: lessons/02_mel_extraction.ipynb
    """
    return judge("my_log_mel", lambda: _try_log_mel(my_log_mel))


def check_frame_times(
    frame_to_sec: Callable[[int, AudioConfig], float] | None,
    sec_to_frame: Callable[[float, AudioConfig], int] | None,
) -> bool:
    """Check a pair of functions between the number of a frame and the time at its centre.

    Parameters
    ----------
    frame_to_sec : callable
        ``frame_to_sec(frame, config)`` returns the time at the centre of a frame, in seconds.
    sec_to_frame : callable
        ``sec_to_frame(seconds, config)`` returns the number of the frame whose centre is nearest.

    Returns
    -------
    bool
        Whether all trials passed; what was right or wrong is printed.

    Notes
    -----
    Lesson: lessons/02_mel_extraction.ipynb
    """
    return judge("frame_to_sec and sec_to_frame", lambda: _try_frame_times(frame_to_sec, sec_to_frame))


def check_find_fricative(find_fricative: Callable[[np.ndarray], float] | None) -> bool:
    """Check a function that finds when a clip hisses.

    Parameters
    ----------
    find_fricative : callable
        ``find_fricative(wav)`` returns a time in seconds at which a fricative is heard; `wav` has 16,000
        samples a second.

    Returns
    -------
    bool
        Whether all trials passed; what was right or wrong is printed.

    Notes
    -----
    Lesson: lessons/02_mel_extraction.ipynb
    """
    return judge("find_fricative", lambda: _try_find_fricative(find_fricative))


def _try_log_mel(my_log_mel: Any) -> list[str]:
    random = np.random.default_rng(0)
    time_sec = np.arange(9000) / 16000
    glide = 0.3 * np.sin(2 * np.pi * (300 * time_sec + 4000 * time_sec**2))
    glide = (glide + 0.05 * random.standard_normal(9000)).astype(np.float32)
    paused = glide.copy()
    paused[2000:6000] = 0.0
    soft = (2e-6 * random.standard_normal(5000)).astype(np.float32)
    trials = [
        ("a tone that glides, with some noise", glide, AudioConfig()),
        ("digital silence in the middle", paused, AudioConfig()),
        ("noise as soft as the floor", soft, AudioConfig()),
        ("another config: n_fft 512, hop_length 160, n_mels 40", glide, SMALL_CONFIG),
        ("a wave shorter than one window", glide[:300], AudioConfig()),
    ]
    for what, wav, config in trials:
        mel = call(my_log_mel, wav.copy(), config, expected=np.ndarray)
        _refuse_kind_and_shape(mel, wav, config)
        expected = log_mel(wav, config=config)
        if not np.allclose(mel, expected, rtol=0, atol=MEL_TOLERANCE):
            raise Wrong(f"for {what}, {why_other_values(mel, expected, wav, config)}")
    return [what for what, _, _ in trials]


def _refuse_kind_and_shape(mel: np.ndarray, wav: np.ndarray, config: AudioConfig) -> None:
    expected = (1 + len(wav) // config.hop_length, config.n_mels)
    if np.iscomplexobj(mel):
        raise Wrong("your mel holds complex numbers. Take the magnitude, np.abs, before the filterbank.")
    if not np.issubdtype(mel.dtype, np.floating):
        raise Wrong(f"your mel holds {mel.dtype} values; expected floating point.")
    if mel.shape == expected:
        return
    found = f"your mel has the shape {mel.shape}, expected {expected}"
    if mel.shape == expected[::-1]:
        raise Wrong(f"{found}: time is not the first axis.")
    if mel.ndim != 2:
        raise Wrong(f"{found}: one row for each frame, one column for each band.")
    if config != AudioConfig() and mel.shape in _shapes_of(len(wav), AudioConfig()):
        raise Wrong(f"{found}: these are the sizes of `AudioConfig()`. Take them from the config you get.")
    if mel.shape[1] == 1 + config.n_fft // 2:
        raise Wrong(f"{found}: these are bins of the Fourier transform. Sum them with the filterbank.")
    if mel.shape[0] == max(0, 1 + (len(wav) - config.n_fft) // config.hop_length):
        raise Wrong(f"{found}: frames are not centred. Pad half a window of zeros at both ends.")
    raise Wrong(f"{found}. How many hops fit into the wave, and how many bands has the filterbank?")


def _shapes_of(n_samples: int, config: AudioConfig) -> list[tuple[int, int]]:
    shape = (1 + n_samples // config.hop_length, config.n_mels)
    return [shape, (max(0, 1 + (n_samples - config.n_fft) // config.hop_length), config.n_mels)]


def _try_frame_times(frame_to_sec: Any, sec_to_frame: Any) -> list[str]:
    configs = (AudioConfig(), OTHER_RATE_CONFIG, SMALL_CONFIG)
    for config in configs:
        for number in (40, 1, 1000, 0):
            _try_frame_to_sec(frame_to_sec, number, config)
    for config in configs:
        for seconds in (0.42, 0.5, 0.62, 0.743, 12.345, 0.0):
            _try_sec_to_frame(sec_to_frame, seconds, config)
    for config in configs:
        for number in range(200):
            there = call(frame_to_sec, number, config, expected=object)
            back = call(sec_to_frame, there, config, expected=object)
            if _number(back, "sec_to_frame") != number:
                raise Wrong(f"there and back, frame {number} became frame {back}. Round to the nearest.")
    return ["frames to seconds", "seconds to frames", "there and back, for three configs"]


def _try_frame_to_sec(frame_to_sec: Any, number: int, config: AudioConfig) -> None:
    answer = _number(call(frame_to_sec, number, config, expected=object), "frame_to_sec")
    rate_hz, hop_length = config.sample_rate_hz, config.hop_length
    right = number * hop_length / rate_hz
    if abs(answer - right) <= TIMES_TOLERANCE_SEC:
        return
    default = AudioConfig()
    mistakes = [
        (right * 1000, "that is in milliseconds"),
        (number * hop_length, "that is in samples. How many samples last a second?"),
        (number * rate_hz / hop_length, "turn the ratio over: a frame lasts less than a second"),
        (number * default.hop_length / default.sample_rate_hz, FIXED_SIZES),
        (number * hop_length / default.sample_rate_hz, "the sample rate is in the config, too"),
        (
            (number * hop_length + config.n_fft // 2) / rate_hz,
            "that is half a window late: with the padding, frame 0 is centred at the first sample",
        ),
        ((number * hop_length - config.n_fft // 2) / rate_hz, "its window starts there; the centre counts"),
        ((number + 0.5) * hop_length / rate_hz, "that is half a hop late: the centre of frame 0 is at 0 s"),
        ((number + 1) * hop_length / rate_hz, "that is one hop late: frames are counted from 0"),
        (number * config.n_fft / rate_hz, "frames overlap: the next one starts a hop later, not a window"),
    ]
    _refuse(f"frame {number}", answer, right, mistakes)


def _try_sec_to_frame(sec_to_frame: Any, seconds: float, config: AudioConfig) -> None:
    given = call(sec_to_frame, seconds, config, expected=object)
    answer = _number(given, "sec_to_frame")
    rate_hz, hop_length = config.sample_rate_hz, config.hop_length
    exact = seconds * rate_hz / hop_length
    right = round(exact)
    if answer == right and isinstance(given, (int, np.integer)):
        return
    default = AudioConfig()
    mistakes = [
        (exact, "a frame has a whole number: which is the nearest?"),
        (right, "that is right, but not an int: the number of a frame is used as an index"),
        (np.floor(exact), "the fraction was cut off. Which frame's centre is nearest?"),
        (np.ceil(exact), "the fraction was rounded up. Which frame's centre is nearest?"),
        (round(seconds * default.sample_rate_hz / default.hop_length), FIXED_SIZES),
        (round(seconds * rate_hz), "that is in samples. How many samples is a hop?"),
        (
            round(seconds * rate_hz / config.n_fft),
            "frames overlap: the next starts a hop later, not a window",
        ),
        (
            round((seconds * rate_hz - config.n_fft // 2) / hop_length),
            "its window starts there; the centre counts",
        ),
        (round(seconds * hop_length / rate_hz), "turn the ratio over: a second has many frames"),
    ]
    _refuse(f"{seconds:g} s", answer, right, mistakes)


def _refuse(what: str, answer: float, right: float, mistakes: list[tuple[float, str]]) -> None:
    for mistaken, hint in mistakes:
        if abs(answer - mistaken) <= TIMES_TOLERANCE_SEC:
            raise Wrong(f"for {what} the answer was {answer:g}: {hint}.")
    raise Wrong(f"for {what} the answer was {answer:g}. How far is it from one frame's centre to the next?")


def _try_find_fricative(find_fricative: Any) -> list[str]:
    clips = hissing_clips()
    for clip in clips:
        _try_one_clip(find_fricative, clip)
    return [clip.what for clip in clips]


def _try_one_clip(find_fricative: Any, clip: HissingClip) -> None:
    answer = _number(call(find_fricative, clip.wav.copy(), expected=object), "find_fricative")
    if _hisses(clip, answer):
        return
    found = f"for {clip.what} it returned {answer:g}"
    config = AudioConfig()
    lasts_sec = len(clip.wav) / config.sample_rate_hz
    if _hisses(clip, answer / config.frames_per_sec):
        raise Wrong(f"{found}, which is the number of the frame. Say when that is, in seconds.")
    if _hisses(clip, answer / config.sample_rate_hz):
        raise Wrong(f"{found}, which is a sample. Say when that is, in seconds.")
    if _hisses(clip, answer / 1000):
        raise Wrong(f"{found}, which is in milliseconds. Say it in seconds.")
    if not 0 <= answer <= lasts_sec:
        raise Wrong(f"{found}, but the clip lasts from 0 to {lasts_sec:.2f} s.")
    start_sec, end_sec = clip.hisses_sec[0]
    found += f" s. It hisses from {start_sec:.2f} to {end_sec:.2f} s, and"
    loudness = log_mel(clip.wav).mean(axis=1)
    if loudness[round(answer * config.frames_per_sec)] < loudness.max() - 4.0:
        raise Wrong(f"{found} there it is quiet. Want much at high frequencies, not only little at low ones.")
    raise Wrong(
        f"{found} there is something else. A loud vowel has high frequencies, too, but more low ones: "
        "compare the two."
    )


def _hisses(clip: HissingClip, at_sec: float) -> bool:
    return any(
        start_sec - HISS_MARGIN_SEC <= at_sec <= end_sec + HISS_MARGIN_SEC
        for start_sec, end_sec in clip.hisses_sec
    )


def _number(value: Any, name: str) -> float:
    """Return a number as a float, or say that it is none."""
    try:
        number = float(value) if np.ndim(value) == 0 and not isinstance(value, (bool, str, bytes)) else None
    except (TypeError, ValueError):
        number = None
    if number is None or not np.isfinite(number):
        raise Wrong(
            f"{name} returned {value if number is not None else kind_of(value)}; expected one number."
        )
    return number
