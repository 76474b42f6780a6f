"""The exceptions of tinyclone: each message says what was got, what was expected and what to do."""

from __future__ import annotations


class TinycloneError(Exception):
    """Base of every error that a user of tinyclone can cause and mend."""


class TextError(TinycloneError, ValueError):
    """A text that cannot be spoken."""


class AudioError(TinycloneError, ValueError):
    """A recording that cannot be read or used, or a wave that cannot be saved."""


class ConsentError(TinycloneError, ValueError):
    """A voice was to be cloned and nobody was named who agreed to it."""


class VoiceError(TinycloneError, ValueError):
    """A voice that is not known, or a voice file that cannot be used."""


class CorpusError(TinycloneError, ValueError):
    """A corpus folder that cannot be read."""


class CheckpointError(TinycloneError, ValueError):
    """Weights that are damaged, or that were made for another configuration."""


class TrainingError(TinycloneError, RuntimeError):
    """A training that cannot begin, or that cannot go on."""
