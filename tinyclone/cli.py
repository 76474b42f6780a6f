"""The command line: `tinyclone clone`, `voices`, `doctor`, `demo`."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tinyclone import __version__
from tinyclone.commands_corpora import fetch_command, inspect_command, prepare_command
from tinyclone.commands_training import finetune_command, train_command
from tinyclone.errors import AudioError, TinycloneError, VoiceError

if TYPE_CHECKING:
    from tinyclone.mel_speaker import MelSpeaker
    from tinyclone.voice import Voice
    from tinyclone.wave_speaker import WaveSpeaker

USER_MISTAKE = 2
SOUND_SUFFIXES = (".wav", ".flac", ".ogg")

CLONE_HELP = """Speak TEXT with a voice and save the sound.

\b
The voice is one of:
  a name from `tinyclone voices`,
  a recording of 3-15 s of one speaker, with --consent saying who agreed,
  a .npz file written by Voice.save.

\b
Examples:
  tinyclone clone "Hello there." --voice lj --out hello.wav
  tinyclone clone "Hello there." --voice me.wav --out me_hello.wav \\
      --consent "I am Ana Lopez and this is my own voice."
  tinyclone clone "Hello there." --voice me.wav --weights my_run/cloner.npz --out mine.wav \\
      --consent "I am Ana Lopez and this is my own voice."
  tinyclone clone "Slowly now." --voice kathleen --speed 0.8 --out slow.wav --plot slow.png
  tinyclone clone - --voice lj --out book.wav < book.txt   (- reads standard input)
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0, 1 (doctor found a fault) or 2 (a mistake)."""
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning
        try:
            result = commands.main(args=arguments, prog_name="tinyclone", standalone_mode=False)
            return result if isinstance(result, int) else 0
        except click.ClickException as error:
            return _fail(error.format_message())
        except TinycloneError as error:
            return _fail(str(error))
        except click.Abort:
            click.echo("Stopped.", err=True)
            return 130


@click.group(
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="tinyclone", message="%(prog)s %(version)s")
@click.pass_context
def commands(context: click.Context) -> None:
    """Clone a voice: text and a few seconds of speech in, that voice speaking the text out.

    \b
    Examples:
      tinyclone demo
      tinyclone voices
      tinyclone clone "Hello there." --voice lj --out hello.wav
      tinyclone doctor
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@commands.command("clone", help=CLONE_HELP)
@click.argument("text")
@click.option("--voice", "voice_name", required=True, metavar="NAME_OR_FILE", help="Who speaks.")
@click.option("--out", required=True, metavar="FILE", type=click.Path(path_type=Path), help="Sound to write.")
@click.option("--consent", metavar="SENTENCE", help="Who agreed to the cloning; needed with a recording.")
@click.option(
    "--speed", type=click.FloatRange(0.5, 2.0), default=1.0, show_default=True, help="2 is twice as fast."
)
@click.option(
    "--pitch-shift",
    type=click.FloatRange(-12, 12),
    default=0.0,
    show_default=True,
    help="Semitones to raise by.",
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Same seed, same samples."
)
@click.option("--plot", metavar="FILE", type=click.Path(path_type=Path), help="Draw mel, durations and wave.")
@click.option(
    "--weights", metavar="FILE", type=click.Path(path_type=Path), help="A cloner.npz that you trained."
)
@click.option(
    "--vocoder",
    "vocoder_name",
    metavar="NAME_OR_FILE",
    help="griffin-lim, or a vocoder.npz that you trained, instead of the shipped vocoder.",
)
def clone_command(
    text: str,
    voice_name: str,
    out: Path,
    consent: str | None,
    speed: float,
    pitch_shift: float,
    seed: int,
    plot: Path | None,
    weights: Path | None,
    vocoder_name: str | None,
) -> None:
    """Speak TEXT with a voice and save the sound."""
    # Everything that can be refused at once is refused before the slow part begins.
    check_sound_path(out)
    if plot is not None:
        from tinyclone.plots import check_plot_path

        check_plot_path(plot)
    text = _read_text() if text == "-" else text
    _require_speakable(text)
    vocoder = find_vocoder(vocoder_name)
    from tinyclone.pretrained import load_speaker
    from tinyclone.synthesis import clone

    cloner = load_speaker(weights) if weights is not None else None
    voice = find_voice(voice_name, consent=consent, cloner=cloner)
    changes = {"speed": speed, "pitch_shift": pitch_shift, "seed": seed}
    speech = clone(text, voice, **changes, cloner=cloner, vocoder=vocoder)
    speech.save(out)
    click.echo(f"{out}: {speech.duration_sec:.1f} s, spoken by {voice.name}.")
    if plot is not None:
        from tinyclone.plots import save_speech_plot

        save_speech_plot(plot, speech)
        click.echo(f"{plot}: mel with durations, and wave.")


