"""Features are computed once, and a stopped run goes on where it was."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner
from made_clips import RATE_HZ, tone, write_clip

from tinyclone import features as features_module
from tinyclone import text
from tinyclone.clip_features import extract
from tinyclone.commands_corpora import prepare_command
from tinyclone.config import AudioConfig
from tinyclone.corpora import Clip
from tinyclone.errors import CorpusError
from tinyclone.feature_shards import Shard
from tinyclone.features import Features, prepare, pseudo_speaker_rates
from tinyclone.worker_processes import WorkerError


@pytest.fixture
def clips(tmp_path) -> list[Clip]:
    (tmp_path / "wavs").mkdir()
    return [
        write_clip(tmp_path / "wavs", f"clip-{number}", tone(pitch_hz=100 + 20 * number), speaker=speaker)
        for number, speaker in enumerate(["ann", "ann", "ben", "ben", "cho"])
    ]


@pytest.fixture
def extracted(monkeypatch) -> list[str]:
    """Names of the clips that were computed, not read; shards of two clips, so that there are several."""
    names: list[str] = []

    def counted(clip: Clip, **settings) -> Features:
        names.append(clip.id)
        return extract(clip, **settings)

    monkeypatch.setattr(features_module, "extract", counted)
    monkeypatch.setattr(features_module, "SHARD_SIZE", 2)
    return names


def assert_same(got: list[Features], expected: list[Features]) -> None:
    assert len(got) == len(expected)
    for one, other in zip(got, expected):
        np.testing.assert_array_equal(one.mel, other.mel)
        np.testing.assert_array_equal(one.pitch_hz, other.pitch_hz)
        for name in ("id", "speaker", "corpus", "text", "words"):
            assert getattr(one, name) == getattr(other, name)


# --- pseudo-speakers


def test_copies_of_one_speaker_share_their_rate_and_come_last(clips, tmp_path, extracted):
    made = prepare(clips, tmp_path / "cache", pseudo_speakers=2, workers=1)
    assert [one.id for one in made] == 3 * [clip.id for clip in clips]
    assert [one.speaker for one in made[:5]] == ["ann", "ann", "ben", "ben", "cho"]
    for copy in (1, 2):
        rates = {
            speaker: pseudo_speaker_rates(speaker, copies=2)[copy - 1] for speaker in ("ann", "ben", "cho")
        }
        expected = [f"{clip.speaker}@{rates[clip.speaker]:.3f}" for clip in clips]
        assert [one.speaker for one in made[5 * copy : 5 * copy + 5]] == expected


# --- the cache


def test_the_second_call_reads_what_the_first_computed(clips, tmp_path, extracted):
    first = prepare(clips, tmp_path / "cache", workers=1)
    assert extracted == [clip.id for clip in clips]
    second = prepare(clips, tmp_path / "cache", workers=1)
    assert len(extracted) == len(clips)
    assert_same(second, first)
    assert_same(first, [extract(clip) for clip in clips])
    assert json.loads((tmp_path / "cache" / "skipped.json").read_text()) == {}


def test_other_settings_never_meet_a_stale_shard(clips, tmp_path, extracted, monkeypatch):
    cache = tmp_path / "cache"
    prepare(clips[:2], cache, workers=1)
    hop_128 = prepare(clips[:2], cache, config=AudioConfig(hop_length=128), workers=1)
    assert len(hop_128[0].mel) > 70
    other_text = Clip(**{**vars(clips[0]), "text": "A dog."})
    prepare([other_text, clips[1]], cache, workers=1)
    monkeypatch.setattr(text, "SYMBOLS", ("_", "^"))
    prepare(clips[:2], cache, workers=1)
    assert len(list(cache.glob("*.npz"))) == 4 and len(extracted) == 8


def test_a_killed_run_goes_on_with_the_shards_that_are_missing(clips, tmp_path, extracted, monkeypatch):
    cache = tmp_path / "cache"
    whole = prepare(clips, tmp_path / "whole", workers=1)
    extracted.clear()
    counted = features_module.extract

    def killed(clip: Clip, **settings) -> Features:
        if clip.id == "clip-3":
            raise KeyboardInterrupt
        return counted(clip, **settings)

    monkeypatch.setattr(features_module, "extract", killed)
    with pytest.raises(KeyboardInterrupt):
        prepare(clips, cache, workers=1)
    assert len(list(cache.glob("*.npz"))) == 1
    (cache / "0123456789.99.tmp").write_bytes(b"half a shard")
    monkeypatch.setattr(features_module, "extract", counted)
    extracted.clear()
    assert_same(prepare(clips, cache, workers=1), whole)
    assert extracted == ["clip-2", "clip-3", "clip-4"]


def test_a_shard_that_was_deleted_is_made_again_alone(clips, tmp_path, extracted):
    first = prepare(clips, tmp_path / "cache", workers=1)
    extracted.clear()
    next((tmp_path / "cache").glob("*.npz")).unlink()
    assert_same(prepare(clips, tmp_path / "cache", workers=1), first)
    assert 1 <= len(extracted) <= 2


def test_bad_clips_are_left_out_with_their_reason(clips, tmp_path, extracted, capsys):
    wavs = tmp_path / "wavs"
    (wavs / "empty.wav").write_bytes(b"")
    bad = [
        Clip("empty", "ann", "A cat.", wavs / "empty.wav", "made", "CC0"),
        write_clip(wavs, "silent", np.zeros(RATE_HZ)),
        write_clip(wavs, "wordless", tone(pitch_hz=150), text="?!"),
    ]
    for _ in range(2):  # the second time from the cache
        made = prepare([*clips[:2], *bad, *clips[2:]], tmp_path / "cache", workers=1)
        assert [one.id for one in made] == [clip.id for clip in clips]
        skipped = json.loads((tmp_path / "cache" / "skipped.json").read_text())
        assert set(skipped) == {"ann/empty", "ann/silent", "ann/wordless"}
        assert "empty.wav" in skipped["ann/empty"] and "?!" in skipped["ann/wordless"]
        assert made.reasons == {
            "is empty (0 bytes)": 1, "is silent": 1, "holds no text that can be spoken": 1
        }  # fmt: skip
        printed = capsys.readouterr().out
        assert "3 of 8 clips were left out" in printed and "1 is silent" in printed


def test_a_shard_of_bad_clips_alone_is_no_obstacle(tmp_path, extracted):
    bad = [write_clip(tmp_path, name, np.zeros(RATE_HZ)) for name in ("one", "two")]
    assert list(prepare(bad, tmp_path / "cache", workers=1)) == []
    assert list(prepare([], tmp_path / "cache", workers=1)) == []


def test_reasons_of_every_part_of_the_cache_are_kept(clips, tmp_path, extracted):
    wavs, cache = tmp_path / "wavs", tmp_path / "cache"
    prepare([*clips[:3], write_clip(wavs, "one", np.zeros(RATE_HZ))], cache, workers=1)
    prepare([*clips[3:], write_clip(wavs, "two", np.zeros(RATE_HZ))], cache, workers=1)
    assert set(json.loads((cache / "skipped.json").read_text())) == {"ann/one", "ann/two"}


def test_what_a_library_makes_of_one_bad_file_costs_one_clip(clips, tmp_path, monkeypatch):
    def failing(clip: Clip, **settings) -> Features:
        if clip.id == "clip-2":
            raise RuntimeError("unheard of")
        return extract(clip, **settings)

    monkeypatch.setattr(features_module, "extract", failing)
    made = prepare(clips, tmp_path / "cache")
    assert [one.id for one in made] == ["clip-0", "clip-1", "clip-3", "clip-4"]
    assert made.reasons == {"RuntimeError while it was read": 1}
    assert "unheard of" in made.skipped["clip-2", "ben"]


def test_a_recording_of_40_seconds_or_a_tenth_of_one_is_left_out(clips, tmp_path):
    long = write_clip(tmp_path, "long", tone(pitch_hz=150, seconds=40))
    short = write_clip(tmp_path, "short", tone(pitch_hz=150, seconds=0.1))
    made = prepare([long, *clips, short], tmp_path / "cache")
    assert [one.id for one in made] == [clip.id for clip in clips]
    assert made.reasons == {"is longer than 30 s": 1, "is shorter than 0.3 s": 1}
    assert len(prepare([long, *clips, short], tmp_path / "cache", max_seconds=50, min_seconds=0.05)) == 7


def test_warnings_of_single_texts_are_not_printed_in_the_middle_of_a_long_run(clips, tmp_path):
    odd = Clip(**{**vars(clips[0]), "text": "A \u4e2d cat."})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(prepare([odd], tmp_path / "cache")) == 1


def test_a_replaced_recording_is_noticed_and_only_its_shard_made_again(clips, tmp_path, extracted, capsys):
    cache = tmp_path / "cache"
    before = list(prepare(clips, cache, workers=1))
    replaced = clips[3].path
    soundfile.write(replaced, tone(pitch_hz=300), RATE_HZ)
    os.utime(replaced, (time.time() + 5, time.time() + 5))
    extracted.clear()
    capsys.readouterr()
    after = prepare(clips, cache, workers=1)
    assert extracted == ["clip-2", "clip-3"]
    assert np.median(after[3].pitch_hz) > 280 > np.median(before[3].pitch_hz)
    assert "1 of recordings or texts that have changed" in capsys.readouterr().out
    assert len(list(cache.glob("*.npz"))) == 4
    prepare(clips, cache, workers=1, clean=True)
    assert "They were removed" in capsys.readouterr().out
    assert len(list(cache.glob("*.npz"))) == 3
    prepare(clips, cache, workers=1)
    assert capsys.readouterr().out == "" and len(extracted) == 2


def test_a_recording_that_was_away_is_read_when_it_is_back(clips, tmp_path):
    away = clips[1].path.rename(tmp_path / "away.wav")
    made = prepare(clips, tmp_path / "cache")
    assert made.reasons == {"does not exist": 1}
    away.rename(clips[1].path)
    assert len(prepare(clips, tmp_path / "cache")) == 5


def test_a_broken_shard_is_made_again(clips, tmp_path, extracted):
    first = prepare(clips, tmp_path / "cache", workers=1)
    whole = [list(first), extracted.clear()][0]
    for number, path in enumerate(sorted((tmp_path / "cache").glob("*.npz"))):
        content = path.read_bytes()
        path.write_bytes([content[: len(content) // 2], b"", content[:-1]][number])
    assert_same(prepare(clips, tmp_path / "cache", workers=1), whole)
    assert len(extracted) == 5


def test_another_corpus_in_the_same_cache_is_not_stale(clips, tmp_path, capsys):
    cache = tmp_path / "cache"
    prepare(clips[:2], cache)
    prepare(clips[2:], cache, clean=True)
    prepare(clips[:2], cache, pseudo_speakers=1, clean=True)
    prepare(clips[:2], cache, clean=True)
    assert "stale" not in capsys.readouterr().out
    assert len(list(cache.glob("*.npz"))) == 3


def test_cleaning_takes_nothing_but_features(clips, tmp_path):
    cache = tmp_path / "cache"
    prepare(clips, cache)
    others = ["cloner.npz", "alignments.npz", "notes.txt", "0123456789abcdef.npz"]
    for name in others:
        (cache / name).write_bytes(b"precious")
    old = cache / "0123456789abcdef0123.npz"
    np.savez(old.open("wb"), index=np.array("{}"), mel=np.zeros((3, 80)))
    leftover, young = cache / ".0123456789abcdef0123.npz.x1", cache / ".0123456789abcdef0123.npz.x2"
    leftover.write_bytes(b"half a shard")
    os.utime(leftover, (1e9, 1e9))
    young.write_bytes(b"half a shard of a run that goes on")
    prepare(clips, cache, clean=True)
    assert not old.exists() and not leftover.exists() and young.exists()
    assert all((cache / name).read_bytes() == b"precious" for name in others)


def test_a_cache_that_cannot_be_made_is_an_error(clips, tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(CorpusError, match="Cannot make the folder"):
        prepare(clips, tmp_path / "file")


# --- processes


def test_several_workers_give_what_one_gives(clips, tmp_path, monkeypatch):
    one = prepare(clips, tmp_path / "one", workers=1)
    monkeypatch.setattr(features_module, "SHARD_SIZE", 2)
    monkeypatch.setattr(features_module, "CLIPS_WORTH_A_PROCESS", 2)
    monkeypatch.setattr(features_module, "extract", None)  # of no use here: the work is done elsewhere
    two = prepare(clips, tmp_path / "two", workers=2)
    assert_same(two, one)
    assert sorted(path.suffix for path in (tmp_path / "two").iterdir()) == [".json", ".npz", ".npz", ".npz"]


def test_few_clips_need_no_processes(clips, tmp_path, monkeypatch):
    monkeypatch.setattr(features_module, "SHARD_SIZE", 2)
    monkeypatch.setattr(multiprocessing, "get_context", None)
    assert len(prepare(clips, tmp_path / "cache", workers=8)) == 5


SCRIPT = """
import sys
from pathlib import Path
from tinyclone import features
from tinyclone.corpora import load_corpus
features.SHARD_SIZE = 4
features.CLIPS_WORTH_A_PROCESS = 2
# No `if __name__ == "__main__"`: a beginner's script must not start itself without end.
store = features.prepare(load_corpus(sys.argv[1]), Path(sys.argv[2]), workers=int(sys.argv[3]))
print(len(store))
"""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    """Sixty clips of 0.5 to 2 s."""
    folder = tmp_path_factory.mktemp("made corpus")
    (folder / "wavs").mkdir()
    for number in range(60):
        write_clip(
            folder / "wavs", f"clip-{number:02d}", tone(pitch_hz=100 + number, seconds=0.5 + number / 40)
        )
    lines = [f"clip-{number:02d}|This is clip {number}.\n" for number in range(60)]
    (folder / "metadata.csv").write_text("".join(lines))
    (folder / "prepare.py").write_text(SCRIPT)
    return folder


def started(corpus: Path, cache: Path, *, workers: int) -> subprocess.Popen:
    command = [sys.executable, str(corpus / "prepare.py"), str(corpus), str(cache), str(workers)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_a_run_that_is_killed_again_and_again_leaves_no_broken_shard_and_ends(corpus, tmp_path, workers):
    random = np.random.default_rng(workers)
    cache, shards_before, kills = tmp_path / "cache", 0, 0
    for _ in range(40):
        process = started(corpus, cache, workers=workers)
        # Killed after a random number of further shards, at a random moment.
        further, deadline = random.integers(1, 5), time.time() + 120
        while process.poll() is None and time.time() < deadline:
            if len(list(cache.glob("[!.]*.npz"))) - shards_before > further:
                time.sleep(random.uniform(0, 0.1))
                break
            time.sleep(0.005)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            kills += 1
        out, errors = process.communicate()
        shards = list(cache.glob("[!.]*.npz"))
        assert sum(len(Shard(path)) for path in shards) == 4 * len(shards)
        assert len(shards) >= shards_before
        shards_before = len(shards)
        if process.returncode == 0 and kills >= 2:
            break
        if process.returncode == 0:  # it was too fast for the killer: once more from nothing
            shutil.rmtree(cache)
            shards_before = 0
    assert kills >= 2 and process.returncode == 0, errors
    assert out.split() == ["60"] and shards_before == 15


@pytest.mark.slow
def test_workers_end_when_the_run_they_work_for_is_killed(corpus, tmp_path):
    process = started(corpus, tmp_path / "cache", workers=2)
    while not list((tmp_path / "cache").glob("*.npz")):
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)  # returns when no worker holds the other end of the pipes
    time.sleep(0.5)
    shards = len(list((tmp_path / "cache").glob("*.npz")))
    time.sleep(0.5)
    assert len(list((tmp_path / "cache").glob("*.npz"))) == shards < 15


def test_a_worker_that_is_killed_is_reported_and_a_second_run_goes_on(clips, tmp_path, monkeypatch):
    monkeypatch.setattr(features_module, "SHARD_SIZE", 1)
    monkeypatch.setattr(features_module, "CLIPS_WORTH_A_PROCESS", 2)

    def kill_one() -> None:
        while not (children := multiprocessing.active_children()):
            time.sleep(0.001)
        os.kill(children[0].pid, signal.SIGKILL)

    killer = threading.Thread(target=kill_one)
    killer.start()
    with pytest.raises(
        WorkerError, match=r"killed by signal 9.*memory.*\.npz \(clips clip-\d to clip-\d of made\)"
    ):
        prepare(clips, tmp_path / "cache", workers=2)
    killer.join()
    assert multiprocessing.active_children() == []
    assert [one.id for one in prepare(clips, tmp_path / "cache", workers=2)] == [clip.id for clip in clips]


# --- the command


def test_the_command_prepares_corpora_and_says_what_it_did(corpus, tmp_path):
    cache = tmp_path / "cache"
    done = CliRunner().invoke(prepare_command, [str(corpus), "--cache", str(cache), "--workers", "1"])
    assert done.exit_code == 0, done.output
    assert "features of 60 clips, 1.2 minutes" in done.output
    assert len(list(cache.glob("*.npz"))) == 1
    arguments = [
        str(corpus),
        "--cache",
        str(cache),
        "--max-seconds",
        "1",
        "--pseudo-speakers",
        "1",
        "--clean",
    ]
    done = CliRunner().invoke(prepare_command, arguments)
    assert "is longer than 1 s" in done.output and "1 made with another max_seconds" in done.output
    assert len(list(cache.glob("*.npz"))) == 2


def test_the_command_refuses_a_corpus_without_a_usable_clip(tmp_path):
    (tmp_path / "wavs").mkdir()
    write_clip(tmp_path / "wavs", "one", np.zeros(RATE_HZ))
    (tmp_path / "metadata.csv").write_text("one|A cat.\n")
    done = CliRunner().invoke(prepare_command, [str(tmp_path), "--cache", str(tmp_path / "cache")])
    assert isinstance(done.exception, CorpusError)
    assert "Not one of 1 clips" in str(done.exception) and "is silent" in str(done.exception)
    assert CliRunner().invoke(prepare_command, [str(tmp_path)]).exit_code == 2
    done = CliRunner().invoke(prepare_command, [str(tmp_path / "nowhere"), "--cache", str(tmp_path)])
    assert isinstance(done.exception, CorpusError)
