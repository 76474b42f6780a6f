from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import namedtuple
from dataclasses import asdict, replace
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from archive_server import ArchiveServer, lj_files, md5, noise, tar_of, zip_of

from tinyclone import cli, downloads, transfers
from tinyclone.commands_corpora import fetch_command
from tinyclone.corpora import load_corpus, tinyvoices_folder
from tinyclone.downloads import KNOWN, NAMES, Download, fetch
from tinyclone.errors import CorpusError

REPOSITORY = Path(__file__).resolve().parent.parent
ARCHIVE = tar_of(lj_files())
NAME = "LJSpeech-1.1.tar.bz2"
WITHOUT_ROOM = namedtuple("usage", "total used free")
SUBSETS = {
    "dev-clean", "dev-other", "test-clean", "test-other",
    "train-clean-100", "train-clean-360", "train-other-500",
}  # fmt: skip


def know(monkeypatch, name: str, archive: bytes, urls: tuple[str, ...], **changes) -> Download:
    """Let a corpus of the list be this small archive."""
    options = {"unpacked_bytes": 2 * len(archive), "recordings": 3, **changes}
    known = replace(KNOWN[name], urls=urls, checksum=md5(archive), size_bytes=len(archive), **options)
    monkeypatch.setitem(KNOWN, name, known)
    return known


