from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from fake_cloner import tiny_cloner, tiny_config

from tinyclone import pretrained, shipped
from tinyclone.array_files import write_arrays
from tinyclone.config import AudioConfig, ClonerConfig
from tinyclone.errors import CheckpointError
from tinyclone.text import SYMBOLS, encode
from tinyclone.voice import shipped_voices

NAMED = ("kathleen", "lj")


@pytest.fixture(scope="module")
def config():
    return tiny_config()


@pytest.fixture(scope="module")
def cloner():
    return tiny_cloner()


@pytest.fixture
def path(cloner, tmp_path):
    return pretrained.save_cloner(tmp_path / "tiny.npz", cloner, card={"minutes": 3})


def rewrite(path, *, change):
    """Let `change` spoil the header or the arrays of a file that is otherwise whole."""
    arrays, header = pretrained.read_arrays(path)
    change(arrays, header)
    return write_arrays(path, arrays, header=header)


def predict(cloner):
    reference = np.random.default_rng(0).normal(-5, 2, (200, 80)).astype(np.float32)
    return cloner.predict_mel(encode("Hello there."), cloner.voiceprint(reference))


def test_float32_round_trip_is_exact(cloner, config, tmp_path):
    loaded = pretrained.load_cloner(pretrained.save_cloner(tmp_path / "a.npz", cloner, dtype="float32"))
    assert loaded is not cloner and loaded.config == config
    for ours, theirs in zip(loaded.weights, cloner.weights, strict=True):
        np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))
    # The same weights at other addresses in memory: sums may round differently in their last bit.
    np.testing.assert_allclose(predict(loaded).mel, predict(cloner).mel, atol=1e-5)


def test_float16_round_trip_is_close_and_small(cloner, path):
    loaded = pretrained.load_cloner(path)
    np.testing.assert_allclose(predict(loaded).mel, predict(cloner).mel, atol=0.05)
    assert path.stat().st_size < 2 * cloner.count_params() + 30000
    assert {array.dtype.name for array in pretrained.read_arrays(path)[0].values()} == {"float16"}


def test_what_the_file_says_about_itself(cloner, config, path):
    header = pretrained.read_arrays(path)[1]
    assert header["config"] == json.loads(json.dumps(config.to_dict()))
    assert header["symbols"] == list(SYMBOLS)
    assert pretrained.read_card(path) == {"minutes": 3}
    assert pretrained.load_cloner(path).fingerprint == header["fingerprint"] != ""


def test_same_weights_give_the_same_file(cloner, path, tmp_path):
    again = pretrained.save_cloner(tmp_path / "again.npz", cloner, card={"minutes": 3})
    assert path.read_bytes() == again.read_bytes()


def test_other_weights_have_another_fingerprint(path, tmp_path):
    other_path = pretrained.save_cloner(tmp_path / "other.npz", tiny_cloner(seed=1))
    assert (
        pretrained.read_arrays(other_path)[1]["fingerprint"] != pretrained.read_arrays(path)[1]["fingerprint"]
    )


def test_a_file_is_loaded_once_and_again_when_it_changed(path):
    first = pretrained.load_cloner(path)
    assert pretrained.load_cloner(str(path)) is first
    os.utime(path, ns=(1, 1))
    assert pretrained.load_cloner(path) is not first


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_truncated(path, share):
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(CheckpointError, match=r"tiny.npz .* truncated"):
        pretrained.load_cloner(path)


def test_a_flipped_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="tiny.npz"):
        pretrained.load_cloner(path)


def test_files_of_another_kind(tmp_path):
    np.save(tmp_path / "array.npy", np.zeros(3))
    np.savez(tmp_path / "arrays.npz", a=np.zeros(3))
    np.savez(tmp_path / "objects.npz", header=np.array([{}], dtype=object))
    (tmp_path / "page.npz").write_text("<html>404</html>")
    for name in ("array.npy", "arrays.npz", "objects.npz", "page.npz"):
        with pytest.raises(CheckpointError, match=name):
            pretrained.load_cloner(tmp_path / name)


def test_missing_and_folder(tmp_path):
    with pytest.raises(CheckpointError, match="does not exist"):
        pretrained.load_cloner(tmp_path / "missing.npz")
    with pytest.raises(CheckpointError, match="is a folder"):
        pretrained.load_cloner(tmp_path)


def test_another_audio_config_is_refused_by_name(config, tmp_path):
    other = replace(config, audio=AudioConfig(hop_length=200, log_floor=1e-3))
    model = pretrained.import_cloner_module().Cloner(other)
    path = pretrained.save_cloner(tmp_path / "other.npz", model)
    with pytest.raises(CheckpointError, match=r"hop_length = 200 \(expected 256\); log_floor = 0.001"):
        pretrained.load_cloner(path)
    assert pretrained.load_cloner(path, audio=other.audio).config == other


