"""The commands that bring a corpus to a model: `tinyclone fetch`, `inspect` and `prepare`."""

from __future__ import annotations

from pathlib import Path

import click

from tinyclone.errors import CorpusError

FETCH_HELP = """Download the public corpus NAME, check it and unpack it.

\b
Without NAME it lists the corpora, how large they are and what their licences allow.

\b
What was cut, by the network or by Ctrl-C, goes on where it stopped: give the same command again.
A corpus that is there already is left as it is.

\b
Examples:
  tinyclone fetch
  tinyclone fetch ljspeech
  tinyclone fetch librispeech                      (its subset dev-clean, 340 MB)
  tinyclone fetch librispeech-train-clean-100 --folder /media/disk/corpora
  tinyclone fetch ljspeech --mirror https://example.org/corpora
  tinyclone fetch vctk --mirror ~/Downloads/VCTK-Corpus-0.92.zip
"""

INSPECT_HELP = """Read the corpus in the folder PATH and say what is in it, and what cannot be used and why.

\b
Examples:
  tinyclone inspect data/LJSpeech-1.1
  tinyclone inspect my_recordings --plot my_recordings.png
  tinyclone inspect data/LibriSpeech --limit 500 --json librispeech.json
"""

PREPARE_HELP = """Turn the corpora in the folders PATH... into features: tokens, mels and pitch for training.

\b
They are kept in the folder of --cache. Stop it whenever you like: the same command goes on where it
stopped. After a change of a recording, a text or a setting it makes anew what that concerns.

\b
Examples:
  tinyclone prepare data/LJSpeech-1.1 --cache features
  tinyclone prepare data/LJSpeech-1.1 my_recordings --cache features --workers 2
  tinyclone prepare data/LibriSpeech --cache features --pseudo-speakers 2 --max-seconds 20
  tinyclone prepare data/LJSpeech-1.1 --cache features --clean
"""


@click.command("fetch", help=FETCH_HELP)
@click.argument("name", required=False)
@click.option(
    "--folder",
    default=Path("data"),
    show_default=True,
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    help="Where corpora lie; made if missing.",
)
@click.option(
    "--mirror",
    metavar="URL_OR_PATH",
    help="Take the archive from here: its URL, the URL above it, a file or a folder.",
)
@click.option("--keep-archive", is_flag=True, help="Keep the downloaded archive after unpacking.")
@click.option("--quiet", is_flag=True, help="No progress bars, no messages.")
def fetch_command(
    name: str | None, folder: Path, mirror: str | None, keep_archive: bool, quiet: bool
) -> None:
    """Download the public corpus NAME, check it and unpack it."""
    from tinyclone.downloads import KNOWN, fetch

    if name is None:
        _list_corpora()
        return
    corpus = fetch(name, folder, mirror=mirror, keep_archive=keep_archive, quiet=quiet)
    licence = f" Licence: {KNOWN[name].licence}, see {KNOWN[name].page}." if name in KNOWN else ""
    click.echo(f"{corpus} is ready.{licence} Next: tinyclone inspect {corpus}")


def _list_corpora() -> None:
    from tinyclone.downloads import KNOWN
    from tinyclone.transfers import readable_size

    for name, corpus in KNOWN.items():
        size = readable_size(corpus.size_bytes)
        alias = "" if name == corpus.name else f"  (the same as {corpus.name})"
        click.echo(f"{name:<28} {size:>8}  {corpus.licence}{alias}")
    click.echo(f"{'tinyvoices':<28} {'0 bytes':>8}  comes with tinyclone")
    click.echo(
        f"{'common-voice':<28} {'':>8}  with an account of yours; `tinyclone fetch common-voice` says how"
    )


@click.command("inspect", help=INSPECT_HELP)
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--plot", metavar="FILE", type=click.Path(path_type=Path), help="Draw histograms.")
@click.option(
    "--json",
    "json_file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write what is known of each clip.",
)
@click.option(
    "--limit", type=click.IntRange(min=1), help="Read only so many clips, from all over the corpus."
)
@click.option("--workers", type=click.IntRange(min=1), help="Processes; one for each core by default.")
def inspect_command(
    path: Path, plot: Path | None, json_file: Path | None, limit: int | None, workers: int | None
) -> None:
    """Read the corpus in the folder PATH and say what is in it."""
    # What cannot be written is refused before the corpus is read.
    if plot is not None:
        from tinyclone.plots import check_plot_path

        check_plot_path(plot)
    if json_file is not None and not json_file.parent.is_dir():
        raise CorpusError(f"There is no folder {json_file.parent}. Make it first, or choose another --json.")
    from tinyclone.inspection import inspect_corpus

    report = inspect_corpus(path, limit=limit, workers=workers)
    click.echo(str(report))
    if json_file is not None:
        import json

        from tinyclone.array_files import replace_file

        replace_file(json_file, json.dumps(report.to_dict(), indent=1).encode())
        click.echo(f"{json_file}: {len(report.clips)} clips.")
    if plot is not None:
        from matplotlib.figure import Figure

        from tinyclone.plots import plot_report, save_figure

        save_figure(plot, plot_report(report, figure=Figure()))
        click.echo(f"{plot}: histograms.")


@click.command("prepare", help=PREPARE_HELP)
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", type=click.Path(path_type=Path))
@click.option(
    "--cache",
    required=True,
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    help="Where features are kept; made if missing.",
)
@click.option("--workers", type=click.IntRange(min=1), help="Processes; one for each core by default.")
@click.option(
    "--pseudo-speakers",
    type=click.IntRange(0, 32),
    default=0,
    show_default=True,
    help="Copies of each clip as if a larger or a smaller person spoke.",
)
@click.option(
    "--max-seconds",
    type=click.FloatRange(min=1),
    default=30.0,
    show_default=True,
    help="Longer clips are left out.",
)
@click.option("--clean", is_flag=True, help="Delete what is stale in the cache.")
def prepare_command(
    paths: tuple[Path, ...],
    cache: Path,
    workers: int | None,
    pseudo_speakers: int,
    max_seconds: float,
    clean: bool,
) -> None:
    """Turn the corpora in the folders PATH... into features."""
    from tinyclone.config import AudioConfig
    from tinyclone.corpora import load_corpus
    from tinyclone.features import prepare

    # One after the other: a corpus keeps its files whatever it is prepared together with.
    for path, clips in [(path, load_corpus(path)) for path in paths]:
        store = prepare(
            clips,
            cache,
            pseudo_speakers=pseudo_speakers,
            workers=workers,
            max_seconds=max_seconds,
            clean=clean,
        )
        if not len(store):
            reasons = ", ".join(store.reasons)
            raise CorpusError(
                f"Not one of {len(clips)} clips in {path} can be used ({reasons}). "
                f"Look at them with: tinyclone inspect {path}"
            )
        minutes = store.n_frames / AudioConfig().frames_per_sec / 60
        click.echo(f"{path}: the features of {len(store):,} clips, {minutes:.1f} minutes, are in {cache}.")