@pytest.fixture
def server(monkeypatch):
    """Serve a small LJ Speech, which is then what `fetch("ljspeech")` gets."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(transfers, "WAITS_SEC", (0.0, 0.0, 0.0))
    server = ArchiveServer()
    server.files[NAME] = ARCHIVE
    know(monkeypatch, "ljspeech", ARCHIVE, (server.url(NAME),))
    yield server
    server.close()


@pytest.fixture
def data(tmp_path) -> Path:
    return tmp_path / "data"


def left(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


def clip_ids(folder: Path) -> list[str]:
    return [clip.id for clip in load_corpus(folder)]


# The list of corpora


def test_every_corpus_that_is_promised_is_known():
    subsets = {f"librispeech-{subset}" for subset in SUBSETS}
    assert set(NAMES) == {"ljspeech", "librispeech", "vctk", "tinyvoices", "common-voice"} | subsets
    assert KNOWN["librispeech"] is KNOWN["librispeech-dev-clean"]


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_an_entry_of_the_list_can_be_used(name):
    known = KNOWN[name]
    assert known.urls and all(url.startswith("https://") for url in known.urls)
    assert any(url.endswith(f"/{known.filename}") for url in known.urls)
    algorithm, _, digest = known.checksum.partition(":")
    assert re.fullmatch({"md5": "[0-9a-f]{32}", "sha256": "[0-9a-f]{64}"}[algorithm], digest)
    assert known.unpacked_bytes >= known.size_bytes > 300e6
    assert not Path(known.unpacked_folder).is_absolute() and not Path(known.inside).is_absolute()
    assert known.licence and known.page.startswith("https://")
    assert known.licence in (REPOSITORY / known.card).read_text(encoding="utf-8")


def test_no_two_archives_share_a_checksum_a_place_or_a_name():
    different = {known.name: known for known in KNOWN.values()}.values()
    for field in ("checksum", "unpacked_folder", "filename", "size_bytes"):
        assert len({getattr(known, field) for known in different}) == len(different)


def test_all_of_librispeech_is_its_960_hours():
    training = [known.recordings for name, known in KNOWN.items() if "-train-" in name]
    assert sum(training) == 281_241


@pytest.mark.network
@pytest.mark.parametrize("url", sorted({url for known in KNOWN.values() for url in known.urls}))
def test_a_true_address_offers_the_file(url):
    size_bytes = next(known.size_bytes for known in KNOWN.values() if url in known.urls)
    request = Request(url, method="HEAD", headers={"User-Agent": "tinyclone", "Accept-Encoding": "identity"})
    with urlopen(request, timeout=30) as response:
        assert int(response.headers["Content-Length"]) == size_bytes


@pytest.mark.network
def test_the_checksums_of_librispeech_are_those_of_openslr():
    with urlopen("https://www.openslr.org/resources/12/md5sum.txt", timeout=30) as response:
        published = dict(reversed(line.split()) for line in response.read().decode().splitlines() if line)
    for known in (KNOWN[f"librispeech-{subset}"] for subset in SUBSETS):
        assert f"md5:{published[known.filename]}" == known.checksum


# From nothing to a corpus


def test_a_corpus_is_fetched_and_can_be_listed(server, data):
    folder = fetch("ljspeech", data, quiet=True)
    assert folder == data / "LJSpeech-1.1"
    assert clip_ids(folder) == ["LJ001-0001", "LJ001-0002", "LJ001-0003"]
    assert (folder / "wavs" / "LJ001-0002.wav").read_bytes() == noise(100_000, seed=1)
    assert left(data) == {"LJSpeech-1.1"}


def test_the_second_call_does_nothing_and_says_so(server, data, capsys):
    fetch("ljspeech", data, quiet=True)
    server.close()
    made = (data / "LJSpeech-1.1").stat().st_mtime_ns
    assert fetch("ljspeech", data) == data / "LJSpeech-1.1"
    assert "LJSpeech-1.1 is there already: nothing to do." in capsys.readouterr().err
    assert (data / "LJSpeech-1.1").stat().st_mtime_ns == made and len(server.log) == 1


def test_a_folder_may_be_given_as_text(server, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert fetch("ljspeech", "corpora/here", quiet=True) == Path("corpora/here/LJSpeech-1.1")
    assert fetch("ljspeech", quiet=True) == Path("data/LJSpeech-1.1")


def test_an_archive_is_kept_on_request_and_used_again(server, data):
    folder = fetch("ljspeech", data, keep_archive=True, quiet=True)
    assert left(data) == {"LJSpeech-1.1", NAME}
    folder.rename(data / "elsewhere")
    fetch("ljspeech", data, quiet=True)
    assert len(server.log) == 1
    assert left(data) == {"LJSpeech-1.1", "elsewhere", NAME}  # what was there before is not ours to delete


def test_a_damaged_archive_of_the_users_is_refused_and_kept(server, data):
    data.mkdir()
    (data / NAME).write_bytes(ARCHIVE[:-7])
    with pytest.raises(
        CorpusError, match=f"has {len(ARCHIVE) - 7:,} bytes, expected {len(ARCHIVE):,}. Delete it"
    ):
        fetch("ljspeech", data, quiet=True)
    assert left(data) == {NAME} and server.log == []


def librispeech(subset: str) -> bytes:
    files = {f"LibriSpeech/{name}": name.encode() for name in ("README.TXT", "LICENSE.TXT", "SPEAKERS.TXT")}
    chapter = f"LibriSpeech/{subset}/84/121123/84-121123"
    files[f"{chapter}.trans.txt"] = b"".join(b"84-121123-%04d A LINE %d\n" % (n, n) for n in range(3))
    files |= {f"{chapter}-{number:04}.flac": noise(5000, seed=number) for number in range(3)}
    return tar_of(files, compression="gz")


def test_subsets_of_librispeech_lie_side_by_side_with_their_licence(server, data, monkeypatch):
    for subset in ("dev-clean", "test-other"):
        name = f"librispeech-{subset}"
        server.files[f"{subset}.tar.gz"] = archive = librispeech(subset)
        know(monkeypatch, name, archive, (server.url(f"{subset}.tar.gz"),))
        folder = fetch(name, data, quiet=True)
        assert folder == data / "LibriSpeech" / subset
        assert [clip.speaker for clip in load_corpus(folder)] == ["librispeech-84"] * 3
    assert left(data) == {"LibriSpeech"}
    expected = {"dev-clean", "test-other", "README.TXT", "LICENSE.TXT", "SPEAKERS.TXT"}
    assert left(data / "LibriSpeech") == expected


def test_an_archive_without_a_folder_of_its_own_gets_one(server, data, monkeypatch):
    files = {"speaker-info.txt": b"ID AGE\n", "txt/p225/p225_001.txt": b"Please call Stella."}
    files |= {f"wav48_silence_trimmed/p225/p225_001_mic{mic}.flac": noise(5000) for mic in (1, 2)}
    archive = zip_of(files)
    server.files["VCTK-Corpus-0.92.zip"] = archive
    know(monkeypatch, "vctk", archive, (server.url("VCTK-Corpus-0.92.zip"),), recordings=None)
    folder = fetch("vctk", data, quiet=True)
    assert folder == data / "VCTK-Corpus-0.92"
    assert left(folder) == {"speaker-info.txt", "txt", "wav48_silence_trimmed"} and left(data) == {
        folder.name
    }
    (clip,) = load_corpus(folder)
    assert clip.text == "Please call Stella." and clip.path.exists()


def test_tinyvoices_is_there_without_a_download(data):
    assert fetch("tinyvoices", data) == tinyvoices_folder()
    assert len(load_corpus(fetch("tinyvoices", data))) == 320
    assert not data.exists()


def test_common_voice_is_refused_with_the_page_the_file_and_the_place(data):
    with pytest.raises(CorpusError) as raised:
        fetch("common-voice", data)
    message = str(raised.value)
    assert "https://mozilladatacollective.com/organization/" in message
    assert "https://commonvoice.mozilla.org/en/datasets" in message
    assert "Scripted Speech" in message and ".tar.gz" in message and str(data / "CommonVoice") in message
    assert "validated.tsv" in message and not data.exists()


@pytest.mark.parametrize(
    ("name", "meant"),
    [("ljspech", "ljspeech"), ("librispeech-dev_clean", "librispeech-dev-clean"), ("", None)],
)
def test_an_unknown_name_is_refused_with_the_nearest_one(data, name, meant):
    with pytest.raises(CorpusError, match=f"named {name!r}.*The names are ljspeech, ") as raised:
        fetch(name, data)
    assert ("Did you mean" in str(raised.value)) == (meant is not None)
    assert meant is None or f"Did you mean {meant!r}?" in str(raised.value)


# Mirrors


def test_a_mirror_may_be_a_file_here(server, data, tmp_path):
    mirror = tmp_path / "my copy.bin"
    mirror.write_bytes(ARCHIVE)
    assert len(load_corpus(fetch("ljspeech", data, mirror=mirror, quiet=True))) == 3
    assert server.log == [] and mirror.read_bytes() == ARCHIVE and left(data) == {"LJSpeech-1.1"}


@pytest.mark.parametrize("how", ["folder", "file URL", "file URL of the folder"])
def test_a_mirror_may_be_a_folder_here(server, data, tmp_path, how):
    (tmp_path / "copies of mine").mkdir()
    archive = tmp_path / "copies of mine" / NAME
    archive.write_bytes(ARCHIVE)
    mirror = {
        "folder": str(archive.parent),
        "file URL": archive.as_uri(),
        "file URL of the folder": archive.parent.as_uri(),
    }[how]
    assert len(load_corpus(fetch("ljspeech", data, mirror=mirror, quiet=True))) == 3
    assert server.log == [] and archive.exists()


@pytest.mark.parametrize(
    ("path", "mirror"),
    [
        (f"corpora/{NAME}", "corpora"),
        (f"corpora/{NAME}", "corpora/"),
        (f"corpora/{NAME}", f"corpora/{NAME}"),
        ("lj.tar.bz2?download=1", "lj.tar.bz2?download=1"),
    ],
)
def test_a_mirror_may_be_an_address(server, data, path, mirror):
    server.files = {path: ARCHIVE}
    assert len(load_corpus(fetch("ljspeech", data, mirror=server.url(mirror), quiet=True))) == 3


@pytest.mark.parametrize("mirror", ["nowhere/at/all", "example.org/corpora", "ftp://example.org/x", ""])
def test_a_mirror_that_leads_nowhere_is_refused(server, data, mirror, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CorpusError, match=f"no such file. Give the archive {NAME}, a folder that holds it"):
        fetch("ljspeech", data, mirror=mirror, quiet=True)
    assert not data.exists()


def test_a_mirror_with_another_archive_is_refused_and_left_alone(server, data, tmp_path):
    (tmp_path / NAME).write_bytes(ARCHIVE[:-1] + b"!")
    with pytest.raises(CorpusError, match="has the md5 .* expected .* Get it from its makers again"):
        fetch("ljspeech", data, mirror=tmp_path, quiet=True)
    assert (tmp_path / NAME).exists() and left(data) == set()


# What goes wrong


def test_a_changed_byte_leaves_nothing_behind(server, data):
    server.files[NAME] = ARCHIVE[:1000] + bytes([ARCHIVE[1000] ^ 1]) + ARCHIVE[1001:]
    with pytest.raises(CorpusError, match="has the md5 .* It was damaged on its way and has been removed"):
        fetch("ljspeech", data, quiet=True)
    assert left(data) == set()
    server.files[NAME] = ARCHIVE
    assert len(load_corpus(fetch("ljspeech", data, quiet=True))) == 3


def test_a_cut_download_is_kept_and_taken_up_by_the_next_call(server, data):
    server.cuts = [100_000, 0, 0, 0]
    with pytest.raises(CorpusError, match="the same command goes on from there"):
        fetch("ljspeech", data, quiet=True)
    assert left(data) == {f"{NAME}.part", f"{NAME}.part.json"}
    fetch("ljspeech", data, quiet=True)
    assert server.log[-1]["range"] == "bytes=100000-"
    assert server.log[-1]["sent"] == len(ARCHIVE) - 100_000
    assert left(data) == {"LJSpeech-1.1"}


def test_too_little_room_is_said_before_anything_is_asked_for(server, data, monkeypatch):
    monkeypatch.setattr(
        downloads.shutil, "disk_usage", lambda _: WITHOUT_ROOM(10**9, 10**9 - 500_000, 500_000)
    )
    expected = (
        r"needs 9\d\d kB \(30\d kB to download, 60\d kB unpacked\), but .* has 500 kB free. Free 4\d\d kB"
    )
    with pytest.raises(CorpusError, match=expected):
        fetch("ljspeech", data, quiet=True)
    assert server.log == [] and left(data) == set()


def test_what_came_already_and_what_is_here_needs_no_room(server, data, tmp_path, monkeypatch):
    needed = 3 * len(ARCHIVE)
    server.cuts = [100_000, 0, 0, 0]
    with pytest.raises(CorpusError, match="cut"):
        fetch("ljspeech", data, quiet=True)
    free = [needed - 100_001]
    monkeypatch.setattr(downloads.shutil, "disk_usage", lambda _: WITHOUT_ROOM(needed, 0, free[0]))
    with pytest.raises(CorpusError, match="Free 1 bytes"):
        fetch("ljspeech", data, quiet=True)
    free[0] += 1
    fetch("ljspeech", data, quiet=True)
    (tmp_path / NAME).write_bytes(ARCHIVE)
    free[0] = 2 * len(ARCHIVE)
    fetch("ljspeech", tmp_path / "other", mirror=tmp_path, quiet=True)


def test_an_archive_that_would_break_out_is_refused(server, data, tmp_path, monkeypatch):
    evil = tar_of({**lj_files(), "LJSpeech-1.1/../../../evil": b"evil"})
    server.files[NAME] = evil
    know(monkeypatch, "ljspeech", evil, (server.url(NAME),))
    with pytest.raises(CorpusError, match="refused: its member 'LJSpeech-1.1/../../../evil' leads out"):
        fetch("ljspeech", data, quiet=True)
    assert left(data) == {NAME} and left(tmp_path) == {"data"}


@pytest.mark.parametrize("files", [lj_files(2), {"other/wavs/a.wav": b"1"}, {"LJSpeech-1.1/README": b"1"}])
def test_an_archive_with_too_little_in_it_is_refused(server, data, monkeypatch, files):
    archive = tar_of(files)
    server.files[NAME] = archive
    know(monkeypatch, "ljspeech", archive, (server.url(NAME),))
    with pytest.raises(CorpusError, match=r"has [02] recordings in its folder LJSpeech-1.1, expected 3"):
        fetch("ljspeech", data, quiet=True)
    assert left(data) == {NAME}


def test_a_folder_with_half_a_corpus_is_refused_and_left_alone(server, data):
    (data / "LJSpeech-1.1" / "wavs").mkdir(parents=True)
    (data / "LJSpeech-1.1" / "wavs" / "LJ001-0001.wav").write_bytes(b"mine")
    with pytest.raises(CorpusError, match="has 1 recordings, expected 3: it was not unpacked to the end"):
        fetch("ljspeech", data, quiet=True)
    assert server.log == [] and (data / "LJSpeech-1.1" / "wavs" / "LJ001-0001.wav").read_bytes() == b"mine"


def test_an_empty_folder_in_its_place_is_no_hindrance(server, data):
    (data / "LJSpeech-1.1").mkdir(parents=True)
    assert len(load_corpus(fetch("ljspeech", data, quiet=True))) == 3


def test_what_a_killed_run_had_unpacked_is_replaced(server, data):
    (data / ".ljspeech.unpacking" / "LJSpeech-1.1" / "wavs").mkdir(parents=True)
    (data / ".ljspeech.lock").write_text("")
    assert len(load_corpus(fetch("ljspeech", data, quiet=True))) == 3
    assert left(data) == {"LJSpeech-1.1"}


def test_a_place_that_cannot_be_written_is_said(server, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CorpusError, match="cannot be made: .*Choose another one"):
        fetch("ljspeech", tmp_path / "file" / "data", quiet=True)
    with pytest.raises(CorpusError, match="cannot be made: File exists"):
        fetch("ljspeech", tmp_path / "file", quiet=True)


def wait_until(condition) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.01)


def test_two_runs_at_once_do_not_disturb_each_other(server, data):
    server.block_bytes, server.pause_sec = 10_000, 0.1
    first = threading.Thread(target=fetch, args=("ljspeech", data), kwargs={"quiet": True})
    first.start()
    wait_until(lambda: (data / f"{NAME}.part").exists())
    with pytest.raises(CorpusError, match="Another run is fetching the same corpus .* Wait for it to end"):
        fetch("ljspeech", data, quiet=True)
    server.pause_sec = 0.0
    first.join()
    assert len(server.log) == 1 and len(load_corpus(fetch("ljspeech", data, quiet=True))) == 3
    assert left(data) == {"LJSpeech-1.1"}


FETCH_IN_ANOTHER_PROCESS = """
import json, sys
from pathlib import Path
from tinyclone.downloads import KNOWN, Download, fetch
KNOWN["ljspeech"] = Download(**json.loads(sys.argv[1]))
fetch("ljspeech", Path(sys.argv[2]))
"""


def test_a_killed_run_is_taken_up_where_it_was(server, data):
    server.block_bytes, server.pause_sec = 10_000, 0.05
    arguments = [json.dumps(asdict(KNOWN["ljspeech"])), str(data)]
    run = subprocess.Popen(
        [sys.executable, "-c", FETCH_IN_ANOTHER_PROCESS, *arguments],
        env={**os.environ, "PYTHONPATH": str(Path(downloads.__file__).parent.parent)},
        stderr=subprocess.DEVNULL,
    )
    part = data / f"{NAME}.part"
    wait_until(lambda: part.exists() and part.stat().st_size >= 50_000)
    run.send_signal(signal.SIGKILL)
    assert run.wait() == -signal.SIGKILL
    came = part.stat().st_size
    assert 50_000 <= came < len(ARCHIVE) and (data / ".ljspeech.lock").exists()
    server.pause_sec = 0.0
    assert len(load_corpus(fetch("ljspeech", data, quiet=True))) == 3
    assert server.log[-1]["range"] == f"bytes={came}-" and server.log[-1]["sent"] == len(ARCHIVE) - came
    assert left(data) == {"LJSpeech-1.1"}


def interrupted_after(blocks: int, function):
    def interrupted(*arguments, **options):
        nonlocal blocks
        blocks -= 1
        if blocks < 0:
            raise KeyboardInterrupt
        return function(*arguments, **options)

    return interrupted


def test_ctrl_c_keeps_what_came_and_says_how_to_go_on(server, data, monkeypatch, capsys):
    server.block_bytes, server.pause_sec = 50_000, 0.05
    monkeypatch.setattr(transfers, "_write", interrupted_after(2, transfers._write))
    with pytest.raises(KeyboardInterrupt):
        fetch("ljspeech", data)
    kept = (data / f"{NAME}.part").stat().st_size
    assert kept > 0
    said = f"Stopped; {transfers.readable_size(kept)} are kept. The same command goes on from there."
    assert said in capsys.readouterr().err
    monkeypatch.undo()
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    know(monkeypatch, "ljspeech", ARCHIVE, (server.url(NAME),))
    fetch("ljspeech", data, quiet=True)
    assert server.log[-1]["range"] == f"bytes={kept}-" and left(data) == {"LJSpeech-1.1"}


def test_ctrl_c_while_unpacking_keeps_the_archive(server, data, monkeypatch, capsys):
    from tinyclone import archives

    monkeypatch.setattr(archives, "_copy", interrupted_after(2, archives._copy))
    with pytest.raises(KeyboardInterrupt):
        fetch("ljspeech", data)
    assert f"{NAME} is kept. The same command" in capsys.readouterr().err
    assert left(data) == {NAME}


# The command


@pytest.fixture
def command(monkeypatch):
    cli.commands.add_command(fetch_command)
    return lambda *arguments: cli.main(["fetch", *map(str, arguments)])


def test_the_command_fetches_and_says_what_comes_next(server, data, command, capsys):
    assert command("ljspeech", "--folder", data) == 0
    said = capsys.readouterr()
    assert said.out.startswith(f"{data / 'LJSpeech-1.1'} is ready. Licence: public domain")
    assert said.out.endswith(f"Next: tinyclone inspect {data / 'LJSpeech-1.1'}\n")
    assert NAME in said.err  # the progress bar
    assert command("ljspeech", "--folder", data) == 0
    assert "nothing to do" in capsys.readouterr().err
    assert command("ljspeech", "--folder", data, "--quiet") == 0
    assert capsys.readouterr().err == ""


def test_the_command_takes_a_mirror_and_keeps_the_archive(server, data, command):
    server.files = {f"corpora/{NAME}": ARCHIVE}
    assert command("ljspeech", "--folder", data, "--mirror", server.url("corpora"), "--keep-archive") == 0
    assert left(data) == {"LJSpeech-1.1", NAME}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["lj"], "No corpus named 'lj' is known"),
        (["common-voice"], "Mozilla gives Common Voice only to people with an account"),
        (["ljspeech", "--mirror", "nowhere"], "The mirror nowhere leads to nowhere"),
        (["ljspeech", "--no-such-option"], "No such option"),
    ],
)
def test_a_mistake_is_one_line_and_the_code_2(server, data, command, capsys, arguments, expected):
    assert command(*arguments, "--folder", data) == 2
    said = capsys.readouterr()
    assert said.out == "" and re.fullmatch(r"Error: [^\n]+\n", said.err) and expected in said.err


def test_a_missing_file_on_the_server_is_the_code_2(server, data, command, capsys):
    server.files = {}
    assert command("ljspeech", "--folder", data, "--quiet") == 2
    assert re.fullmatch(r"Error: .* could not be downloaded. .*404 Not Found.*\n", capsys.readouterr().err)


def test_ctrl_c_is_the_code_130(server, data, command, monkeypatch, capsys):
    monkeypatch.setattr(transfers, "_write", interrupted_after(0, transfers._write))
    assert command("ljspeech", "--folder", data) == 130
    assert "The same command goes on from there." in capsys.readouterr().err


def test_the_command_without_a_name_lists_the_corpora(command, capsys):
    assert command() == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(NAMES)
    assert any("2.7 GB" in line and "public domain" in line for line in lines)


def test_the_help_has_examples(command, capsys):
    assert command("--help") == 0
    text = capsys.readouterr().out
    assert "Examples:" in text and "tinyclone fetch ljspeech" in text and "--mirror" in text
