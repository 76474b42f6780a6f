"""The checkers know a right answer, and say of a wrong one what is wrong with it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fake_cloner import VOICEPRINT_SIZE, FakeCloner, Prediction

from tinyclone import pretrained
from tinyclone.errors import VoiceError
from tinyclone.exercises import MAY_CLONE, check_closest_voice, check_may_clone, check_speak_in, hearing
from tinyclone.synthesis import Voice, clone


class UnhurriedCloner(FakeCloner):
    """Takes so many frames for a token that rounding them hardly changes a duration."""

    def predict_mel(self, tokens, voiceprint, *, speed=1.0, pitch_shift_semitones=0.0) -> Prediction:
        durations = np.full(len(tokens), round(8 / speed), np.int64)
        durations[-1] += round(125 / speed) - durations.sum()
        mel = np.full((int(durations.sum()), 80), -3.0, np.float32)
        return Prediction(mel, durations, *[np.zeros(len(tokens))] * 2, np.zeros(len(mel)))


@pytest.fixture
def voice(monkeypatch) -> Voice:
    cloner = UnhurriedCloner()
    monkeypatch.setattr(pretrained, "load_speaker", lambda *_, **__: cloner)
    voiceprint = np.linspace(0, 1, VOICEPRINT_SIZE).astype(np.float32)
    return Voice("tester", voiceprint, "I am Ana Lopez and this is my own voice.", "nowhere")


def speak_in(text, voice, seconds):
    natural_sec = clone(text, voice).duration_sec
    return clone(text, voice, speed=natural_sec / seconds)


class TestSpeakIn:
    def test_a_right_answer(self, voice, capsys):
        assert check_speak_in(speak_in, voice=voice) is True
        printed = capsys.readouterr().out
        assert printed.count("OK") == len(hearing.SPEAK_IN_CASES)
        assert "Solved: speak_in." in printed

    def test_the_cases_need_a_faster_and_a_slower_speech(self, voice):
        natural = {clone(text, voice).duration_sec for text, _ in hearing.SPEAK_IN_CASES}
        wanted = [seconds for _, seconds in hearing.SPEAK_IN_CASES]
        assert min(wanted) < min(natural) and max(natural) < max(wanted)

    @pytest.mark.parametrize(
        "wrong, hint",
        [
            (lambda text, voice, seconds: clone(text, voice), "as long as at speed 1"),
            (
                lambda text, voice, seconds: clone(
                    text, voice, speed=seconds / clone(text, voice).duration_sec
                ),
                "turn the ratio over",
            ),
            (lambda text, voice, seconds: clone(text, voice, speed=1.25), "which speed makes 1.3 s of that"),
            (lambda text, voice, seconds: clone("Short.", voice), "it says 'Short.'"),
            (
                lambda text, voice, seconds: replace(
                    clone(text, voice), wav=np.zeros(int(16000 * seconds), np.float32)
                ),
                "cut or padded",
            ),
            (
                lambda text, voice, seconds: clone(text, voice).wav,
                "an object of type ndarray; expected Speech",
            ),
            (lambda text, voice, seconds: clone(text, voice, speed=9), "raised ValueError: speed is 9"),
            (lambda text, voice, seconds: None, "returned nothing"),
            (lambda text, voice, seconds: ..., "returned nothing"),
            (lambda text: None, "raised TypeError"),
            (None, "wants the function itself"),
        ],
    )
    def test_a_wrong_answer_gets_its_hint(self, voice, capsys, wrong, hint):
        assert check_speak_in(wrong, voice=voice) is False
        printed = capsys.readouterr().out
        assert printed.startswith("Not yet: ") and hint in printed
        assert "Solved" not in printed

    def test_an_error_of_tinyclone_is_passed_on(self, voice, capsys):
        def refused(text, voice, seconds):
            raise VoiceError("There is no voice named 'nobody'.")

        assert not check_speak_in(refused, voice=voice)
        assert "refused by tinyclone: There is no voice named 'nobody'." in capsys.readouterr().out


def cosine(a, b):
    return a @ b / (np.linalg.norm(a) * np.linalg.norm(b))


class TestClosestVoice:
    def test_a_right_answer(self, capsys):
        assert check_closest_voice(lambda v, voices: max(voices, key=lambda name: cosine(v, voices[name])))
        assert capsys.readouterr().out.count("OK") == 4

    @pytest.mark.parametrize(
        "wrong, hint",
        [
            (lambda v, voices: min(voices, key=lambda name: cosine(v, voices[name])), "the least similar"),
            (lambda v, voices: max(voices, key=lambda name: v @ voices[name]), "Divide the dot product"),
            (
                lambda v, voices: min(voices, key=lambda name: np.linalg.norm(v - voices[name])),
                "The distance depends",
            ),
            (lambda v, voices: max(voices, key=lambda name: abs(cosine(v, voices[name]))), "the sign"),
            (lambda v, voices: "ben", "chose 'ben'"),
            (lambda v, voices: "zoe", "expected one of the names: ada, ben"),
            (lambda v, voices: int(np.argmax([cosine(v, x) for x in voices.values()])), "of type int"),
            (lambda v, voices: None, "returned nothing"),
        ],
    )
    def test_a_wrong_answer_gets_its_hint(self, capsys, wrong, hint):
        assert check_closest_voice(wrong) is False
        printed = capsys.readouterr().out
        assert printed.startswith("Not yet: ") and hint in printed

    def test_a_function_that_spoils_what_it_gets_does_not_spoil_the_next_trial(self):
        def spoiling(v, voices):
            answer = max(voices, key=lambda name: cosine(v, voices[name]))
            v *= 0
            voices.clear()
            return answer

        assert check_closest_voice(spoiling)


class TestMayClone:
    def test_the_right_answers(self, capsys):
        assert check_may_clone({situation: allowed for situation, (allowed, _) in MAY_CLONE.items()})
        assert capsys.readouterr().out.count("OK") == len(MAY_CLONE)

    @pytest.mark.parametrize("situation", MAY_CLONE)
    def test_each_wrong_answer_gets_its_reason(self, capsys, situation):
        answers = {one: allowed for one, (allowed, _) in MAY_CLONE.items()}
        answers[situation] = not answers[situation]
        assert not check_may_clone(answers)
        assert MAY_CLONE[situation][1] in capsys.readouterr().out

    def test_there_are_both_kinds(self):
        assert {allowed for allowed, _ in MAY_CLONE.values()} == {True, False}

    def test_unanswered_and_strange_answers(self, capsys):
        assert not check_may_clone(dict.fromkeys(MAY_CLONE))
        assert f"{len(MAY_CLONE)} without an answer" in capsys.readouterr().out
        assert not check_may_clone({**{one: True for one in MAY_CLONE}, next(iter(MAY_CLONE)): "yes"})
        assert "expected True or False" in capsys.readouterr().out
        assert not check_may_clone([True, False])
        assert "expected the dictionary" in capsys.readouterr().out
