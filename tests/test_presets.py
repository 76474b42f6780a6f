"""The presets keep their promises about shapes and sizes."""

from __future__ import annotations

import numpy as np
import pytest

from tinyclone.errors import TinycloneError
from tinyclone.presets import PRESETS, preset_named


@pytest.mark.parametrize("preset", PRESETS.values(), ids=list(PRESETS))
def test_every_bucket_holds_about_as_many_frames_and_is_longer_than_the_one_before(preset):
    frames = [length * clips for length, _, clips in preset.buckets]
    assert max(frames) / min(frames) < 1.15
    assert all(np.diff([length for length, _, _ in preset.buckets]) > 0)
    assert all(np.diff([tokens for _, tokens, _ in preset.buckets]) > 0)
    # 192 frames are 3 s; fast speech has up to 24 tokens a second.
    assert all(tokens >= 0.33 * length for length, tokens, _ in preset.buckets)


def test_the_gpu_preset_is_ten_times_a_laptops_batch_and_divides_among_eight():
    laptop, gpu = PRESETS["laptop"], PRESETS["gpu"]
    assert 30_000 < gpu.buckets[0][0] * gpu.buckets[0][2] < 34_000
    assert laptop.buckets[0][0] * laptop.buckets[0][2] == 3072
    assert all(clips % 8 == 0 for _, _, clips in gpu.buckets)
    assert gpu.config.decoder_channels > laptop.config.decoder_channels
    assert gpu.mixed_precision and not laptop.mixed_precision
    assert laptop.steps == 3000 and gpu.steps == 30_000


def test_an_unknown_preset_is_refused_with_the_known_ones():
    assert preset_named("gpu") is PRESETS["gpu"]
    with pytest.raises(TinycloneError, match="no preset 'tpu'. The presets are laptop .*; gpu "):
        preset_named("tpu")
