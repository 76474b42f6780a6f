"""The commands that train: `tinyclone train` and `tinyclone finetune`."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tinyclone.distribution import STRATEGIES, is_chief
from tinyclone.presets import PRESETS, Preset, preset_named

if TYPE_CHECKING:
    from tinyclone.batching import BatchSequence
    from tinyclone.mel_speaker import Prediction
    from tinyclone.training_data import TrainingData

TRAIN_HELP = """Train a cloner of your own on the corpora in the folders PATH...

\b
Everything goes into the folder of --run: features, alignments, checkpoints, log.csv, sound to listen to
(auditions/) and events for TensorBoard. A run that was stopped, by whatever, goes on where it was: give
the same command again.

\b
Examples:
  tinyclone train datasets/tinyvoices --run runs/first
  tinyclone train data/LJSpeech-1.1 my_recordings --run runs/mine --epochs 30
  tinyclone train data/LibriSpeech --run /content/drive/MyDrive/run --cache features --preset gpu
  tinyclone train data/LJSpeech-1.1 --run runs/lj --dry-run          (only says what it would do)
"""


def _one_of_presets(context: click.Context, parameter: click.Parameter, name: str) -> Preset:
    return preset_named(name)


@click.command("train", help=TRAIN_HELP)
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", type=click.Path(path_type=Path))
@click.option(
    "--run",
    required=True,
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    help="Folder of this training; made if missing.",
)
@click.option(
    "--preset",
    default="laptop",
    show_default=True,
    callback=_one_of_presets,
    metavar="|".join(PRESETS),
    help="; ".join(f"{one.name}: {one.purpose}" for one in PRESETS.values()),
)
@click.option("--epochs", type=click.IntRange(min=1), help="How many; a checkpoint after each.")
@click.option("--steps-per-epoch", type=click.IntRange(min=1), help="Steps between two checkpoints.")
@click.option("--cache", metavar="FOLDER", type=click.Path(path_type=Path), help="Where features are kept.")
@click.option("--max-seconds", type=click.FloatRange(min=1, max=60), help="Longer clips are left out.")
@click.option(
    "--held-out-fraction",
    type=click.FloatRange(0, 0.5, min_open=True),
    default=0.05,
    show_default=True,
    help="Share of the sentences kept for validation and listening.",
)
@click.option("--pseudo-speakers", type=click.IntRange(0, 8), help="Copies of each clip in other voices.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of every choice.")
@click.option("--mixed-precision/--no-mixed-precision", default=None, help="Compute in half precision.")
@click.option(
    "--ema",
    type=click.FloatRange(0, 1, max_open=True),
    help="Momentum of the averaged weights that are kept; 0 for none.",
)
@click.option(
    "--strategy",
    default="none",
    show_default=True,
    metavar="|".join(STRATEGIES),
    help="mirrored: all GPUs of this machine; multiworker: all machines of TF_CONFIG.",
)
@click.option(
    "--audition-every", type=click.IntRange(min=1), default=1, show_default=True, help="Epochs between two."
)
@click.option("--dry-run", is_flag=True, help="Prepare and align, say what would be trained, and stop.")
def train_command(
    paths: tuple[Path, ...],
    run: Path,
    preset: Preset,
    epochs: int | None,
    steps_per_epoch: int | None,
    cache: Path | None,
    max_seconds: float | None,
    held_out_fraction: float,
    pseudo_speakers: int | None,
    seed: int,
    mixed_precision: bool | None,
    ema: float | None,
    strategy: str,
    audition_every: int,
    dry_run: bool,
) -> None:
    """Train a cloner of your own on the corpora in the folders PATH..."""
    from dataclasses import replace

    from tinyclone.corpora import load_corpus
    from tinyclone.distribution import training_scope
    from tinyclone.pretrained import import_cloner_module

    chosen = {
        "epochs": epochs,
        "steps_per_epoch": steps_per_epoch,
        "max_seconds": max_seconds,
        "pseudo_speakers": pseudo_speakers,
        "mixed_precision": mixed_precision,
        "ema_momentum": ema,
    }
    preset = replace(preset, **{name: value for name, value in chosen.items() if value is not None})
    # What can be refused at once is refused before TensorFlow is loaded and sound is read.
    corpora = [load_corpus(path) for path in paths]
    with training_scope(strategy):  # before anything is computed, as TensorFlow wants it
        pass
    import_cloner_module()
    from tinyclone.fitting import require_writable
    from tinyclone.training_data import gather

    require_writable(run)
    data = gather(
        corpora,
        run,
        cache=cache,
        held_out_fraction=held_out_fraction,
        pseudo_speakers=preset.pseudo_speakers,
        max_seconds=preset.max_seconds,
        config=preset.config.audio,
        say=click.echo,
    )
    _train(data, run, preset, seed=seed, strategy=strategy, every=audition_every, dry_run=dry_run)


def _train(
    data: TrainingData, run: Path, preset: Preset, *, seed: int, strategy: str, every: int, dry_run: bool
) -> None:
    from tinyclone.batching import BatchSequence
    from tinyclone.callbacks import Auditions, Forecast, TensorBoardLog
    from tinyclone.errors import CorpusError
    from tinyclone.training import train_cloner

    made = {"config": preset.config, "buckets": preset.buckets, "max_seconds": preset.max_seconds}
    alignments = data.aligned.alignments
    batches = BatchSequence(data.training, alignments, steps=preset.steps, seed=seed, **made)
    try:
        validation = BatchSequence(
            data.held_out,
            alignments,
            speakers=list(batches.speaker_number),
            steps=8,
            seed=seed + 1,
            **made,
        )
    except CorpusError:
        click.echo("Too little is held out to validate on; a larger --held-out-fraction would change that.")
        validation = None
    click.echo(_summary(data, batches, validation, preset))
    if dry_run:
        return
    references, texts = data.auditions()
    auditions = Auditions(
        run / "auditions", references=references, texts=texts, every=every, scorer=data.scorer(), draw=_draw
    )
    callbacks = [auditions, Forecast(say=click.echo)]
    if is_chief() and find_spec("tensorflow") is not None:
        folder, steps = run / "events", preset.steps_per_epoch
        callbacks.append(TensorBoardLog(folder, steps_per_epoch=steps, auditions=auditions))
    train_cloner(
        run,
        batches,
        config=preset.config,
        epochs=preset.epochs,
        validation=validation,
        learning_rate=preset.learning_rate,
        warmup_steps=min(preset.warmup_steps, preset.steps // 4),
        callbacks=callbacks,
        ema_momentum=preset.ema_momentum or None,
        mixed_precision=preset.mixed_precision,
        strategy=strategy,
    )
    weights = run / "cloner.npz"
    click.echo(
        f"The model is in {weights}; its auditions are in {run / 'auditions'}. Speak with it:\n"
        f'  tinyclone clone "Hello there." --weights {weights} --voice me.wav --out hello.wav \\\n'
        '      --consent "I am Ana Lopez and this is my own voice."'
    )


def _summary(
    data: TrainingData, batches: BatchSequence, validation: BatchSequence | None, preset: Preset
) -> str:
    from tinyclone.training_data import describe_rejected

    voices = [name for name in batches.speaker_number if "@" not in name]
    copies = len(batches.speaker_number) - len(voices)
    held_out_minutes = 0.0 if validation is None else validation.seconds / 60
    lines = [
        f"{len(voices)} voices{f' and {copies} perturbed copies of them' if copies else ''}, "
        f"{batches.seconds / 60:.0f} minutes to learn from, {held_out_minutes:.1f} held out; "
        f"{data.skipped} clips could not be used, {len(data.aligned.rejected)} do not fit their texts.",
        f"{preset.steps:,} steps of about {preset.buckets[0][0] * preset.buckets[0][2]:,} frames, "
        f"a checkpoint every {preset.steps_per_epoch}; preset {preset.name}"
        f"{', mixed precision' if preset.mixed_precision else ''}. After 20 steps it says how long it takes.",
    ]
    if data.aligned.rejected:
        lines.insert(1, describe_rejected(data.aligned.rejected.items()))
    return "\n".join(lines)


def _draw(path: Path, prediction: Prediction, text: str) -> None:
    """Draw the mel of an audition with its durations."""
    from matplotlib.figure import Figure

    from tinyclone.plots import plot_durations, plot_mel, save_figure
    from tinyclone.text import decode, encode

    figure = Figure(figsize=(10, 3), layout="constrained")
    axis = plot_mel(prediction.mel, title=text.replace("$", r"\$"), axis=figure.subplots())
    plot_durations(axis, prediction.durations, decode(encode(text)))
    save_figure(path, figure)


FINETUNE_HELP = """Adapt the weights to one speaker, from minutes of their speech.

