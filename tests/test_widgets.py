from __future__ import annotations

import base64
import io

import numpy as np
import pytest
import soundfile
from fake_cloner import VOICEPRINT_SIZE, FakeCloner, speech_like

from tinyclone import widgets
from tinyclone.errors import AudioError, ConsentError
from tinyclone.listening import BlindTest
from tinyclone.voice import Voice

CONSENT = "I am Ana Lopez and this is my own voice."


def recording() -> bytes:
    file = io.BytesIO()
    soundfile.write(file, speech_like(3), 16000, format="WAV")
    return file.getvalue()


def version_7(name: str, content: bytes) -> dict:
    return {name: {"metadata": {"name": name, "size": len(content)}, "content": content}}


def version_8(name: str, content: bytes) -> tuple:
    return ({"name": name, "type": "audio/wav", "size": len(content), "content": memoryview(content)},)


@pytest.mark.parametrize("upload", [version_7, version_8])
def test_both_versions_of_file_upload(upload):
    assert widgets.uploaded_files(upload("a.wav", b"abc")) == [("a.wav", b"abc")]
    voice = widgets.voice_from_upload(
        upload("C:\\me\\ana.wav", recording()), consent=CONSENT, cloner=FakeCloner()
    )
    assert (voice.name, voice.source) == ("ana", "ana.wav")


@pytest.mark.parametrize("upload", [version_7, version_8])
@pytest.mark.parametrize("name", ["me.wav", "C:\\fakepath\\me.wav", "../../me.wav"])
def test_an_upload_is_saved_under_its_own_name(tmp_path, upload, name):
    path = widgets.save_upload(upload(name, b"abc"), tmp_path / "new")
    assert path == tmp_path / "new" / "me.wav"
    assert path.read_bytes() == b"abc"


@pytest.mark.parametrize("empty", [{}, ()])
def test_nothing_is_saved_of_nothing(tmp_path, empty):
    assert widgets.save_upload(empty, tmp_path / "new") is None
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("empty", [{}, ()])
def test_nothing_uploaded(empty):
    with pytest.raises(AudioError, match="No recording"):
        widgets.voice_from_upload(empty, consent=CONSENT, cloner=FakeCloner())


def test_upload_without_consent():
    with pytest.raises(ConsentError):
        widgets.voice_from_upload(version_8("a.wav", recording()), consent="", cloner=FakeCloner())


def test_the_form_speaks_and_explains(monkeypatch):
    pytest.importorskip("ipywidgets")
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    voice = Voice("lj", np.zeros(VOICEPRINT_SIZE, np.float32), CONSENT, "LJ Speech")
    monkeypatch.setattr(widgets, "voice_names", lambda: ["lj"])
    monkeypatch.setattr(widgets.Voice, "named", lambda name: voice)
    form = widgets.clone_widget(cloner=FakeCloner())
    text, choice, button = form.children[0], form.children[1], form.children[5]
    text.value = "Good morning."
    button.click()
    assert shown[0].text == "Good morning."
    choice.value = choice.options[-1]
    button.click()
    assert len(shown) == 1


def blind_test() -> BlindTest:
    seconds = {"clone": (1, 2), "person <1>": (3, 4)}
    return BlindTest({name: [speech_like(one) for one in all] for name, all in seconds.items()}, seed=0)


class TestBlindTestForm:
    @pytest.fixture
    def form(self):
        pytest.importorskip("ipywidgets")
        return widgets.blind_test_widget(blind_test())

    def test_the_slider_says_what_a_mark_means(self, form):
        slider, meaning = form.children[2], form.children[3]
        assert meaning.value == "3 is fair"
        slider.value = 5
        assert meaning.value == "5 is excellent"
        assert (slider.min, slider.max) == (1, 5)

    def test_the_button_takes_the_mark_and_plays_the_next_sound(self, form):
        progress, player, slider, _, button, results = form.children
        assert (progress.value, form.marks) == ("Sound 1 of 4", [])
        first = player.value
        slider.value = 4
        button.click()
        assert (progress.value, form.marks) == ("Sound 2 of 4", [4])
        assert player.value != first
        assert results.value == ""

    def test_no_name_is_shown_before_the_end(self, form):
        shown = [child.value for child in form.children if isinstance(getattr(child, "value", None), str)]
        assert not any("clone" in text or "person" in text for text in shown)

    def test_at_the_end_comes_the_table_and_no_more_marks(self, form):
        progress, player, slider, _, button, results = form.children
        for mark in (5, 4, 3, 2, 1):
            slider.value = mark
            button.click()
        assert form.marks == [5, 4, 3, 2]
        assert "All 4 sounds" in progress.value
        assert (player.value, button.disabled) == ("", True)
        assert "clone" in results.value and "person &lt;1&gt;" in results.value
        assert blind_test().results(form.marks).keys() == {"clone", "person <1>"}


@pytest.mark.parametrize("formats, mime", [({"WAV": "", "MP3": ""}, "mpeg"), ({"WAV": ""}, "wav")])
def test_a_player_holds_its_sound(monkeypatch, formats, mime):
    real = soundfile.available_formats()
    if "MP3" not in real and mime == "mpeg":
        pytest.skip("this libsndfile writes no MP3")
    monkeypatch.setattr(soundfile, "available_formats", lambda: formats)
    made = widgets.audio_player(speech_like(1), label="a <b>")
    assert made.startswith("<div>a &lt;b&gt;</div><audio controls ")
    sound = base64.b64decode(made.split(f"data:audio/{mime};base64,")[1].split('"')[0])
    wav, rate_hz = soundfile.read(io.BytesIO(sound))
    assert rate_hz == 16000
    assert abs(len(wav) - len(speech_like(1))) <= 4000  # MP3 pads
