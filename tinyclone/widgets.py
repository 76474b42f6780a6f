"""What a notebook lets one click: upload a recording, type a sentence, hear the clone, mark sounds."""

from __future__ import annotations

import base64
import html
import io
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tinyclone.errors import AudioError, TinycloneError
from tinyclone.listening import MEANINGS, BlindTest
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


def save_upload(value: Any, folder: str | Path) -> Path | None:
    """Write the last file of a FileUpload into a folder, under its own name.

    Parameters
    ----------
    value : dict or tuple
        As in `uploaded_files`.
    folder : str or Path
        Made if missing.

    Returns
    -------
    Path or None
        The file, or None if nothing was uploaded.

    Notes
    -----
    Lesson: lessons/08_your_own_voice.ipynb
    """
    files = uploaded_files(value)
    if not files:
        return None
    name, content = files[-1]
    # Only the last part of the name: a browser may send a whole path.
    path = Path(folder) / (Path(name.replace("\\", "/")).name or "recording")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def voice_from_upload(value: Any, *, consent: str | None, cloner: Cloner | None = None) -> Voice:
    """Make a voice from the last file of a FileUpload; raises what `Voice.from_recording` raises.

    Notes
    -----
    Lesson: lessons/08_your_own_voice.ipynb
    """
    with tempfile.TemporaryDirectory() as folder:
        path = save_upload(value, folder)
        if path is None:
            raise AudioError("No recording was uploaded. Press Upload and choose 3-15 s of one speaker.")
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


def blind_test_widget(test: BlindTest) -> VBox:
    """Return a form that plays the sounds of a blind test one by one and takes a mark for each.

    Parameters
    ----------
    test : BlindTest

    Returns
    -------
    ipywidgets.VBox
        Show it as the last line of a cell. Its list ``marks`` holds the marks that were given, in the
        order in which the sounds were played: what `BlindTest.results` takes. After the last mark the
        form shows the table.

    Notes
    -----
    Lesson: lessons/08_your_own_voice.ipynb
    """
    import ipywidgets

    progress, player = ipywidgets.HTML(), ipywidgets.HTML()
    mark = ipywidgets.IntSlider(value=3, min=min(MEANINGS), max=max(MEANINGS), description="Mark")
    meaning, results = ipywidgets.HTML(), ipywidgets.HTML()
    button = ipywidgets.Button(description="Give this mark", button_style="primary")
    form = ipywidgets.VBox([progress, player, mark, meaning, button, results])
    form.marks = []

    def say_meaning(_: object = None) -> None:
        meaning.value = f"{mark.value} is {MEANINGS[mark.value]}"

    def play() -> None:
        number = len(form.marks)
        if number < len(test):
            progress.value = f"Sound {number + 1} of {len(test)}"
            player.value = audio_player(test.sound(number), sample_rate_hz=test.config.sample_rate_hz)
        else:
            progress.value, player.value = f"All {len(test)} sounds are marked. Thank you.", ""
            results.value = f"<pre>{html.escape(test.table(form.marks))}</pre>"
            button.disabled = mark.disabled = True

    def give(_: object) -> None:
        if len(form.marks) < len(test):
            form.marks.append(mark.value)
            play()

    mark.observe(say_meaning, names="value")
    button.on_click(give)
    say_meaning()
    play()
    return form


def audio_player(wav: np.ndarray, *, sample_rate_hz: int = 16000, label: str = "") -> str:
    """Return the HTML of a small player with its sound inside.

    Parameters
    ----------
    wav : np.ndarray [shape=(N,), float32 in [-1, 1]]
    sample_rate_hz : int
    label : str
        Shown above the player.

    Returns
    -------
    str
        The sound is packed as MP3, or as WAV where libsndfile cannot write MP3.

    Notes
    -----
    Lesson: lessons/08_your_own_voice.ipynb
    """
    import soundfile

    kind, mime = ("MP3", "mpeg") if "MP3" in soundfile.available_formats() else ("WAV", "wav")
    file = io.BytesIO()
    soundfile.write(file, wav, sample_rate_hz, format=kind)
    sound = base64.b64encode(file.getvalue()).decode()
    caption = f"<div>{html.escape(label)}</div>" if label else ""
    return f'{caption}<audio controls src="data:audio/{mime};base64,{sound}"></audio>'
