"""Checkers for the exercises of the lessons: each prints what is right, or a hint at what is wrong.

A checker never shows the solution and never raises for a wrong answer, so that a notebook with an
unsolved exercise still runs to its end. The solutions are in ``lessons/solutions``. One module for each
lesson: `hearing` for lesson 0, `text_encoding` for lesson 1, `mel_extraction` for lesson 2,
`alignment` for lesson 3, `model_building` for lesson 4, `training` for lesson 5, `griffin_lim` for
lesson 6, `neural_vocoder` for lesson 7, `own_voice` for lesson 8.
"""

from tinyclone.exercises.alignment import check_durations_of, check_fill_table, check_find_wrong_text
from tinyclone.exercises.griffin_lim import (
    check_fewest_iterations,
    check_improve,
    check_spectral_convergence,
)
from tinyclone.exercises.hearing import MAY_CLONE, check_closest_voice, check_may_clone, check_speak_in
from tinyclone.exercises.mel_extraction import check_find_fricative, check_frame_times, check_log_mel
from tinyclone.exercises.melnet import check_between_frames_nats, check_finds_leak, check_tier_of
from tinyclone.exercises.model_building import check_pool, check_receptive_field, check_repeat_states
from tinyclone.exercises.neural_vocoder import check_log_magnitude_loss, check_mend, check_pulse_places
from tinyclone.exercises.own_voice import (
    check_mean_with_interval,
    check_rescaled_similarity,
    check_which_is_better,
)
from tinyclone.exercises.tacotron import (
    check_frames_of_characters,
    check_stopping_step,
    check_told_frames,
)
from tinyclone.exercises.tacotron2 import check_look_in_window, check_name_failure, check_stop_loss
from tinyclone.exercises.text_encoding import check_pad_batch, check_say_money, check_say_plural
from tinyclone.exercises.training import check_best_step, check_learning_rate, check_make_batches
from tinyclone.exercises.wavenet import check_bits_per_sample, check_layers_needed, check_remembering_step

__all__ = [
    "MAY_CLONE",
    "check_best_step",
    "check_between_frames_nats",
    "check_bits_per_sample",
    "check_closest_voice",
    "check_durations_of",
    "check_fewest_iterations",
    "check_fill_table",
    "check_find_fricative",
    "check_find_wrong_text",
    "check_finds_leak",
    "check_frame_times",
    "check_frames_of_characters",
    "check_improve",
    "check_layers_needed",
    "check_learning_rate",
    "check_log_magnitude_loss",
    "check_log_mel",
    "check_look_in_window",
    "check_make_batches",
    "check_may_clone",
    "check_mean_with_interval",
    "check_mend",
    "check_name_failure",
    "check_pad_batch",
    "check_pool",
    "check_pulse_places",
    "check_receptive_field",
    "check_remembering_step",
    "check_repeat_states",
    "check_rescaled_similarity",
    "check_say_money",
    "check_say_plural",
    "check_speak_in",
    "check_spectral_convergence",
    "check_stop_loss",
    "check_stopping_step",
    "check_tier_of",
    "check_told_frames",
    "check_which_is_better",
]
