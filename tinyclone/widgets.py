"""What a notebook lets one click: upload a recording, type a sentence, hear the clone."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinyclone.errors import AudioError, TinycloneError
from tinyclone.synthesis import Voice, clone
from tinyclone.voice import voice_names

if TYPE_CHECKING:
    from ipywidgets import VBox

    from tinyclone.cloner import Cloner


def uploaded_files(value: Any) -> list[tuple[str, bytes]]:
    """Read the `value` of an ipywidgets FileUpload, of version 7 (Colab) or 8.

    Parameters
    ----------
    value : dict or tuple
        Version 7 gives a dictionary from name to content, version 8 a tuple of dictionaries.

    Returns
    -------
    list of (str, bytes)
        Name and content of each file.

    Notes
    -----
    Lesson: lessons/08_your_own_voice.ipynb
    """
    if isinstance(value, Mapping):
        return [(name, bytes(entry["content"])) for name, entry in value.items()]
    return [(entry["name"], bytes(entry["content"])) for entry in value]


def voice_from_upload(value: Any, *, consent: str | None, cloner: Cloner | None = None) -> Voice:
    """Make a voice from the last file of a FileUpload; raises what `Voice.from_recording` raises.

    Notes
    -----
    Lesson: lessons/08_your_own_voice.ipynb
    """
    files = uploaded_files(value)
    if not files:
        raise AudioError("No recording was uploaded. Press Upload and choose 3-15 s of one speaker.")
    name, content = files[-1]
    with tempfile.TemporaryDirectory() as folder:
        # Only the last part of the name: a browser may send a whole path.
        path = Path(folder) / (Path(name.replace("\\", "/")).name or "recording")
        path.write_bytes(content)
        return Voice.from_recording(path, consent=consent, cloner=cloner)


def clone_widget(*, cloner: Cloner | None = None) -> VBox:
    """Return a form: a sentence, a named voice or an uploaded recording with consent, and a button.

    Parameters
    ----------
    cloner : Cloner, optional
        The model that speaks; the shipped one if not given.

    Returns
    -------
    ipywidgets.VBox
        Show it as the last line of a cell.

    Notes
    -----
    Lesson: lessons/08_your_own_voice.ipynb
    """
    import ipywidgets
    from IPython.display import display

    own = "the uploaded recording"
    text = ipywidgets.Textarea(value="Hello there.", description="Text")
    voice = ipywidgets.Dropdown(options=[*voice_names(), own], description="Voice")
    upload = ipywidgets.FileUpload(accept="audio/*", multiple=False)
    consent = ipywidgets.Text(placeholder="I am ... and this is my own voice.", description="Consent")
    speed = ipywidgets.FloatSlider(value=1.0, min=0.5, max=2.0, step=0.05, description="Speed")
    button = ipywidgets.Button(description="Speak", button_style="primary")
    output = ipywidgets.Output()

    def speak(_: object) -> None:
        output.clear_output()
        with output:
            try:
                chosen = (
                    voice_from_upload(upload.value, consent=consent.value, cloner=cloner)
                    if voice.value == own
                    else Voice.named(voice.value)
                )
                display(clone(text.value, chosen, speed=speed.value, cloner=cloner))
            except TinycloneError as error:
                print(error)

    button.on_click(speak)
    return ipywidgets.VBox([text, voice, upload, consent, speed, button, output])
