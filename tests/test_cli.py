from __future__ import annotations

import io
import os
import re
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from fake_cloner import VOICEPRINT_SIZE, FakeCloner, speech_like, tiny_cloner
from made_recordings import small_vocoder

import tinyclone
from tinyclone import doctor, pretrained, shipped
from tinyclone.cli import main
from tinyclone.errors import TinycloneError
from tinyclone.vocoder_weights import save_vocoder
from tinyclone.voice import Voice, save_voices

CONSENT = "I am Ana Lopez and this is my own voice."


@pytest.fixture
def fake(monkeypatch) -> FakeCloner:
    """Put the fake cloner and two voices in the place of the shipped ones."""
    cloner = FakeCloner()
    voiceprints = np.linspace(0, 1, VOICEPRINT_SIZE).astype(np.float32)
    voices = {
        name: Voice(name, voiceprints, CONSENT, f"corpus of {name}", "fake") for name in ("lj", "kathleen")
    }
    monkeypatch.setattr("tinyclone.pretrained.load_speaker", lambda *_, **__: cloner)
    monkeypatch.setattr("tinyclone.voice.shipped_voices", lambda: voices)
    return cloner


@pytest.fixture
def reference(tmp_path):
    soundfile.write(tmp_path / "ana.wav", speech_like(3), 16000)
    return str(tmp_path / "ana.wav")


@pytest.fixture(scope="module")
def tiny_shipped(tmp_path_factory):
    """A folder as the shipped one, with a tiny model that babbles."""
    folder = tmp_path_factory.mktemp("weights")
    pretrained.save_cloner(folder / "cloner.npz", tiny_cloner())
    cloner = pretrained.load_cloner(folder / "cloner.npz")
    voiceprint = cloner.voiceprint(np.full((200, 80), -5.0, np.float32))
    save_voices(folder / "voices.npz", [Voice("lj", voiceprint, CONSENT, "LJ Speech", cloner.fingerprint)])
    save_vocoder(folder / "vocoder.npz", small_vocoder())
    shipped.write_checksums(folder)
    return folder


def mistake(capsys, *arguments: str) -> str:
    """Run the command line, and return its only line of complaint."""
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert re.fullmatch(r"Error: [^\n]+\n", captured.err), captured.err
    return captured.err


def test_clone_with_a_named_voice(fake, tmp_path, capsys):
    out = tmp_path / "hello.wav"
    assert main(["clone", "Hello there.", "--voice", "lj", "--out", str(out)]) == 0
    wav, rate_hz = soundfile.read(out)
    assert rate_hz == 16000 and 0.01 < np.abs(wav).max() <= 0.99
    said = capsys.readouterr()
    assert str(out) in said.out and "lj" in said.out and said.err == ""


def test_clone_with_another_vocoder(fake, tmp_path, capsys):
    own = save_vocoder(tmp_path / "own.npz", small_vocoder())
    waves = []
    for index, vocoder in enumerate(([], ["--vocoder", "griffin-lim"], ["--vocoder", str(own)])):
        out = tmp_path / f"{index}.wav"
        assert main(["clone", "Hello there.", "--voice", "lj", "--out", str(out), *vocoder]) == 0
        waves.append(soundfile.read(out)[0])
    assert not np.array_equal(waves[0], waves[1]) and not np.array_equal(waves[0], waves[2])
    capsys.readouterr()
    command = ["clone", "Hello.", "--voice", "lj", "--out", str(tmp_path / "a.wav"), "--vocoder"]
    assert "griffin-lim or a .npz file" in mistake(capsys, *command, "waveglow")
    assert "nowhere.npz" in mistake(capsys, *command, str(tmp_path / "nowhere.npz"))


def test_clone_with_a_recording(fake, reference, tmp_path):
    arguments = [
        "clone",
        "Hello.",
        "--voice",
        reference,
        "--consent",
        CONSENT,
        "--out",
        str(tmp_path / "a.flac"),
    ]
    assert main(arguments) == 0
    assert soundfile.info(tmp_path / "a.flac").format == "FLAC"


def test_clone_with_a_voice_file(fake, tmp_path, capsys):
    voice = Voice("mine", np.zeros(VOICEPRINT_SIZE, np.float32), CONSENT, "mine.wav")
    voice.save(tmp_path / "mine.npz")
    assert (
        main(["clone", "Hello.", "--voice", str(tmp_path / "mine.npz"), "--out", str(tmp_path / "a.wav")])
        == 0
    )
    assert "mine" in capsys.readouterr().out


