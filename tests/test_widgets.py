from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile
from fake_cloner import VOICEPRINT_SIZE, FakeCloner, speech_like

from tinyclone import widgets
from tinyclone.errors import AudioError, ConsentError
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
