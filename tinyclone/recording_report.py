"""What a recording of a voice is like, in numbers, and what to do better next time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyclone.audio import active_frames, as_wave, trim_silence
from tinyclone.config import AudioConfig
from tinyclone.reference import FULL_SCALE

# Even without a pause the mouth is closed so often: with white noise added to read speech, this quantile
# of the frames' powers finds the level of the noise within 2 dB.
BACKGROUND_QUANTILE = 0.03
QUIETEST_DB = -100.0
LEAST_SEC, ENOUGH_SEC, MOST_SEC = 1.0, 3.0, 30.0
SOFT_DB = -40.0
CLIPPED_SHARE, MUCH_CLIPPED_SHARE = 0.0001, 0.01
LEAST_RATIO_DB, GOOD_RATIO_DB = 15.0, 25.0
MUCH_SILENCE = 0.4


@dataclass(frozen=True)
class RecordingReport:
    """How long, loud, clipped and noisy a recording is.

    Parameters
    ----------
    seconds : float
        From the first to the last sound that is louder than -40 dB relative to the loudest.
    speech_sec : float
        Of these, seconds that are louder than that.
    peak : float
        The largest sample, without its sign; 1 is full scale.
    clipped_share : float
        Share of samples at full scale.
    loudness_db : float
        Root mean square of the frames within 30 dB of the loudest one, in dB of full scale.
    background_db : float
        Root mean square of the quietest frames (the 3 % quantile), in dB of full scale: the room, and the
        microphone. Frames of zeros do not count, they were never recorded.

    Notes
    -----
    Lesson: lessons/08_your_own_voice.ipynb
    """

    seconds: float
    speech_sec: float
    peak: float
    clipped_share: float
    loudness_db: float
    background_db: float

    @property
    def speech_to_background_db(self) -> float:
        """By how much the voice is louder than the room."""
        return self.loudness_db - self.background_db

    @property
    def silence_share(self) -> float:
        """Share of the recording, without its ends, in which nobody speaks."""
        return 1.0 - self.speech_sec / self.seconds if self.seconds else 1.0

    def advice(self) -> list[str]:
        """Return what to do better, the worst first; an empty list if there is nothing."""
        if self.peak < 1e-3:
            return ["silent: nothing was recorded. Was the microphone on, and was it the right one?"]
        ratio = self.speech_to_background_db
        rules = (
            (self.clipped_share > MUCH_CLIPPED_SHARE, self._clipped("turn the level down")),
            (self.speech_sec < LEAST_SEC, f"too short: {self.speech_sec:.1f} s of speech, record 3 to 15 s"),
            (ratio < LEAST_RATIO_DB, self._noisy("find a quieter room, and speak closer to the microphone")),
            (
                CLIPPED_SHARE < self.clipped_share <= MUCH_CLIPPED_SHARE,
                self._clipped("turn the level down a little"),
            ),
            (
                LEAST_RATIO_DB <= ratio < GOOD_RATIO_DB,
                self._noisy("switch off what hums, and come closer to the microphone"),
            ),
            (
                self.loudness_db < SOFT_DB,
                f"soft: {self.loudness_db:.0f} dB, turn the level up or come closer",
            ),
            (
                LEAST_SEC <= self.speech_sec < ENOUGH_SEC,
                f"short: {self.speech_sec:.1f} s of speech will do, 3 to 15 s are surer",
            ),
            (self.seconds > MOST_SEC, f"long: of {self.seconds:.0f} s only {MOST_SEC:.0f} s will be used"),
            (
                self.silence_share > MUCH_SILENCE,
                f"full of pauses: {self.silence_share:.0%} of it is silence, cut them out or read on",
            ),
        )
        return [advice for applies, advice in rules if applies]

    def _clipped(self, advice: str) -> str:
        return f"clipped: {self.clipped_share:.2%} of the samples are at full scale, {advice}"

    def _noisy(self, advice: str) -> str:
        found = f"the voice is only {self.speech_to_background_db:.0f} dB louder than the room"
        return f"noisy: {found}, {advice}"

    def table(self) -> str:
        """Return the numbers and the advice for people."""
        lines = [
            f"length           {self.seconds:6.1f} s, {self.speech_sec:.1f} s of it speech",
            f"loudness         {self.loudness_db:6.1f} dB of full scale",
            f"above the room   {self.speech_to_background_db:6.1f} dB",
            f"peak             {self.peak:6.2f} of full scale, {self.clipped_share:.2%} clipped",
        ]
        return "\n".join([*lines, *(self.advice() or ["nothing to complain about"])])


def report_on(wav: np.ndarray, *, config: AudioConfig = AudioConfig()) -> RecordingReport:
    """Measure a recording as it came from the microphone, before anything is trimmed or made louder.

    Parameters
    ----------
    wav : np.ndarray, shape (N,), in [-1, 1]
        One channel at the config's sample rate, such as `tinyclone.audio.load_audio` returns.
    config : AudioConfig
        Its hop length is the frame in which loudness is measured.

    Returns
    -------
    RecordingReport

    Raises
    ------
    AudioError
        If the wave is not one channel of finite numbers.

    Notes
    -----
    Lesson: lessons/08_your_own_voice.ipynb
    """
    wav = as_wave(wav)
    trimmed = trim_silence(wav, config=config)
    speaking = active_frames(trimmed, config=config, threshold_db=-40.0)
    n_frames = max(1, len(wav) // config.hop_length)
    whole = np.resize(wav, n_frames * config.hop_length).reshape(n_frames, -1)
    power = np.mean(whole.astype(float) ** 2, axis=1)  # (frames,)
    loud = power >= power.max() / 1000
    recorded = power[power > 0] if power.any() else power
    return RecordingReport(
        seconds=len(trimmed) / config.sample_rate_hz,
        speech_sec=float(speaking.sum()) / config.frames_per_sec,
        peak=float(np.abs(wav).max()),
        clipped_share=float(np.mean(np.abs(wav) >= FULL_SCALE)),
        loudness_db=_decibels(power[loud].mean()),
        background_db=_decibels(np.quantile(recorded, BACKGROUND_QUANTILE)),
    )


def _decibels(power: float) -> float:
    return max(QUIETEST_DB, 10.0 * float(np.log10(max(power, 1e-30))))