def test_options_reach_the_model(fake, tmp_path):
    out = [str(tmp_path / f"{seed}.wav") for seed in (1, 2)]
    options = ["--voice", "lj", "--speed", "0.5", "--pitch-shift", "-2"]
    for seed, path in enumerate(out, start=1):
        assert main(["clone", "Hello.", *options, "--seed", str(seed), "--out", path]) == 0
    assert fake.calls[0]["speed"] == 0.5 and fake.calls[0]["pitch_shift"] == -2
    assert np.abs(soundfile.read(out[0])[0] - soundfile.read(out[1])[0]).max() > 1e-3


def test_plot_is_drawn(fake, tmp_path):
    picture = tmp_path / "a.png"
    sound = str(tmp_path / "a.wav")
    assert main(["clone", "Hello.", "--voice", "lj", "--out", sound, "--plot", str(picture)]) == 0
    assert picture.read_bytes()[:4] == b"\x89PNG"


def test_voices(fake, capsys):
    assert main(["voices"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "lj                   corpus of lj",
        "kathleen             corpus of kathleen",
    ]


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"tinyclone {tinyclone.__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [[], ["--help"], ["-h"], ["clone", "--help"], ["voices", "--help"], ["doctor", "-h"], ["demo", "-h"]],
)
def test_help_has_examples(capsys, arguments):
    assert main(arguments) == 0
    page = capsys.readouterr().out
    assert "Usage: tinyclone" in page and "Example" in page
    command = arguments[0] if arguments and arguments[0][0] != "-" else "clone"
    assert f"  tinyclone {command}" in page


@pytest.mark.parametrize("text", ["", "  ", "?!...", "\U0001f600", "\u041f\u0440\u0438\u0432\u0435\u0442"])
def test_text_with_nothing_to_say(fake, tmp_path, capsys, text):
    mistake(capsys, "clone", text, "--voice", "lj", "--out", str(tmp_path / "a.wav"))
    assert list(tmp_path.iterdir()) == [] and fake.calls == []


