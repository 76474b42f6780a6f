"""Decoding and encoding of sound files, and what is wrong with those that cannot be decoded."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import numpy as np
import soundfile

from tinyclone.errors import AudioError

MP3_FRAME = 1152  # samples


def _require_readable_file(path: Path) -> None:
    """Refuse what no decoder needs to see: missing, a folder, unreadable, of zero bytes."""
    if path.is_dir():
        raise AudioError(f"{path} is a folder; expected a recording. Name a file in it.")
    if not path.exists():
        raise AudioError(f"{path} does not exist; expected a recording. Check the name and the folder.")
    try:
        with path.open("rb") as file:
            first_byte = file.read(1)
    except OSError as error:
        raise AudioError(f"{path} cannot be read: {error.strerror}. Check who may read it.") from error
    if not first_byte:
        raise AudioError(f"{path} is empty (0 bytes); expected a recording. Record or download it again.")


def read_samples(path: Path, *, max_sec: float | None = None) -> tuple[np.ndarray, int]:
    """Decode a file to (N, channels) float32 and its rate; refuse what is damaged or not audio.

    Notes
    -----
    Lesson: lessons/02_mel_extraction.ipynb
    """
    _require_readable_file(path)
    try:
        with soundfile.SoundFile(path) as file:
            # An Ogg or MP3 header does not always say how long the stream is.
            stated = file.frames
            wanted = -1 if max_sec is None else max(1, round(max_sec * file.samplerate))
            samples = file.read(wanted, dtype="float32", always_2d=True)
            rate_hz = file.samplerate
            # An encoder fills up the ends of an MP3; decoders count that in and then leave it out.
            slack = 2 * MP3_FRAME if file.format == "MP3" else 0
    except (OSError, soundfile.SoundFileError) as error:
        raise AudioError(_why_not_decodable(path, error)) from error
    expected = stated if wanted < 0 else min(stated, wanted)
    if len(samples) < expected - slack or _is_truncated(path):
        raise AudioError(
            f"{path} is truncated: its header promises more sound than the {len(samples) / rate_hz:.2f} s "
            "that are in it. Copy or download it again."
        )
    if len(samples) == 0:
        raise AudioError(f"{path} has a header but no samples; expected a recording. Record it again.")
    return samples, rate_hz


def _why_not_decodable(path: Path, error: Exception) -> str:
    with path.open("rb") as file:
        beginning = file.read(512)
    if _is_truncated(path):
        return f"{path} is truncated: its end is missing. Copy or download it again."
    if all(byte >= 32 or byte in b"\t\r\n" for byte in beginning):
        return f"{path} is a text file; expected a recording (WAV, FLAC, Ogg, Opus or MP3)."
    return (
        f"{path} cannot be decoded as audio: {error}. Expected WAV, FLAC, Ogg, Opus or MP3; "
        "convert it with `ffmpeg -i INPUT OUTPUT.wav`, or download it again if it is damaged."
    )


def _is_truncated(path: Path) -> bool:
    """Whether a WAV's data chunk, or the last page of an Ogg stream, reaches beyond the file's end."""
    size = path.stat().st_size
    with path.open("rb") as file:
        beginning = file.read(4)
        if beginning == b"RIFF":
            file.seek(12)
            while len(header := file.read(8)) == 8:
                name, length = struct.unpack("<4sI", header)
                if name == b"data":
                    # 0 and the largest number stand for "not known" in a stream.
                    return length < 0xFFFFFF00 and file.tell() + length > size
                file.seek(length + length % 2, os.SEEK_CUR)
            return size < 44
        if beginning == b"OggS":
            file.seek(max(0, size - 2 * 65307))
            tail = file.read()
            page = tail[tail.rfind(b"OggS") :]
            return len(page) < 27 or len(page) < 27 + page[26] + sum(page[27 : 27 + page[26]])
    return False


def write_samples(path: Path, wav: np.ndarray, *, rate_hz: int, container: str, subtype: str) -> None:
    """Encode one channel of samples in [-1, 1].

    Notes
    -----
    Lesson: lessons/02_mel_extraction.ipynb
    """
    with soundfile.SoundFile(
        path, "w", samplerate=rate_hz, channels=1, format=container, subtype=subtype
    ) as file:
        # libsndfile's Vorbis encoder overflows its stack when it is given minutes at once.
        for start in range(0, len(wav), 65536):
            file.write(wav[start : start + 65536])
