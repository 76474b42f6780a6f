"""Voice cloning that can be read: a sentence and a few seconds of a voice in, that voice speaking it out.

The names below are loaded when they are first used, so that ``import tinyclone`` and everything that
works on text, sound and mels starts without loading Keras.

Notes
-----
Lesson: lessons/00_hear_it_first.ipynb
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tinyclone.audio import load_audio, save_audio
    from tinyclone.config import AudioConfig
    from tinyclone.griffin_lim import mel_to_wav
    from tinyclone.mel import log_mel
    from tinyclone.pretrained import load_cloner, load_speaker
    from tinyclone.synthesis import Speech, clone
    from tinyclone.text import decode, encode, normalise
    from tinyclone.voice import Voice

__version__ = "0.1.0"

# The function griffin_lim is not here: the package's attribute of that name is its module.
__all__ = [
    "AudioConfig",
    "Speech",
    "Voice",
    "clone",
    "decode",
    "encode",
    "load_audio",
    "load_cloner",
    "load_speaker",
    "log_mel",
    "mel_to_wav",
    "normalise",
    "save_audio",
]

_MODULE_OF = {
    "AudioConfig": "config",
    "Speech": "synthesis",
    "Voice": "voice",
    "clone": "synthesis",
    "decode": "text",
    "encode": "text",
    "load_audio": "audio",
    "load_cloner": "pretrained",
    "load_speaker": "pretrained",
    "log_mel": "mel",
    "mel_to_wav": "griffin_lim",
    "normalise": "text",
    "save_audio": "audio",
}


def __getattr__(name: str) -> Any:
    """Import the module that holds `name` when the name is first asked for."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'tinyclone' has no attribute {name!r}; it has {', '.join(__all__)}")
    value = getattr(import_module(f"tinyclone.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
