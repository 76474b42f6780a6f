"""`make demo`: hear a named voice and a cloned one, see what they are made of, learn where to go next."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tinyclone.errors import TinycloneError

NAMED_VOICE = "lj"
NAMED_TEXT = "Hello! I learned to speak from recordings of one reader, and now I can read you any sentence."
CLONED_TEXT = "This voice was cloned from a few seconds of sound that I had never heard before."
CONSENT = "The recording was made by the tinyclone project with flite, for anyone to clone."


def run_demo(folder: str | Path = "outputs", *, say: Callable[[str], object] = print) -> dict[str, float]:
    """Speak, clone, draw, and explain.

    Parameters
    ----------
    folder : str or Path
        Where ``demo.wav``, ``demo_cloned.wav`` and ``demo.png`` go; made if missing.
    say : callable
        Takes each line that is printed.

    Returns
    -------
    dict of str to float
        Seconds that each part took.

    Raises
    ------
    TinycloneError
        If the folder cannot be made, or the package's files are damaged.

    Notes
    -----
    Lesson: lessons/00_hear_it_first.ipynb
    """
    folder = _make_folder(Path(folder))
    seconds: dict[str, float] = {}
    with _part("load the weights", seconds, say):
        from tinyclone import pretrained

        cloner = pretrained.load_speaker()
        config = cloner.config.audio
    with _part(f"speak with the voice {NAMED_VOICE!r}", seconds, say):
        from tinyclone.synthesis import clone
        from tinyclone.voice import Voice

        named_speech = clone(NAMED_TEXT, Voice.named(NAMED_VOICE), cloner=cloner)
        named_speech.save(folder / "demo.wav")
    with _part("listen to a new voice", seconds, say):
        from tinyclone.corpora import demo_reference
        from tinyclone.mel import log_mel
        from tinyclone.voice import read_reference

        reference_path = demo_reference()
        voice = Voice.from_recording(reference_path, consent=CONSENT, cloner=cloner)
        reference_mel = log_mel(read_reference(reference_path, config=config), config=config)
    with _part("speak with the new voice", seconds, say):
        cloned_speech = clone(CLONED_TEXT, voice, cloner=cloner)
        cloned_speech.save(folder / "demo_cloned.wav")
    with _part("draw the picture", seconds, say):
        from tinyclone.plots import save_speech_plot

        save_speech_plot(folder / "demo.png", cloned_speech, reference_mel=reference_mel, config=config)
    spoken_sec = named_speech.duration_sec + cloned_speech.duration_sec
    say(f"In all {sum(seconds.values()):.1f} s, for {spoken_sec:.1f} s of speech")
    say(_guide(folder, reference_path))
    return seconds


def _guide(folder: Path, reference_path: Path) -> str:
    return f"""
Listen:
  {reference_path}
      the recording that was cloned: a voice that training never heard
  {folder / "demo_cloned.wav"}
      another sentence in that voice. Is its pitch the same? Its colour? What got lost?
  {folder / "demo.wav"}
      a voice that training did hear, for 40 minutes. What is clearer here?
  Both sound a little muffled: the model's mel is smoother than a real one, and the vocoder can only
  make a wave of what it is given. The lessons show where that comes from.
Look:
  {folder / "demo.png"}
      above: the mel that the cloner heard. Middle: the mel that it made, each token between its
      borders; compare the spacing of the stripes, which is the pitch. Below: the wave.
Next:
  tinyclone voices        the other voices (in a checkout: .venv/bin/tinyclone voices)
  tinyclone clone "Your sentence." --voice me.wav --out mine.wav \\
      --consent "I am ... and this is my own voice."
  lessons/00_hear_it_first.ipynb   the same road, one step at a time (in a checkout: make lab)"""


def _make_folder(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TinycloneError(f"Cannot make the folder {folder}: {error.strerror}. Choose another.") from error
    return folder


@contextmanager
def _part(name: str, seconds: dict[str, float], say: Callable[[str], object]) -> Iterator[None]:
    say(f"{name[0].upper()}{name[1:]} ...")
    started = time.perf_counter()
    yield
    seconds[name] = time.perf_counter() - started
    say(f"    {seconds[name]:.1f} s")