def test_other_symbols_are_refused(path):
    def swap(arrays, header):
        header["symbols"][11], header["symbols"][12] = header["symbols"][12], header["symbols"][11]

    with pytest.raises(CheckpointError, match="symbols"):
        pretrained.load_cloner(rewrite(path, change=swap))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda arrays, header: header.update(format_version=99), "format version 99"),
        (lambda arrays, header: header["config"].pop("dropout"), "config"),
        (lambda arrays, header: header["config"].update(postnet=True), "postnet"),
        (lambda arrays, header: header["config"]["audio"].pop("fmin_hz"), "fmin_hz"),
        (lambda arrays, header: header.pop("config"), "config"),
        (lambda arrays, header: header["config"].update(decoder_dilations=[1, 2]), "arrays"),
        (lambda arrays, header: header["config"].update(decoder_channels=24), "decoder"),
        (lambda arrays, header: arrays.pop(sorted(arrays)[3]), "arrays"),
    ],
)
def test_a_file_that_does_not_fit_the_model(path, change, message):
    with pytest.raises(CheckpointError, match=message):
        pretrained.load_cloner(rewrite(path, change=change))


def test_checksum_beside_the_file_must_agree(cloner, path):
    shipped.write_checksums(path.parent)
    line = (path.parent / "SHA256SUMS").read_text()
    assert line == f"{hashlib.sha256(path.read_bytes()).hexdigest()}  tiny.npz\n"
    pretrained.load_cloner(path)
    pretrained.save_cloner(path, cloner, card={"minutes": 4})
    with pytest.raises(CheckpointError, match="SHA-256"):
        pretrained.load_cloner(path)


def test_a_checksum_may_be_missing_only_for_your_own_files(path):
    shipped.verify_checksum(path)
    with pytest.raises(CheckpointError, match="no checksum"):
        shipped.verify_checksum(path, required=True)
    (path.parent / "SHA256SUMS").write_text(f"{'0' * 64} *other.npz\n\n")
    shipped.verify_checksum(path)


def test_nan_weights_are_not_saved_and_large_ones_keep_their_precision(tmp_path):
    model = tiny_cloner()
    values = np.asarray(model.weights[0]).copy()
    values[0, 0] = 1e6
    model.weights[0].assign(values)
    loaded = pretrained.load_cloner(pretrained.save_cloner(tmp_path / "large.npz", model))
    np.testing.assert_array_equal(np.asarray(loaded.weights[0]), values)
    values[0, 0] = np.nan
    model.weights[0].assign(values)
    with pytest.raises(CheckpointError, match="NaN"):
        pretrained.save_cloner(tmp_path / "nan.npz", model)
    assert os.listdir(tmp_path) == ["large.npz"]


def test_failed_save_keeps_the_old_file(cloner, path, tmp_path, monkeypatch):
    before = path.read_bytes()

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(CheckpointError, match="No space left"):
        pretrained.save_cloner(path, cloner, card={"minutes": 5})
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["tiny.npz"]


def test_saving_into_a_missing_folder(cloner, tmp_path):
    with pytest.raises(CheckpointError, match="missing"):
        pretrained.save_cloner(tmp_path / "missing" / "a.npz", cloner)


@pytest.mark.slow
def test_keras_is_loaded_late_and_quietly():
    program = (
        "import sys, tinyclone.cli, tinyclone.synthesis, tinyclone.pretrained as p\n"
        "assert not {'keras', 'tensorflow', 'matplotlib'} & set(sys.modules)\n"
        "p.import_cloner_module()\n"
        "assert 'keras' in sys.modules\n"
        "print('still here', file=sys.stderr)\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    result = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "still here\n")


def test_hidden_messages_are_shown_when_the_import_fails(capfd):
    with pretrained._native_messages_hidden():
        os.write(2, b"oneDNN is on")
    with pytest.raises(ImportError), pretrained._native_messages_hidden():
        os.write(2, b"no such symbol")
        raise ImportError
    assert capfd.readouterr().err == "no such symbol"


def test_shipped_files_have_their_checksums_and_are_small():
    folder = shipped.shipped_folder()
    total = 0
    for name in ("cloner.npz", "voices.npz"):
        shipped.verify_checksum(folder / name, required=True)
        total += (folder / name).stat().st_size
    assert total <= 10 * 2**20
    assert (folder / "MODEL_CARD.md").is_file()


def test_shipped_weights_have_the_default_config_and_speak_finite_mels():
    header = pretrained.read_arrays(shipped.shipped_folder() / "cloner.npz")[1]
    assert AudioConfig.from_dict(header["config"]["audio"]) == AudioConfig()
    cloner = pretrained.load_cloner()
    prediction = cloner.predict_mel(encode("Hello there."), shipped_voices()["lj"].voiceprint)
    assert np.isfinite(prediction.mel).all() and prediction.durations.sum() == len(prediction.mel)


def test_shipped_voices_belong_to_the_shipped_weights():
    voices = shipped_voices()
    assert set(NAMED) <= set(voices) and len(voices) >= 8
    header = pretrained.read_arrays(shipped.shipped_folder() / "cloner.npz")[1]
    assert {voice.cloner_fingerprint for voice in voices.values()} == {header["fingerprint"]}
    sizes = {voice.voiceprint.shape for voice in voices.values()}
    assert sizes == {(ClonerConfig.from_dict(header["config"]).voiceprint_length,)}
    assert len({voice.voiceprint.tobytes() for voice in voices.values()}) == len(voices)
