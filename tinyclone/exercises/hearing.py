"""Checkers for lesson 0."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tinyclone import synthesis
from tinyclone.config import AudioConfig
from tinyclone.evaluation import cosine_similarity
from tinyclone.exercises.judging import Wrong, call, judge, kind_of
from tinyclone.synthesis import Speech
from tinyclone.voice import Voice

SPEAK_IN_CASES = (
    ("The tide comes in twice a day.", 1.3),
    ("The tide comes in twice a day.", 2.8),
)
SPEAK_IN_TOLERANCE = 0.08

# For each situation of the consent exercise: may the voice be cloned, and why (not).
MAY_CLONE = {
    "your own voice, for this lesson": (True, "it is yours, and you know what it is for"),
    "a friend who wrote: yes, clone me for your birthday video": (
        True,
        "the person agreed and knew to what",
    ),
    "that friend again, for an advertisement": (
        False,
        "the yes was for a birthday video: another use needs another yes",
    ),
    "an actor, from films that anybody can watch": (
        False,
        "that a voice can be heard in public does not mean that its owner agreed to a copy",
    ),
    "a voice that a program made, released for any use": (
        True,
        "nobody speaks with it, and its makers allow any use",
    ),
}


def check_speak_in(
    speak_in: Callable[[str, Voice, float], Speech] | None, *, voice: Voice | None = None
) -> bool:
    """Check a function that speaks a text in a given time.

    Parameters
    ----------
    speak_in : callable
        ``speak_in(text, voice, seconds)`` returns a `Speech` that lasts `seconds`, within 8 %.
    voice : Voice, optional
        Who speaks in the trials; the named voice ``lj`` if not given.

    Returns
    -------
    bool
        Whether all trials passed; what was right or wrong is printed.

    Notes
    -----
    Lesson: lessons/00_hear_it_first.ipynb
    """
    return judge("speak_in", lambda: _try_speak_in(speak_in, voice or Voice.named("lj")))


def check_closest_voice(closest_voice: Callable[[np.ndarray, dict[str, np.ndarray]], str] | None) -> bool:
    """Check a function that names the voice whose voiceprint points most nearly the same way.

    Parameters
    ----------
    closest_voice : callable
        ``closest_voice(voiceprint, voices)`` returns the name with the largest cosine among `voices`,
        a dictionary from name to voiceprint.

    Returns
    -------
    bool
        Whether all trials passed; what was right or wrong is printed.

    Notes
    -----
    Lesson: lessons/00_hear_it_first.ipynb
    """
    return judge("closest_voice", lambda: _try_closest_voice(closest_voice))


def check_may_clone(answers: Mapping[str, bool | None]) -> bool:
    """Check which situations of `MAY_CLONE` somebody holds to be a consent.

    Parameters
    ----------
    answers : mapping of str to bool
        For each situation, whether the voice may be cloned; None if not answered yet.

    Returns
    -------
    bool
        Whether every answer is right; what was right or wrong is printed.

    Notes
    -----
    Lesson: lessons/00_hear_it_first.ipynb
    """
    return judge("may_clone", lambda: _try_may_clone(answers))


def _try_speak_in(speak_in: Any, voice: Voice) -> list[str]:
    passed = []
    for text, seconds in SPEAK_IN_CASES:
        speech = call(speak_in, text, voice, seconds, expected=Speech)
        if speech.text != text:
            raise Wrong(f"it says {speech.text!r} instead of {text!r}. Speak the text that came in.")
        hop_length = AudioConfig().hop_length
        if len(speech.wav) != (len(speech.mel) - 1) * hop_length:
            raise Wrong("the wave was cut or padded after it was spoken. Let `clone` speak at another speed.")
        if abs(speech.duration_sec / seconds - 1) > SPEAK_IN_TOLERANCE:
            raise Wrong(_why_not_in_time(speech, seconds, voice=voice))
        passed.append(f"{seconds:g} s were asked for, it lasts {speech.duration_sec:.2f} s")
    return passed


def _why_not_in_time(speech: Speech, seconds: float, *, voice: Voice) -> str:
    """Compare with the speed that does nothing and the one that is upside down."""
    lasts = speech.duration_sec
    natural = synthesis.clone(speech.text, voice).duration_sec
    found = f"{seconds:g} s were asked for, but it lasts {lasts:.2f} s"
    if abs(lasts / natural - 1) <= SPEAK_IN_TOLERANCE:
        return f"{found}, as long as at speed 1. Pass a speed to `clone`."
    if (lasts - natural) * (seconds - natural) < 0:
        return f"{found}, and {natural:.2f} s at speed 1: turn the ratio over, for speed 2 halves the time."
    return f"{found}. It lasts {natural:.2f} s at speed 1: which speed makes {seconds:g} s of that?"


def _try_closest_voice(closest_voice: Any) -> list[str]:
    random = np.random.default_rng(0)
    voices = {name: random.normal(size=16) for name in ("ada", "ben", "cleo", "dev")}
    # Each trial: its name, the voiceprint, the candidates, who is right, and what a usual mistake overlooks.
    quiet = {**voices, "cleo": 0.05 * voices["cleo"], "dev": voices["cleo"] + 0.5 * voices["dev"]}
    loud = {**voices, "ben": 50 * (voices["ben"] + voices["cleo"])}
    opposite = {**voices, "dev": -9 * (voices["ada"] + 0.4 * voices["ben"])}
    trials = [
        ("the same voiceprint", voices["ada"], voices, "ada", ""),
        (
            "a very long voiceprint beside the right one",
            voices["cleo"],
            loud,
            "cleo",
            "Divide the dot product by the lengths of both vectors",
        ),
        (
            "the same direction, but much shorter",
            voices["cleo"],
            quiet,
            "cleo",
            "The distance depends on how long a vector is; the cosine only on where it points",
        ),
        (
            "a voiceprint that points the opposite way",
            voices["ada"] + 0.5 * voices["ben"],
            opposite,
            "ada",
            "A cosine of -1 is as far apart as can be: do not drop the sign",
        ),
    ]
    return [_try_one_voiceprint(closest_voice, *trial) for trial in trials]


def _try_one_voiceprint(
    closest_voice: Any,
    what: str,
    voiceprint: np.ndarray,
    voices: dict[str, np.ndarray],
    right: str,
    hint: str,
) -> str:
    answer = call(closest_voice, voiceprint.copy(), dict(voices), expected=str)
    if answer not in voices:
        raise Wrong(f"it returned {answer!r}; expected one of the names: {', '.join(voices)}.")
    cosines = {name: cosine_similarity(voiceprint, other) for name, other in voices.items()}
    if answer == min(cosines, key=cosines.__getitem__) and not hint:
        raise Wrong(f"for {what} it chose the least similar, {answer!r}. The largest cosine is the closest.")
    if answer != right:
        hint = hint or "Does every name get its own cosine, and is the name of the largest returned"
        raise Wrong(
            f"for {what} it chose {answer!r} (cosine {cosines[answer]:.2f}), but {right!r} has "
            f"{cosines[right]:.2f}. {hint}."
        )
    return what


def _try_may_clone(answers: Mapping[str, bool | None]) -> list[str]:
    if not isinstance(answers, Mapping):
        raise Wrong(f"the checker got {kind_of(answers)}; expected the dictionary of answers.")
    missing = [situation for situation in MAY_CLONE if answers.get(situation) is None]
    if missing:
        raise Wrong(f"{len(missing)} without an answer, such as {missing[0]!r}. Write True or False.")
    for situation, (allowed, reason) in MAY_CLONE.items():
        if not isinstance(answers[situation], (bool, np.bool_)):
            raise Wrong(f"{situation!r} has {answers[situation]!r}; expected True or False.")
        if bool(answers[situation]) != allowed:
            raise Wrong(f"{situation!r}: {reason}.")
    return [f"{situation}: {reason}" for situation, (_, reason) in MAY_CLONE.items()]