def test_20000_characters(fake, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("tinyclone.synthesis.mel_to_wav", lambda mel, **_: np.zeros((len(mel) - 1) * 256))
    text = ("Nobody minds the gap between the train and the platform. " * 400)[:20000]
    command = ["clone", text, "--voice", "lj", "--out", str(tmp_path / "a.wav")]
    assert main([*command, "--vocoder", "griffin-lim"]) == 0
    assert "Speaking" in capsys.readouterr().err


def test_dropped_characters_are_one_line_of_warning(fake, tmp_path, capsys):
    assert main(["clone", "Hello \u0416 there.", "--voice", "lj", "--out", str(tmp_path / "a.wav")]) == 0
    assert re.fullmatch(r"Warning: [^\n]*\u0416[^\n]*\n", capsys.readouterr().err)


@pytest.mark.parametrize("consent", [[], ["--consent", "yes"], ["--consent", ""]])
def test_recording_without_consent(fake, reference, tmp_path, capsys, consent):
    out = str(tmp_path / "a.wav")
    line = mistake(capsys, "clone", "Hello.", "--voice", reference, *consent, "--out", out)
    assert "who agreed" in line


def test_unknown_voice(fake, tmp_path, capsys):
    line = mistake(capsys, "clone", "Hello.", "--voice", "nobody", "--out", str(tmp_path / "a.wav"))
    assert "'nobody'" in line and "lj, kathleen" in line


def bad_recordings(folder):
    silence = np.zeros(48000, np.float32)
    soundfile.write(folder / "silent.wav", silence, 16000)
    soundfile.write(folder / "short.wav", speech_like(0.3), 16000)
    soundfile.write(folder / "clipped.wav", np.sign(speech_like(3)), 16000)
    soundfile.write(
        folder / "nan.wav", np.where(np.arange(48000) == 5, np.nan, speech_like(3)), 16000, "FLOAT"
    )
    soundfile.write(
        folder / "infinite.wav", np.where(np.arange(48000) == 5, np.inf, speech_like(3)), 16000, "FLOAT"
    )
    soundfile.write(folder / "truncated.wav", speech_like(3), 16000)
    content = (folder / "truncated.wav").read_bytes()
    (folder / "truncated.wav").write_bytes(content[:20000])
    (folder / "text.wav").write_text("Dear diary, this is no sound.")
    (folder / "zero.wav").write_bytes(b"")
    (folder / "folder.wav").mkdir()


@pytest.mark.parametrize(
    "name",
    ["silent", "short", "clipped", "nan", "infinite", "truncated", "text", "zero", "folder", "missing"],
)
def test_bad_recordings(fake, tmp_path, capsys, name):
    bad_recordings(tmp_path)
    out = tmp_path / "a.wav"
    path = str(tmp_path / f"{name}.wav")
    mistake(capsys, "clone", "Hello.", "--voice", path, "--consent", CONSENT, "--out", str(out))
    assert not out.exists()


def test_a_damaged_voice_file(fake, tmp_path, capsys):
    (tmp_path / "mine.npz").write_bytes(b"PK\x03\x04 and nothing more")
    mistake(
        capsys, "clone", "Hello.", "--voice", str(tmp_path / "mine.npz"), "--out", str(tmp_path / "a.wav")
    )


def test_places_where_no_sound_can_be_written(fake, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.wav").mkdir()
    for place in ("missing/a.wav", "file/a.wav", "folder.wav", "a.doc", "a"):
        mistake(capsys, "clone", "Hello.", "--voice", "lj", "--out", str(tmp_path / place))
        mistake(
            capsys,
            "clone",
            "Hello.",
            "--voice",
            "lj",
            "--out",
            str(tmp_path / "a.wav"),
            "--plot",
            str(tmp_path / "no/a.png"),
        )
    assert fake.calls == []


def test_a_folder_that_may_not_be_written_in(fake, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("os.access", lambda *_: False)
    line = mistake(capsys, "clone", "Hello.", "--voice", "lj", "--out", str(tmp_path / "a.wav"))
    assert "cannot be written" in line


def test_existing_output_is_kept_when_the_run_fails(fake, tmp_path, capsys, monkeypatch):
    out = tmp_path / "a.wav"
    out.write_bytes(b"the old sound")

    def fail(*_: object, **__: object) -> None:
        raise TinycloneError("The model\nfell over.")

    monkeypatch.setattr(fake, "predict_mel", fail)
    line = mistake(capsys, "clone", "Hello.", "--voice", "lj", "--out", str(out))
    assert line == "Error: The model fell over.\n"
    assert out.read_bytes() == b"the old sound"


@pytest.mark.parametrize(
    "arguments",
    [
        ["sing"],
        ["clone"],
        ["clone", "Hello."],
        ["clone", "Hello.", "--voice", "lj"],
        ["clone", "Hello.", "--voice", "lj", "--out", "a.wav", "--speed", "3"],
        ["clone", "Hello.", "--voice", "lj", "--out", "a.wav", "--speed", "fast"],
        ["clone", "Hello.", "--voice", "lj", "--out", "a.wav", "--pitch-shift", "13"],
        ["clone", "Hello.", "--voice", "lj", "--out", "a.wav", "--seed", "-1"],
        ["clone", "Hello.", "--voice", "lj", "--out", "a.wav", "--volume", "11"],
        ["voices", "extra"],
    ],
)
def test_wrong_usage(capsys, arguments):
    mistake(capsys, *arguments)


@pytest.mark.slow
def test_as_a_program_it_ends_with_its_exit_code(tmp_path):
    command = [
        sys.executable,
        "-m",
        "tinyclone.cli",
        "clone",
        "",
        "--voice",
        "lj",
        "--out",
        str(tmp_path / "a.wav"),
    ]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 2
    assert result.stderr.startswith("Error: ") and result.stderr.count("\n") == 1


def test_text_from_standard_input(fake, tmp_path, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"Hello there."), encoding="utf-8"))
    assert main(["clone", "-", "--voice", "lj", "--out", str(tmp_path / "a.wav")]) == 0
    assert len(fake.calls) == 1


def test_standard_input_that_is_not_utf8(fake, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"caf\xe9"), encoding="utf-8"))
    assert "UTF-8" in mistake(capsys, "clone", "-", "--voice", "lj", "--out", str(tmp_path / "a.wav"))


def test_damaged_shipped_weights_are_a_mistake_not_a_traceback(tiny_shipped, tmp_path, capsys, monkeypatch):
    for name in ("cloner.npz", "voices.npz", "SHA256SUMS"):
        (tmp_path / name).write_bytes((tiny_shipped / name).read_bytes())
    whole = (tmp_path / "cloner.npz").read_bytes()
    (tmp_path / "cloner.npz").write_bytes(whole[:-100])
    monkeypatch.setattr(shipped, "shipped_folder", lambda: tmp_path)
    line = mistake(capsys, "clone", "Hello.", "--voice", "lj", "--out", str(tmp_path / "a.wav"))
    assert "cloner.npz" in line and "install tinyclone again" in line


