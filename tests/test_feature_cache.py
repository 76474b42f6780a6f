"""A cache is keyed by all that decides what is in it, and by nothing else."""

from __future__ import annotations

import os
import types

import numpy as np
import pytest
from made_clips import tone, write_clip

from tinyclone import text
from tinyclone.config import AudioConfig
from tinyclone.corpora import Clip
from tinyclone.feature_cache import _code_of, identity_of, settings_of, short_hash


def settings(
    config: AudioConfig = AudioConfig(), *, min_seconds: float = 0.3, max_seconds: float = 30.0
) -> dict:
    return settings_of(config, min_seconds=min_seconds, max_seconds=max_seconds)


@pytest.mark.parametrize(
    ("name", "value"), [("hop_length", 128), ("n_mels", 40), ("log_floor", 1e-4), ("sample_rate_hz", 22050)]
)
def test_every_value_of_the_audio_config_counts(name, value):
    changed = settings(AudioConfig(**{name: value}))
    assert {key for key in changed if changed[key] != settings()[key]} == {name}


def test_the_limits_and_the_symbols_count(monkeypatch):
    assert settings(max_seconds=20.0) != settings() != settings(min_seconds=0.2)
    before = settings()
    monkeypatch.setattr(text, "SYMBOLS", text.SYMBOLS[:-1])
    after = settings()
    assert {key for key in after if after[key] != before[key]} == {"text front end"}


def module_of(source: str, path) -> types.ModuleType:
    path.write_text(source)
    module = types.ModuleType(path.stem)
    module.__file__ = str(path)
    return module


def test_code_counts_and_comments_do_not(tmp_path):
    code = '"""Doc."""\ndef rule(word):\n    """Say it."""\n    return word + "s"\n'
    commented = (
        '"""Other words."""\n# Why.\ndef rule(\n    word,\n):\n    """Shout it."""\n    return word + "s"\n'
    )
    other = code.replace('"s"', '"es"')
    one, two, three = (
        _code_of(module_of(source, tmp_path / f"{number}.py"))
        for number, source in enumerate((code, commented, other))
    )
    assert one == two != three


def test_an_identity_changes_with_the_recording_and_the_text(tmp_path):
    clip = write_clip(tmp_path, "clip", tone(pitch_hz=100))
    first = identity_of(clip)
    assert identity_of(clip) == first
    assert identity_of(Clip(**{**vars(clip), "text": "A dog."})) != first
    assert identity_of(Clip(**{**vars(clip), "speaker": "ben"})) != first
    os.utime(clip.path, (1e9, 1e9))
    touched = identity_of(clip)
    assert touched != first
    content = clip.path.read_bytes()
    clip.path.write_bytes(content + b"more")
    os.utime(clip.path, (1e9, 1e9))
    assert identity_of(clip) not in (first, touched)
    clip.path.unlink()
    assert identity_of(clip) not in (first, touched)


def test_an_identity_does_not_depend_on_the_folder(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one, two = (write_clip(tmp_path / name, "clip", np.ones(500) / 2) for name in ("a", "b"))
    for clip in (one, two):
        os.utime(clip.path, (1e9, 1e9))
    assert identity_of(one) == identity_of(two)


def test_hashes_stay_as_they_are():
    # Another hash would make every cache in the world stale.
    assert short_hash(["a", 1, None]) == "30780d0daa72bce56290"
    assert short_hash({"a": 1, "b": 2}) == short_hash({"b": 2, "a": 1})