\b
FOLDER holds recordings of one speaker and their texts: metadata.csv beside wavs/, or one .txt beside
each recording. 5 to 20 minutes are best. A tenth of the sentences is held out, spoken before and after,
and compared with the recordings. A run that was stopped goes on: give the same command again.

\b
Examples:
  tinyclone finetune --voice my_recordings --out runs/me --consent "I am Ana Lopez and this is my own voice."
  tinyclone finetune --voice data/LJSpeech-1.1 --out runs/lj --minutes 10 --consent "Linda Johnson agreed."
  tinyclone clone "Hello there." --voice runs/me/voice.npz --weights runs/me/cloner.npz --out hello.wav
"""
FOLDER_OR_FILE = click.Path(path_type=Path)


@click.command("finetune", help=FINETUNE_HELP)
@click.option("--voice", required=True, metavar="FOLDER", type=FOLDER_OR_FILE, help="Speech of one speaker.")
@click.option("--out", required=True, metavar="RUN", type=FOLDER_OR_FILE, help="Folder for all that is made.")
@click.option("--consent", metavar="SENTENCE", help="Who agreed to the cloning; needed.")
@click.option("--minutes", type=click.FloatRange(0, 600), default=15.0, help="Speech to use at most.")
@click.option("--initial", metavar="WEIGHTS", type=FOLDER_OR_FILE, help="A cloner.npz to start from.")
@click.option("--steps", type=click.IntRange(min=1), help="Training steps; 80 a minute of speech by default.")
def finetune_command(
    voice: Path, out: Path, consent: str | None, minutes: float, initial: Path | None, steps: int | None
) -> None:
    """Adapt the weights to one speaker, from minutes of their speech."""
    from tinyclone.voice import require_consent

    require_consent(consent)  # before TensorFlow is loaded
    from tinyclone.pretrained import import_cloner_module

    import_cloner_module()
    from tinyclone.finetuning import finetune

    made = finetune(
        voice, out, consent=consent, minutes=minutes, initial=initial, steps=steps, say=click.echo
    )
    click.echo(f"\n{made.table()}\n")
    click.echo(f"Listen to {made.samples}: 1_before.wav, 1_after.wav and 1_recording.wav say the same.")
    click.echo(f"Speak: tinyclone clone TEXT --voice {made.voice} --weights {made.weights} --out hello.wav")