def test_doctor_finds_a_healthy_installation_healthy(tiny_shipped, capsys, monkeypatch):
    monkeypatch.setattr(shipped, "shipped_folder", lambda: tiny_shipped)
    monkeypatch.setattr(doctor, "_nvidia_cards", list)
    assert main(["doctor"]) == 0, capsys.readouterr().out
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 11 and all(line.startswith("OK ") for line in lines[:-1])
    assert "HH AH0 L OW1" in lines[5]


def test_doctor_names_each_fault_and_its_fix(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(shipped, "shipped_folder", lambda: tmp_path)
    monkeypatch.setattr(doctor, "PACKAGES", ("numpy", "no-such-package"))
    monkeypatch.setattr(doctor, "PYTHON_RANGE", ((2, 6), (2, 7)))
    monkeypatch.setattr(doctor, "_nvidia_cards", list)
    assert main(["doctor"]) == 1
    page = capsys.readouterr().out
    failed = re.findall(r"^FAIL  (\S+ ?\S+)", page, flags=re.MULTILINE)
    assert failed == ["Python", "packages", "shipped weights", "shipped voices", "speaking with", "the whole"]
    assert "pip install no-such-package" in page and "2.6 to 2.7" in page


@pytest.fixture
def driver_of_a_card(tmp_path, monkeypatch):
    """A machine whose driver knows a graphics card, which no backend sees."""
    import keras
    import tensorflow

    program = tmp_path / "nvidia-smi"
    program.write_text('#!/bin/sh\n[ "$1" = --query-gpu=name ] && echo "NVIDIA T4"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(keras.backend, "backend", lambda: "tensorflow")
    monkeypatch.setattr(tensorflow.config, "list_physical_devices", lambda kind: [])
    return program


def test_doctor_says_how_training_comes_to_use_a_card_that_is_there(driver_of_a_card):
    finding = doctor._find("GPU", doctor._check_gpu)
    assert not finding.ok and finding.detail == "tensorflow does not see the NVIDIA T4 of this machine"
    assert 'Fix: pip install "tensorflow[and-cuda]"' in finding.line()
    assert 'pip install "jax[cuda12]" and KERAS_BACKEND=jax' in finding.line()


def test_doctor_misses_no_card_that_was_hidden_or_whose_driver_fails(driver_of_a_card, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert doctor._check_gpu().startswith("none: ")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    driver_of_a_card.write_text("#!/bin/sh\necho No devices were found\nexit 6\n")
    assert doctor._check_gpu().startswith("none: ")


def test_doctor_survives_what_it_did_not_expect(monkeypatch):
    def explode() -> str:
        raise RuntimeError("no\nidea")

    finding = doctor._find("part", explode)
    assert not finding.ok and "RuntimeError: no idea" in finding.line() and "Fix: " in finding.line()


def test_demo(tiny_shipped, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(shipped, "shipped_folder", lambda: tiny_shipped)
    folder = tmp_path / "new" / "outputs"
    for _ in range(2):
        assert main(["demo", "--out", str(folder)]) == 0
    assert sorted(path.name for path in folder.iterdir()) == ["demo.png", "demo.wav", "demo_cloned.wav"]
    assert soundfile.info(folder / "demo_cloned.wav").samplerate == 16000
    page = capsys.readouterr().out
    for part in (
        "Load the weights",
        "Listen to a new voice",
        "Draw the picture",
        "Listen:",
        "Next:",
        str(folder / "demo.png"),
    ):
        assert page.count(part) == 2


def test_demo_where_no_folder_can_be_made(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert "Cannot make" in mistake(capsys, "demo", "--out", str(tmp_path / "file" / "outputs"))


def test_clone_with_weights_of_ones_own(tiny_shipped, reference, tmp_path, capsys):
    out = tmp_path / "own.wav"
    weights = str(tiny_shipped / "cloner.npz")
    arguments = ["clone", "Hello.", "--out", str(out), "--weights", weights]
    assert main([*arguments, "--voice", reference, "--consent", CONSENT]) == 0
    assert out.stat().st_size > 44
    capsys.readouterr()
    # A named voice was made with the shipped weights.
    assert "these weights expect" in mistake(capsys, *arguments, "--voice", "lj")
    missing = str(tmp_path / "nothing.npz")
    assert "nothing.npz" in mistake(
        capsys, "clone", "Hello.", "--voice", "lj", "--out", str(out), "--weights", missing
    )