@commands.command("voices")
def voices_command() -> None:
    """List the voices that come with the package.

    \b
    Example:
      tinyclone voices
    """
    from tinyclone.voice import shipped_voices

    for voice in shipped_voices().values():
        click.echo(f"{voice.name:<20} {voice.source}")


@commands.command("doctor")
def doctor_command() -> int:
    """Check the installation: an OK or FAIL line for each part, and what to do about it.

    \b
    Example:
      tinyclone doctor
    """
    from tinyclone.doctor import examine

    faults = 0
    for finding in examine():
        click.echo(finding.line())
        faults += not finding.ok
    click.echo("All is well." if not faults else f"{faults} of the parts above failed; begin with the first.")
    return 1 if faults else 0


@commands.command("demo")
@click.option(
    "--out",
    "folder",
    default=Path("outputs"),
    show_default=True,
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    help="Folder for the sounds and the picture; made if missing.",
)
def demo_command(folder: Path) -> None:
    """Hear a named voice and a cloned one, and see what they are made of.

    \b
    Example:
      tinyclone demo
    """
    from tinyclone.demo import run_demo

    run_demo(folder, say=click.echo)


for command in (fetch_command, inspect_command, prepare_command, train_command, finetune_command):
    commands.add_command(command)


def find_voice(name_or_file: str, *, consent: str | None = None, cloner: MelSpeaker | None = None) -> Voice:
    """Return the voice of a name, a voice file or a recording.

    Parameters
    ----------
    name_or_file : str
        A name of `tinyclone voices`, a ``.npz`` file of `Voice.save`, or any recording.
    consent : str, optional
        Needed with a recording.
    cloner : MelSpeaker, optional
        The model that listens to a recording; the shipped one if not given.

    Returns
    -------
    Voice

    Raises
    ------
    VoiceError
        If it is neither a name nor a file.
    """
    from tinyclone.voice import Voice, shipped_voices

    path = Path(name_or_file)
    if path.suffix.lower() == ".npz":
        return Voice.load(path)
    looks_like_file = path.suffix != "" or len(path.parts) > 1
    if looks_like_file or path.is_file():
        return Voice.from_recording(path, consent=consent, cloner=cloner)
    names = shipped_voices()
    if name_or_file in names:
        return names[name_or_file]
    raise VoiceError(
        f"There is no voice and no file named {name_or_file!r}. The voices are {', '.join(names)}; "
        "a recording is given with its path, such as me.wav."
    )


def find_vocoder(name_or_file: str | None) -> WaveSpeaker | str | None:
    """Return what `tinyclone.synthesis.clone` takes as a vocoder, or refuse what is none."""
    from tinyclone.synthesis import GRIFFIN_LIM

    if name_or_file in (None, GRIFFIN_LIM):
        return name_or_file
    if not name_or_file.endswith(".npz"):
        raise click.BadParameter(f"got --vocoder {name_or_file}; expected {GRIFFIN_LIM} or a .npz file.")
    from tinyclone.vocoder_weights import load_wave_speaker

    return load_wave_speaker(name_or_file)


def check_sound_path(path: Path) -> None:
    """Raise `AudioError` if no sound can be written there, before seconds are spent on making it."""
    if path.suffix.lower() not in SOUND_SUFFIXES:
        raise AudioError(f"Sound is saved as {', '.join(SOUND_SUFFIXES)}, but {path} was asked for.")
    if path.is_dir():
        raise AudioError(f"{path} is a folder. Give the name of a file in it, such as {path / 'speech.wav'}.")
    if not path.parent.is_dir():
        raise AudioError(f"There is no folder {path.parent}. Make it first, or choose another --out.")
    if not os.access(path.parent, os.W_OK):
        raise AudioError(f"The folder {path.parent} cannot be written in. Choose another --out.")


def _read_text() -> str:
    try:
        # Read as bytes: a terminal may be set to another encoding than the file that is piped in.
        return sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise click.UsageError("The text from standard input is not UTF-8. Save it as UTF-8.") from error


def _require_speakable(text: str) -> None:
    from tinyclone.text import encode

    with warnings.catch_warnings():
        # The same warnings come, once, when the text is spoken.
        warnings.simplefilter("ignore")
        encode(text)


def _fail(message: str) -> int:
    click.echo(f"Error: {' '.join(message.split())}", err=True)
    return USER_MISTAKE


def _show_warning(message: Warning | str, category: type[Warning], *_: object, **__: object) -> None:
    if issubclass(category, UserWarning):
        click.echo(f"Warning: {' '.join(str(message).split())}", err=True)


if __name__ == "__main__":
    sys.exit(main())
